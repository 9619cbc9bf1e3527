//! From an `OpenAPI` v3 document, or a CRD's `openAPIV3Schema`, to the compact form.

use std::collections::{BTreeMap, HashMap};

use kube::core::GroupVersionKind;
use serde::Deserialize;
use serde_json::Value;

use super::{
    required,
    types::{
        Bounds, DEDUCED, Edge, List, Pattern, Property, Rules, Shape, Type, UNTYPED, without_schema,
    },
};
use crate::discover::builtin;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// A group version as the server describes it.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    paths: HashMap<String, Path>,
    #[serde(default)]
    components: Components,
}

#[derive(Deserialize)]
struct Path {
    patch: Option<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(rename = "x-kubernetes-group-version-kind")]
    kind: Option<KindName>,
}

#[derive(Deserialize, PartialEq, Eq, Hash, Clone)]
struct KindName {
    group: String,
    version: String,
    kind: String,
}

#[derive(Deserialize, Default)]
struct Components {
    #[serde(default)]
    schemas: HashMap<String, Node>,
}

/// A schema of a document, as far as it matters here.
// The flags are the format's.
#[allow(clippy::struct_excessive_bools)]
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Node {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    all_of: Vec<Node>,
    r#type: Option<String>,
    format: Option<String>,
    pub(super) properties: BTreeMap<Box<str>, Node>,
    additional_properties: Option<Additional>,
    items: Option<Box<Node>>,
    default: Option<Value>,
    required: Vec<Box<str>>,
    r#enum: Vec<Value>,
    pattern: Option<String>,
    minimum: Option<f64>,
    exclusive_minimum: bool,
    maximum: Option<f64>,
    exclusive_maximum: bool,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    #[serde(rename = "x-kubernetes-group-version-kind")]
    kinds: Vec<KindName>,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    preserve_unknown: bool,
    #[serde(rename = "x-kubernetes-embedded-resource")]
    embedded: bool,
    #[serde(rename = "x-kubernetes-int-or-string")]
    int_or_string: bool,
    #[serde(rename = "x-kubernetes-map-type")]
    map_type: Option<String>,
    #[serde(rename = "x-kubernetes-list-type")]
    list_type: Option<String>,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    list_keys: Vec<Box<str>>,
    #[serde(rename = "x-kubernetes-patch-strategy")]
    patch_strategy: Option<String>,
    #[serde(rename = "x-kubernetes-patch-merge-key")]
    merge_key: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Additional {
    Allowed(bool),
    Of(Box<Node>),
}

/// A kind's place among the types.
pub(super) struct Root {
    pub(super) kind: GroupVersionKind,
    pub(super) index: u32,
    /// Whether `status` is only written through its own subresource.
    pub(super) status: bool,
}

/// Every kind that the document lets one patch.
pub(super) fn compact(document: &Document) -> (Vec<Type>, Vec<Root>) {
    let mut compiler = Compiler::new(&document.components.schemas);
    let patched = |path: &str| {
        let operation = document.paths.get(path)?.patch.as_ref()?;
        operation.kind.as_ref()
    };
    let mut names: HashMap<&KindName, &str> = HashMap::new();
    for (name, node) in &document.components.schemas {
        names.extend(node.kinds.iter().map(|kind| (kind, name.as_str())));
    }
    let mut roots = Vec::new();
    for path in document
        .paths
        .keys()
        .filter(|path| path.ends_with("/{name}"))
    {
        let Some(kind) = patched(path) else { continue };
        let Some(name) = names.get(kind) else {
            continue;
        };
        roots.push(Root {
            kind: GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind),
            index: compiler.named(name, is_custom(kind, &document.components.schemas[*name])),
            status: patched(&format!("{path}/status")) == Some(kind),
        });
    }
    (compiler.types, roots)
}

/// The types of one version of a CRD, whose index is the last.
pub(super) fn compact_definition(node: &mut Node) -> Vec<Type> {
    for name in ["apiVersion", "kind", "metadata"] {
        // The server puts its own definitions there; what they are does not matter before it does.
        node.properties.insert(name.into(), Node::default());
    }
    let definitions = HashMap::new();
    let mut compiler = Compiler::new(&definitions);
    let root = compiler.describe(node, false, true);
    compiler.types.push(root);
    compiler.types
}

