//! Results as lines for people: answers for stdout, errors for stderr.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    apply::{Applied, Outcome},
    resolve::Target,
};

/// Objects that were not sent are named up to this number; `-o json` has them all.
const MAX_SUBJECTS: usize = 8;

/// `deployment.apps/web (namespace shop)`
#[must_use]
pub fn subject(target: &Target) -> String {
    let object = &target.object;
    super::subject(
        object.api_version(),
        object.kind(),
        target.namespace.as_deref(),
        object.name(),
    )
}

/// The line for an object that was applied; `None` for what went wrong.
#[must_use]
pub fn applied(target: &Target, applied: &Applied, dry_run: bool) -> Option<String> {
    if !applied.outcome.is_applied() {
        return None;
    }
    let mut line = format!("{} {}", target.object.label(), applied.outcome.name());
    if let Some(namespace) = &target.namespace {
        // Writing to a String cannot fail.
        let _ = write!(line, " (namespace {namespace})");
    }
    if dry_run {
        line.push_str(" (dry run)");
    }
    if let Some(note) = &applied.note {
        let _ = write!(line, ", {note}");
    }
    Some(line)
}

/// The lines for an object that was refused; `None` for what went well and what was not sent.
#[must_use]
pub fn refused(target: &Target, applied: &Applied) -> Option<String> {
    let place = &target.object.place;
    let subject = subject(target);
    match &applied.outcome {
        Outcome::Failed(reason) => Some(format!("error: {place}: {subject}: {reason}")),
        Outcome::Conflict(conflicts) => {
            let mut text = format!(
                "conflict: {place}: {subject}: other managers set these fields to other values:"
            );
            for line in super::conflict::lines(conflicts) {
                let _ = write!(text, "\n  {line}");
            }
            Some(text)
        }
        _ => None,
    }
}

/// The lines for objects that were not sent, by reason.
#[must_use]
pub fn not_sent(targets: &[Target], results: &[Applied]) -> Vec<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (target, applied) in targets.iter().zip(results) {
        if let Outcome::Skipped(reason) = &applied.outcome {
            reasons.entry(reason).or_default().push(subject(target));
        }
    }
    let lines = reasons.into_iter().map(|(reason, mut subjects)| {
        let count = subjects.len();
        subjects.truncate(MAX_SUBJECTS);
        let more = if count > MAX_SUBJECTS {
            format!(" and {} more", count - MAX_SUBJECTS)
        } else {
            String::new()
        };
        format!("skipped: {reason}: {}{more}", subjects.join(", "))
    });
    lines.collect()
}

/// `3 objects: 1 created, 2 unchanged`
#[must_use]
pub fn summary(results: &[Applied]) -> String {
    let mut parts = Vec::new();
    for name in Outcome::NAMES {
        let count = results
            .iter()
            .filter(|applied| applied.outcome.name() == name)
            .count();
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    let plural = if results.len() == 1 { "" } else { "s" };
    let colon = if parts.is_empty() { "" } else { ": " };
    format!(
        "{} object{plural}{colon}{}",
        results.len(),
        parts.join(", ")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::json;

    use super::*;
    use crate::{apply::FieldConflict, object::Object, problem::Place};

    pub(crate) fn target() -> Target {
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
        Target {
            object: Object {
                value,
                place: Place {
                    file: "web.yaml".into(),
                    line: 3,
                },
                document: 0,
            },
            resource: ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment")),
            namespace: Some("shop".into()),
            definition: crate::resolve::Definition::Cluster,
            served_as: None,
        }
    }

    #[test]
    fn outcomes_read_well() {
        let plain = |outcome| Applied {
            outcome,
            note: None,
            warnings: Vec::new(),
        };
        assert_eq!(
            applied(&target(), &plain(Outcome::Created), false).as_deref(),
            Some("deployment.apps/web created (namespace shop)")
        );
        let conflict = FieldConflict {
            field: ".spec.replicas".into(),
            manager: "hpa".into(),
            operation: "Update".into(),
            subresource: String::new(),
            since: None,
            theirs: None,
            ours: None,
            is_own: false,
        };
        let text = refused(&target(), &plain(Outcome::Conflict(vec![conflict]))).unwrap();
        assert!(
            text.starts_with("conflict: web.yaml:3: deployment.apps/web (namespace shop): "),
            "{text}"
        );
        assert!(
            text.contains("\n  .spec.replicas  is owned by \"hpa\" (Update)\n")
                && text.contains("--force-conflicts"),
            "{text}"
        );
        assert_eq!(
            summary(&[
                plain(Outcome::Created),
                plain(Outcome::Unchanged),
                plain(Outcome::Created)
            ]),
            "3 objects: 2 created, 1 unchanged"
        );
        assert_eq!(summary(&[]), "0 objects");
    }
}
