//! Whether what is live is what the manifest is about.

use super::Live;
use crate::resolve::Target;

/// Why an object that is on its way out cannot be applied.
pub(super) fn being_deleted(live: &Live) -> Option<String> {
    let metadata = &live.value["metadata"];
    metadata["deletionTimestamp"].as_str()?;
    let finalizers: Vec<_> = metadata["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    Some(if finalizers.is_empty() {
        "it is being deleted; wait until it is gone".to_owned()
    } else {
        format!(
            "it is being deleted and kept by the finalizers {}; wait until it is gone",
            finalizers.join(", ")
        )
    })
}

/// Why the live object is not the one that the manifest means. Manifests that
/// `kubectl get -o yaml` printed say which one that is.
pub(super) fn another(target: &Target, live: &Live) -> Option<String> {
    ["uid", "resourceVersion"].into_iter().find_map(|name| {
        let meant = target.object.value["metadata"][name].as_str()?;
        let found = live.value["metadata"][name].as_str().unwrap_or_default();
        (meant != found).then(|| {
            format!(
                "the manifest is for the object with metadata.{name} {meant:?}, but the cluster has it with {found:?}; remove metadata.{name} from the manifest to apply it to what is there"
            )
        })
    })
}

/// Why an object that does not exist is not the one that the manifest means.
pub(super) fn gone(target: &Target) -> Option<String> {
    let uid = target.object.value["metadata"]["uid"].as_str()?;
    Some(format!(
        "the manifest is for the object with metadata.uid {uid:?}, which is gone; remove metadata.uid from the manifest to create a new one"
    ))
}

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::json;

    use super::*;
    use crate::{object::Object, problem::Place, resolve::Definition};

    fn target(metadata: &serde_json::Value) -> Target {
        let kind = GroupVersionKind::gvk("", "v1", "ConfigMap");
        Target {
            object: Object {
                value: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
                place: Place::file("f"),
                document: 0,
            },
            resource: ApiResource::from_gvk(&kind),
            namespace: Some("n".into()),
            definition: Definition::Cluster,
            served_as: None,
        }
    }

    #[test]
    fn a_manifest_that_names_an_older_object_is_not_for_this_one() {
        let live = Live {
            value: json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7"}}),
        };
        for (metadata, reason) in [
            (json!({"name": "a"}), None),
            (
                json!({"name": "a", "uid": "u", "resourceVersion": "7"}),
                None,
            ),
            (
                json!({"uid": "u", "resourceVersion": "5"}),
                Some("resourceVersion \"5\""),
            ),
            (
                json!({"uid": "v", "resourceVersion": "5"}),
                Some("uid \"v\""),
            ),
        ] {
            let found = another(&target(&metadata), &live);
            let as_expected = match (&found, reason) {
                (Some(found), Some(reason)) => found.contains(reason),
                (found, reason) => found.is_none() && reason.is_none(),
            };
            assert!(as_expected, "{metadata}: {found:?}");
        }
        assert!(gone(&target(&json!({"uid": "u"}))).is_some());
        assert_eq!(gone(&target(&json!({"resourceVersion": "5"}))), None);
    }
}