/// Whether the schema is a CRD's. Those the server enforces to the letter,
/// while for its own kinds the code decides, not the document.
fn is_custom(kind: &KindName, node: &Node) -> bool {
    builtin::is_namespaced(&kind.group, &kind.kind).is_none() && is_inline(node)
}

fn is_inline(node: &Node) -> bool {
    let additional = match &node.additional_properties {
        Some(Additional::Of(node)) => Some(node.as_ref()),
        _ => None,
    };
    let target = node.reference.as_deref().map(definition_name);
    target.is_none_or(|name| name == OBJECT_META)
        && (node.all_of.iter())
            .chain(node.properties.values())
            .chain(node.items.as_deref())
            .chain(additional)
            .all(is_inline)
}

fn definition_name(reference: &str) -> &str {
    reference
        .rsplit_once('/')
        .map_or(reference, |(_, name)| name)
}

struct Compiler<'document> {
    definitions: &'document HashMap<String, Node>,
    known: HashMap<&'document str, u32>,
    types: Vec<Type>,
}

impl<'document> Compiler<'document> {
    fn new(definitions: &'document HashMap<String, Node>) -> Self {
        Self {
            definitions,
            known: HashMap::new(),
            types: without_schema(),
        }
    }

    fn named(&mut self, name: &str, enforced: bool) -> u32 {
        if let Some(index) = self.known.get(name) {
            return *index;
        }
        let Some((name, node)) = self.definitions.get_key_value(name) else {
            return UNTYPED;
        };
        let index = self.push(Type::default());
        self.known.insert(name, index);
        let mut described = match name.as_str() {
            RAW_EXTENSION => self.types[UNTYPED as usize].clone(),
            _ => self.describe(node, false, enforced),
        };
        match name.as_str() {
            QUANTITY => described.shape = Shape::Quantity,
            INT_OR_STRING => described.shape = Shape::IntOrString,
            _ => {}
        }
        if !enforced {
            described.required = required::of(name);
        }
        self.types[index as usize] = described;
        index
    }

    fn push(&mut self, of: Type) -> u32 {
        let index = u32::try_from(self.types.len()).unwrap_or(UNTYPED);
        self.types.push(of);
        index
    }

    /// A use of a type: by name, or described on the spot. What is described
    /// on the spot inherits that unknown fields are kept.
    fn edge(&mut self, node: &Node, preserve: bool, enforced: bool) -> Edge {
        let single = match node.all_of.as_slice() {
            [only] => only.reference.as_deref(),
            _ => None,
        };
        if let Some(reference) = node.reference.as_deref().or(single) {
            return Edge {
                to: self.named(definition_name(reference), false),
                atomic: node.map_type.as_deref().map(|said| said == "atomic"),
            };
        }
        let described = self.describe(node, preserve, enforced);
        Edge::to(self.push(described))
    }

    fn describe(&mut self, node: &Node, preserve: bool, enforced: bool) -> Type {
        let preserve = preserve || node.preserve_unknown;
        let mut properties: BTreeMap<_, _> = (node.properties.iter())
            .map(|(name, member)| {
                let edge = self.edge(member, preserve, enforced);
                let default = member.default.clone();
                (name.clone(), Property { edge, default })
            })
            .collect();
        if node.embedded {
            for name in ["apiVersion", "kind", "metadata"] {
                let any = Property {
                    edge: Edge::to(DEDUCED),
                    default: None,
                };
                properties.entry(name.into()).or_insert(any);
            }
        }
        let additional = match &node.additional_properties {
            Some(Additional::Of(node)) => Some(self.edge(node, preserve, enforced)),
            Some(Additional::Allowed(true)) => Some(Edge::to(DEDUCED)),
            None if preserve || node.properties.is_empty() => Some(Edge::to(DEDUCED)),
            Some(Additional::Allowed(false)) | None => None,
        };
        let items = match &node.items {
            Some(items) => self.edge(items, preserve, enforced),
            None => Edge::to(UNTYPED),
        };
        Type {
            shape: node.shape(),
            properties,
            additional,
            items: Some(items),
            list: node.list(),
            atomic: node.map_type.as_deref() == Some("atomic"),
            required: (node.required.iter())
                .filter(|name| enforced && !node.has_default(name))
                .cloned()
                .collect(),
            rules: node.rules(enforced).map(Box::new),
        }
    }
}

