//! What a parent object says about its set, checked before anything relies on it.

use serde_json::Value;

use super::{
    Access, SetError,
    marks::{ID, KINDS, NAMESPACES, RESOURCES, TOOLING},
    parent::Parent,
    reach::{GroupKind, Reach, parts},
    tooling::Tooling,
};
use crate::discover::Catalog;

/// What a parent object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Who takes care of the set.
    pub(crate) tooling: Tooling,
    /// Where the set may have members.
    pub(crate) reach: Reach,
    /// `metadata.uid`
    pub(crate) uid: String,
    /// `metadata.resourceVersion`
    pub(crate) version: String,
    /// The annotations that [`super::write`] writes, and the one that it drops.
    pub(crate) annotations: [Option<String>; 4],
}

/// The order of [`Record::annotations`].
pub(crate) const ANNOTATIONS: [&str; 4] = [TOOLING, KINDS, NAMESPACES, RESOURCES];

/// Reads the metadata of a live parent. Unless it is to be changed as it is, a
/// parent that does not say which kinds it holds may hold any that can be
/// listed, as KEP-3659 has it; and adopting makes a parent of an unmarked
/// custom resource, whose kind is made for that.
///
/// # Errors
/// It is no parent, the parent of another set, or its annotations cannot be read.
pub(crate) fn record(
    parent: &Parent,
    object: &Value,
    catalog: &Catalog,
    access: Access,
) -> Result<Record, SetError> {
    let refuse = |reason: String| SetError::Parent {
        parent: Box::new(parent.clone()),
        reason,
    };
    let metadata = &object["metadata"];
    let text = |part: &str, key: &str| metadata[part][key].as_str().map(str::to_owned);
    let annotations = ANNOTATIONS.map(|key| text("annotations", key));
    let [tooling, kinds, namespaces, resources] = &annotations;
    let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
    let version = metadata["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let unmarked = tooling.is_none() && text("labels", ID).is_none() && !parent.is_built_in();
    if unmarked && access == Access::Adopt {
        return Ok(Record {
            tooling: Tooling::own(),
            reach: Reach {
                namespaces: parent.namespace.clone().into_iter().collect(),
                ..Reach::default()
            },
            uid,
            version,
            annotations,
        });
    }
    let Some(tooling) = tooling else {
        if unmarked {
            return Err(refuse(
                "it is not marked as a parent yet; --adopt makes it one".to_owned(),
            ));
        }
        return Err(refuse(format!(
            "the object exists, but no tool has made it a parent (annotation {TOOLING}); use another name, so that nothing of it is overwritten"
        )));
    };
    match text("labels", ID) {
        None => {
            return Err(refuse(format!(
                "its label {ID} is missing; if it is this set's parent, add the label with the value {}",
                parent.id()
            )));
        }
        Some(id) if id != parent.id() => {
            return Err(refuse(format!(
                "its label {ID} is {id}, but has to be {}; it may be a copy of another set's parent: delete it or correct the label",
                parent.id()
            )));
        }
        Some(_) => {}
    }
    let kinds = match (kinds, resources) {
        (Some(kinds), _) => parts(kinds).map(GroupKind::parse).collect(),
        (None, Some(resources)) => parts(resources)
            .map(|resource| match catalog.by_resource(resource) {
                Some(known) => Ok(GroupKind::from(&known.resource)),
                None => Err(refuse(format!(
                    "its annotation {RESOURCES} names {resource}, which the cluster does not serve; remove that entry if its objects are gone"
                ))),
            })
            .collect::<Result<_, _>>()?,
        (None, None) if access != Access::Change => catalog.deletable().map(|known| GroupKind::from(&known.resource)).collect(),
        (None, None) => {
            return Err(refuse(format!(
                "its annotation {KINDS} is missing, so nobody knows which kinds the set holds; add it, or let --adopt look at every kind that can be listed"
            )));
        }
    };
    let others = namespaces.as_deref().map(parts).into_iter().flatten();
    Ok(Record {
        tooling: tooling.parse().unwrap_or_else(|never| match never {}),
        reach: Reach {
            kinds,
            namespaces: others
                .map(str::to_owned)
                .chain(parent.namespace.clone())
                .collect(),
        },
        uid,
        version,
        annotations,
    })
}

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::json;

    use super::*;

    fn parent() -> Parent {
        Parent {
            resource: ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret")),
            namespace: Some("test".into()),
            name: "my-set".into(),
        }
    }

    fn catalog() -> Catalog {
        Catalog::of_names(&[
            ("", "v1", "ConfigMap", "configmaps", true),
            ("apps", "v1", "Deployment", "deployments", true),
        ])
    }

    fn object(changes: &[(&str, Value)]) -> Value {
        let mut object = json!({"metadata": {"uid": "u", "resourceVersion": "7",
            "labels": {ID: "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1"},
            "annotations": {TOOLING: "kubectl/v1.35.4", KINDS: "ConfigMap,Deployment.apps", NAMESPACES: "a,b"}}});
        for (pointer, value) in changes {
            let (part, key) = pointer.split_once('|').unwrap();
            if value.is_null() {
                object["metadata"][part]
                    .as_object_mut()
                    .unwrap()
                    .remove(key);
            } else {
                object["metadata"][part][key] = value.clone();
            }
        }
        object
    }

    fn fails(changes: &[(&str, Value)]) -> String {
        record(&parent(), &object(changes), &catalog(), Access::Change)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_sound_parent_is_read() {
        let found = record(&parent(), &object(&[]), &catalog(), Access::Change).unwrap();
        assert_eq!(found.tooling.to_string(), "kubectl/v1.35.4");
        assert_eq!(found.reach.kinds_text(), "ConfigMap,Deployment.apps");
        assert_eq!(found.reach.namespaces_text(None), "a,b,test");
        assert_eq!((found.uid.as_str(), found.version.as_str()), ("u", "7"));
    }

    #[test]
    fn an_empty_set_has_no_kinds_and_only_its_own_namespace() {
        let changes = [
            (
                "annotations|applyset.kubernetes.io/contains-group-kinds",
                json!(""),
            ),
            (
                "annotations|applyset.kubernetes.io/additional-namespaces",
                json!(null),
            ),
        ];
        let found = record(&parent(), &object(&changes), &catalog(), Access::Change).unwrap();
        assert!(found.reach.kinds.is_empty());
        assert_eq!(found.reach.namespaces_text(None), "test");
    }

    #[test]
    fn what_is_no_parent_or_another_one_is_refused() {
        assert!(
            fails(&[("annotations|applyset.kubernetes.io/tooling", json!(null))])
                .contains("no tool has made it a parent")
        );
        assert!(
            fails(&[("labels|applyset.kubernetes.io/id", json!(null))])
                .contains("add the label with the value applyset-0eFH")
        );
        assert!(
            fails(&[("labels|applyset.kubernetes.io/id", json!("applyset-x-v1"))])
                .contains("is applyset-x-v1, but has to be")
        );
    }

    #[test]
    fn kinds_come_from_the_older_annotation_or_from_discovery() {
        let kinds = (
            "annotations|applyset.kubernetes.io/contains-group-kinds",
            json!(null),
        );
        let older = |value| {
            [
                kinds.clone(),
                (
                    "annotations|applyset.kubernetes.io/contains-group-resources",
                    json!(value),
                ),
            ]
        };
        let found = record(
            &parent(),
            &object(&older("configmaps,deployments.apps")),
            &catalog(),
            Access::Change,
        )
        .unwrap();
        assert_eq!(found.reach.kinds_text(), "ConfigMap,Deployment.apps");
        assert!(
            fails(&older("widgets.example.com"))
                .contains("widgets.example.com, which the cluster does not serve")
        );
        assert!(fails(std::slice::from_ref(&kinds)).contains("let --adopt look at every kind"));
        let found = record(&parent(), &object(&[kinds]), &catalog(), Access::Adopt).unwrap();
        assert_eq!(found.reach.kinds.len(), 2);
    }
}
