//! What forbids a change because it is there and the apply cannot remove it:
//! others put it there, or the server filled it in and nobody claims it. A
//! Deployment whose strategy becomes `Recreate` keeps its `rollingUpdate`.

use serde_json::Value;

/// What to do about an update that is refused because of what the cluster has and
/// the manifest does not; `None` if it is refused for another reason. The manifest
/// alone would be valid.
pub(super) fn advice(reason: &str, desired: &Value, live: &Value) -> Option<String> {
    if reason.contains(": Duplicate value: ") {
        return Some(
            "an item of the list that the manifest does not have is there, from another manager, and has this value; change or remove that one first".to_owned(),
        );
    }
    let (before, _) = reason.split_once(": Forbidden: may not ")?;
    let field = before.rsplit(' ').next()?;
    // The bracket that a list of reasons begins with.
    let field = field.trim_start_matches('[');
    let pointer = pointer(field);
    let is_left_over = live.pointer(&pointer).is_some_and(|value| !value.is_null())
        && desired.pointer(&pointer).is_none_or(Value::is_null);
    is_left_over.then(|| {
        format!(
            ".{field} is in the cluster and not in the manifest, but an apply removes only what it put there; make this change once with `kubectl edit`, which can remove it, and apply again"
        )
    })
}

/// `spec.volumes[0].hostPath` as a JSON pointer.
fn pointer(field: &str) -> String {
    let parts = field.split(['.', '[']);
    let parts: Vec<_> = parts.map(|part| part.trim_end_matches(']')).collect();
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REASON: &str = "Deployment.apps \"d\" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'";

    #[test]
    fn a_field_that_only_the_cluster_has_is_named() {
        let desired = json!({"spec": {"strategy": {"type": "Recreate"}}});
        let live = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let found = advice(REASON, &desired, &live).unwrap();
        assert!(
            found.starts_with(".spec.strategy.rollingUpdate is in the cluster"),
            "{found}"
        );
        let listed = REASON.replace("invalid: ", "invalid: [");
        assert!(advice(&listed, &desired, &live).is_some());
        // The manifest itself has it, or nobody does.
        assert_eq!(advice(REASON, &live, &live), None);
        assert_eq!(advice(REASON, &desired, &desired), None);
        assert_eq!(advice("field is immutable", &desired, &live), None);
    }

    #[test]
    fn items_of_lists_are_found() {
        let live = json!({"spec": {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]}});
        let desired = json!({"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}});
        let reason = "spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type";
        assert!(advice(reason, &desired, &live).is_some());
        let reason = "spec.ports[1].name: Duplicate value: \"h\"";
        assert!(advice(reason, &desired, &live).is_some());
    }
}