impl Node {
    fn has_default(&self, name: &str) -> bool {
        let property = self.properties.get(name);
        property.is_some_and(|property| property.default.is_some())
    }

    fn shape(&self) -> Shape {
        if self.int_or_string || self.format.as_deref() == Some("int-or-string") {
            return Shape::IntOrString;
        }
        match self.r#type.as_deref() {
            Some("object") => Shape::Object,
            Some("array") => Shape::Array,
            Some("string") => Shape::String,
            Some("integer") => Shape::Integer,
            Some("number") => Shape::Number,
            Some("boolean") => Shape::Boolean,
            _ => Shape::Any,
        }
    }

    fn list(&self) -> List {
        let merge_key = self.merge_key.iter().cloned().collect::<Vec<_>>();
        match (self.list_type.as_deref(), self.patch_strategy.as_deref()) {
            (Some("set"), _) => List::Set,
            (Some("map"), _) => List::Map(self.list_keys.clone()),
            (None, Some("merge" | "merge,retainKeys")) if merge_key.is_empty() => List::Set,
            (None, Some("merge" | "merge,retainKeys")) => List::Map(merge_key),
            _ => List::Atomic,
        }
    }

    fn rules(&self, enforced: bool) -> Option<Rules> {
        let mut rules = Rules {
            allowed: self.r#enum.clone(),
            base64: self.r#type.as_deref() == Some("string")
                && self.format.as_deref() == Some("byte"),
            ..Rules::default()
        };
        if enforced {
            rules = Rules {
                pattern: self.pattern.clone().map(Pattern::from),
                minimum: self.minimum,
                above_minimum: self.exclusive_minimum,
                maximum: self.maximum,
                below_maximum: self.exclusive_maximum,
                length: Bounds(self.min_length, self.max_length),
                items: Bounds(self.min_items, self.max_items),
                properties: Bounds(self.min_properties, self.max_properties),
                ..rules
            };
        } else if !rules.allowed.is_empty() {
            // In the server's own kinds an empty string is as good as none.
            rules.allowed.push("".into());
        }
        let says_something = !rules.allowed.is_empty()
            || rules.base64
            || rules.pattern.is_some()
            || rules.minimum.is_some()
            || rules.maximum.is_some()
            || [rules.length, rules.items, rules.properties]
                .iter()
                .any(|bounds| *bounds != Bounds::default());
        says_something.then_some(rules)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_those_that_can_be_patched() {
        let kind = json!([{"group": "apps", "version": "v1", "kind": "Deployment"}]);
        let patch = json!({"patch": {"x-kubernetes-group-version-kind": kind[0]}});
        let document = json!({
            "paths": {"/d/{name}": patch, "/d/{name}/status": patch, "/d": {"get": {}}},
            "components": {"schemas": {
                "Deployment": {"x-kubernetes-group-version-kind": kind, "type": "object", "properties": {
                    "spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/Spec"}], "x-kubernetes-map-type": "atomic"},
                    "ports": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"}}},
                "Spec": {"type": "object", "required": ["a"], "properties": {"again": {"$ref": "#/components/schemas/Spec"}}},
                "Other": {"x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "DeleteOptions"}]}}}});
        let document: Document = serde_json::from_value(document).unwrap();
        let (types, roots) = compact(&document);
        assert_eq!(roots.len(), 1);
        assert!(roots[0].status);
        let root = &types[roots[0].index as usize];
        let (spec, _) = root.member("spec").unwrap();
        assert_eq!(spec.atomic, Some(true));
        let spec = &types[spec.to as usize];
        // A kind may contain itself; what such a document calls required is not enforced.
        assert_eq!(
            spec.properties["again"].edge.to,
            root.properties["spec"].edge.to
        );
        assert!(spec.required.is_empty() && spec.additional.is_none());
        let (ports, _) = root.member("ports").unwrap();
        assert_eq!(types[ports.to as usize].list, List::Set);
    }
}
