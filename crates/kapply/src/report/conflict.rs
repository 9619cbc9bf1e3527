//! A conflict in words: whose the field is, both values, and the ways out.

use std::fmt::Write as _;

use serde_json::Value;

use crate::apply::FieldConflict;

/// Longer values are cut: the diff has them whole.
const LONGEST: usize = 60;

/// Writes the rules of roles that have an `aggregationRule`.
const AGGREGATION: &str = "clusterrole-aggregation-controller";

/// The lines under a conflict's head line, one per field, and what can be done.
#[must_use]
pub fn lines(conflicts: &[FieldConflict]) -> Vec<String> {
    let mut lines: Vec<_> = conflicts.iter().map(line).collect();
    if conflicts.iter().any(FieldConflict::is_autoscaled) {
        lines.push(
            "ways out: an autoscaler decides about .spec.replicas, so remove it from the manifest; forcing it \
             would scale the workload to the manifest's number until the autoscaler notices"
                .to_owned(),
        );
        return lines;
    }
    if conflicts
        .iter()
        .any(|conflict| conflict.manager == AGGREGATION)
    {
        lines.push(
            "ways out: the rules of this role are collected by its aggregationRule, so remove rules from the manifest, \
             also an empty list; forcing it would take the permissions away until they are collected again"
                .to_owned(),
        );
        return lines;
    }
    if let Some(own) = conflicts.iter().find(|conflict| conflict.is_own) {
        lines.push(format!(
            "ways out: \"{}\" is the name that this is applied under, so an admission policy or webhook changed \
             what was applied, or something else writes under this name; write the value that is there into the \
             manifest or remove the field from it, since what --force-conflicts takes is changed again, or apply \
             with another --field-manager",
            own.manager
        ));
        return lines;
    }
    let mut managers: Vec<_> = conflicts
        .iter()
        .map(|conflict| conflict.manager.as_str())
        .collect();
    managers.sort_unstable();
    managers.dedup();
    let force = match managers[..] {
        [manager] => format!("--force-conflicts-with={manager} (or --force-conflicts)"),
        _ => "--force-conflicts".to_owned(),
    };
    lines.push(format!(
        "ways out: take the fields over with {force}, leave them to their managers by removing them from \
         the manifest, or give them the same values"
    ));
    lines
}

/// Whose a field is, and both values.
pub(crate) fn line(conflict: &FieldConflict) -> String {
    let mut line = format!(
        "{}  is owned by \"{}\" ({}",
        conflict.field, conflict.manager, conflict.operation
    );
    // Writing to a String cannot fail.
    if !conflict.subresource.is_empty() {
        let _ = write!(line, " of {}", conflict.subresource);
    }
    if let Some(since) = conflict.since {
        let _ = write!(line, ", last at {since}");
    }
    line.push(')');
    if let (Some(theirs), Some(ours)) = (&conflict.theirs, &conflict.ours) {
        let _ = write!(line, ": {} there, {} here", short(theirs), short(ours));
    }
    line
}

/// The value as JSON, cut where it is long.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_autoscaler_gets_its_own_advice() {
        let mut conflict = FieldConflict {
            field: ".spec.replicas".into(),
            manager: "kube-controller-manager".into(),
            operation: "Update".into(),
            subresource: "scale".into(),
            since: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            theirs: Some(json!(7)),
            ours: Some(json!(3)),
            is_own: false,
        };
        let text = lines(std::slice::from_ref(&conflict));
        assert_eq!(
            text[0],
            ".spec.replicas  is owned by \"kube-controller-manager\" (Update of scale, last at 2026-01-02T03:04:05Z): 7 there, 3 here"
        );
        assert!(text[1].contains("autoscaler"), "{}", text[1]);
        conflict.subresource.clear();
        let text = lines(std::slice::from_ref(&conflict));
        assert!(
            text[1].contains("--force-conflicts-with=kube-controller-manager"),
            "{}",
            text[1]
        );
        conflict.is_own = true;
        let text = lines(&[conflict]);
        assert!(text[1].contains("admission policy"), "{}", text[1]);
    }

    #[test]
    fn collected_rules_get_their_own_advice() {
        let text = lines(&[FieldConflict {
            field: ".rules".into(),
            manager: AGGREGATION.into(),
            operation: "Apply".into(),
            subresource: String::new(),
            since: None,
            theirs: Some(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])),
            ours: Some(json!([])),
            is_own: false,
        }]);
        assert!(text[1].contains("aggregationRule"), "{}", text[1]);
        assert!(!text[1].contains("--force"), "{}", text[1]);
    }
}
