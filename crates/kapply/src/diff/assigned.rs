//! Values that a dry run invents: the server will choose others when the object
//! is applied, so they are not shown as if they were known.

use serde_json::Value;

/// In the place of a value that nobody knows yet.
const ASSIGNED: &str = "<assigned by the server>";

/// Replaces the invented values of a dry run's result: the new object's UID
/// wherever it stands, and addresses and ports of a Service that neither the
/// input gives nor the live object has.
pub(crate) fn mark_assigned(after: &mut Value, before: Option<&Value>, desired: &Value) {
    if before.is_none()
        && let Some(uid) = after["metadata"]["uid"].as_str().map(str::to_owned)
    {
        replace(after, &uid);
    }
    if after["kind"] != "Service" || after["apiVersion"] != "v1" {
        return;
    }
    let known = |pointer: &str, value: &Value| {
        desired.pointer(pointer).is_some()
            || before.and_then(|before| before.pointer(pointer)) == Some(value)
    };
    for pointer in [
        "/spec/clusterIP",
        "/spec/clusterIPs",
        "/spec/healthCheckNodePort",
    ] {
        if let Some(value) = after.pointer_mut(pointer)
            // A headless Service has `None`, which is no invention.
            && value != "None"
            && *value != serde_json::json!(["None"])
            && !known(pointer, value)
        {
            *value = ASSIGNED.into();
        }
    }
    let ports = |object: &Value| -> Vec<Value> {
        let ports = object["spec"]["ports"].as_array().into_iter().flatten();
        ports.map(|port| port["nodePort"].clone()).collect()
    };
    let mut known = ports(desired);
    known.extend(before.map(ports).unwrap_or_default());
    for port in after["spec"]["ports"].as_array_mut().into_iter().flatten() {
        if let Some(value) = port.get_mut("nodePort")
            && !known.contains(value)
        {
            *value = ASSIGNED.into();
        }
    }
}

fn replace(value: &mut Value, uid: &str) {
    match value {
        Value::String(text) if text == uid => ASSIGNED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, uid)),
        Value::Object(map) => map.values_mut().for_each(|value| replace(value, uid)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inventions_are_told_from_what_is_known() {
        let service = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "spec": spec});
        let mut after = service(json!({"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"],
            "ports": [{"port": 80, "nodePort": 30001}, {"port": 81, "nodePort": 30002}, {"port": 82, "nodePort": 30003}]}));
        let before =
            service(json!({"clusterIP": "10.0.0.9", "ports": [{"port": 82, "nodePort": 30003}]}));
        let desired = service(json!({"ports": [{"port": 80, "nodePort": 30001}, {"port": 81}]}));
        mark_assigned(&mut after, Some(&before), &desired);
        assert_eq!(
            after["spec"],
            json!({"clusterIP": "10.0.0.9", "clusterIPs": ASSIGNED,
            "ports": [{"port": 80, "nodePort": 30001}, {"port": 81, "nodePort": ASSIGNED}, {"port": 82, "nodePort": 30003}]})
        );
        let mut job =
            json!({"kind": "Job", "metadata": {"uid": "u-1", "labels": {"controller-uid": "u-1"}}});
        mark_assigned(&mut job, None, &json!({}));
        assert_eq!(job["metadata"]["labels"]["controller-uid"], ASSIGNED);
    }
}
