//! Schemas from the CRDs of the input, for objects of kinds that do not exist yet.

use kube::core::GroupVersionKind;
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Schemas,
    openapi::{Node, Root, compact_definition},
};
use crate::{discover::definitions::is_definition, object::Object};

impl Schemas {
    /// The schemas of all kinds that CRDs among the objects define. A version
    /// whose schema cannot be read has none here.
    #[must_use]
    pub fn of_definitions(objects: &[Object]) -> Self {
        let mut schemas = Self::default();
        for object in objects.iter().filter(|object| is_definition(object)) {
            let spec = &object.value["spec"];
            let versions = spec["versions"].as_array().map(Vec::as_slice);
            for version in versions.unwrap_or_default() {
                schemas.add_version(spec, version);
            }
        }
        schemas
    }

    fn add_version(&mut self, spec: &Value, version: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = GroupVersionKind {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            kind: text(&spec["names"]["kind"]),
        };
        let mut node = match Node::deserialize(&version["schema"]["openAPIV3Schema"]) {
            Ok(node) => node,
            Err(error) => {
                tracing::debug!(?kind, %error, "the schema of a definition cannot be read");
                return;
            }
        };
        let types = compact_definition(&mut node);
        let root = Root {
            kind,
            index: u32::try_from(types.len() - 1).unwrap_or_default(),
            status: version["subresources"]["status"].is_object(),
        };
        self.add(types, vec![root], false);
    }
}

#[cfg(test)]
impl super::Schema {
    /// The schema of a kind that is served with this `openAPIV3Schema` and a status subresource.
    pub(crate) fn sample(schema: &Value) -> Self {
        let value = serde_json::json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "x.io", "names": {"kind": "X"}, "versions": [
                {"name": "v1", "subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}]}});
        let object = Object {
            value,
            place: crate::problem::Place::file("crd.yaml"),
            document: 0,
        };
        let schemas = Schemas::of_definitions(&[object]);
        let kind = GroupVersionKind::gvk("x.io", "v1", "X");
        Self {
            served: true,
            ..schemas.get(&kind).unwrap().clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn what_the_cluster_says_comes_first() {
        let kind = GroupVersionKind::gvk("x.io", "v1", "X");
        let of = |served| Schemas {
            kinds: [(
                kind.clone(),
                Schema {
                    served,
                    ..Schema::sample(&json!({"type": "object"}))
                },
            )]
            .into(),
        };
        assert!(of(true).or(of(false)).get(&kind).unwrap().served);
        assert!(!Schemas::default().or(of(false)).get(&kind).unwrap().served);
    }

    #[test]
    fn a_schema_that_makes_no_sense_is_absent() {
        let value = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "x.io", "names": {"kind": "X"}, "versions": [
                {"name": "v1", "schema": {"openAPIV3Schema": {"properties": 3}}}, {"name": "v2"}]}});
        let object = Object {
            value,
            place: crate::problem::Place::file("crd.yaml"),
            document: 0,
        };
        let schemas = Schemas::of_definitions(&[object]);
        assert!(schemas.kinds.is_empty());
    }
}
