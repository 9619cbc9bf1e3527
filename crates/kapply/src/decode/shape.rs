//! What an object must look like to be one that can be applied, and which of its
//! fields are none of the input's business.

use serde_json::Value;

use crate::object::Object;

/// Fields of `metadata` that say nothing about what is wanted: the server writes
/// them, and `kubectl get -o yaml` prints them. Not `resourceVersion` and `uid`:
/// those say which object is meant.
const BOOKKEEPING: [&str; 6] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "selfLink",
];

/// The object without what only the server may write there.
pub(super) fn without_bookkeeping(mut value: Value) -> Value {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in BOOKKEEPING {
            metadata.shift_remove(name);
        }
    }
    value
}

/// Whether this is a Kubernetes object that can be applied; if not, what is wrong.
pub(super) fn check(object: &Object) -> Result<(), String> {
    if !object.value.is_object() {
        return Err("this is no Kubernetes object: a mapping with apiVersion, kind and metadata was expected".to_owned());
    }
    for (field, value) in [
        ("apiVersion", object.api_version()),
        ("kind", object.kind()),
    ] {
        if value.is_empty() {
            return Err(format!(
                "this is no Kubernetes object: {field} is missing or no string"
            ));
        }
    }
    if object.group() == "kustomize.config.k8s.io" {
        return Err(format!(
            "{}: this is for kustomize, not for a cluster; give its directory with -k instead of -f",
            object.kind()
        ));
    }
    if object.api_version().matches('/').count() > 1 {
        return Err(format!(
            "{}: apiVersion `{}` is not VERSION or GROUP/VERSION",
            object.kind(),
            object.api_version()
        ));
    }
    if object.kind() == "List" && object.group().is_empty() {
        return Err("List: items is missing".to_owned());
    }
    let metadata = &object.value["metadata"];
    if metadata["name"].as_str().is_none_or(str::is_empty) {
        let hint = match &metadata["name"] {
            Value::Null if metadata["generateName"].is_string() => {
                "server-side apply needs a fixed name: replace metadata.generateName by metadata.name"
            }
            Value::Null => "metadata.name is missing",
            _ => {
                "metadata.name is no string; quote it (YAML 1.1 takes y, n, yes, no, on, off and numbers for something else)"
            }
        };
        return Err(format!("{}: {hint}", object.kind()));
    }
    for name in [Some(object.name()), object.namespace()]
        .into_iter()
        .flatten()
    {
        if !is_path_segment(name) {
            return Err(format!(
                "{}: `{name}` cannot be a name: use letters, digits, `-` and `.`",
                object.kind()
            ));
        }
    }
    if !matches!(metadata["namespace"], Value::Null | Value::String(_)) {
        return Err(format!(
            "{}: metadata.namespace is no string",
            object.label()
        ));
    }
    Ok(())
}

/// Names become part of request paths: only what RFC 3986 takes there as it is.
fn is_path_segment(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte);
    name != "." && name != ".." && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_the_server_writes_is_left_out() {
        let printed = json!({"metadata": {"name": "a", "uid": "u", "creationTimestamp": null,
            "managedFields": [{"manager": "m"}], "labels": {"generation": "x"}}});
        let left = json!({"metadata": {"name": "a", "uid": "u", "labels": {"generation": "x"}}});
        assert_eq!(without_bookkeeping(printed), left);
        assert_eq!(without_bookkeeping(json!("text")), json!("text"));
    }

    #[test]
    fn a_kustomization_is_no_object_of_a_cluster() {
        let object = Object {
            value: json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}),
            place: crate::problem::Place::file("f"),
            document: 0,
        };
        assert!(check(&object).unwrap_err().contains("-k"));
    }
}
