//! Stage 4: objects become targets. Images are set, every object gets its
//! resource and its namespace, and an object that is given twice is refused.

mod image;
pub(crate) mod template;

use std::collections::{HashMap, hash_map::Entry};

use kube::core::{ApiResource, GroupVersionKind};

pub use self::image::ImageOverride;
use crate::{
    connect::Cluster,
    discover::{Catalog, KnownKind, builtin, definitions},
    object::Object,
    problem::{Problem, Problems},
};

/// An object that is ready to be sent, with the place to send it to.
#[derive(Debug, Clone)]
pub struct Target {
    /// The object as it will be sent, namespace and images included.
    pub object: Object,
    /// The resource that serves it.
    pub resource: ApiResource,
    /// Its namespace; `None` for an object of the cluster.
    pub namespace: Option<String>,
    /// Who defines its kind.
    pub definition: Definition,
    /// The resource that serves the kind already, in other versions than this
    /// one, which only the input defines.
    pub served_as: Option<ApiResource>,
}

impl Target {
    /// The resource that the object can be read from, if there is one yet.
    pub(crate) fn readable(&self) -> Option<&ApiResource> {
        match self.definition {
            Definition::Input => self.served_as.as_ref(),
            Definition::Cluster | Definition::Both => Some(&self.resource),
        }
    }
}

/// Where the definition of a kind comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definition {
    /// The cluster serves it, and the input does not touch it.
    Cluster,
    /// A CRD of the input; the cluster does not serve it yet.
    Input,
    /// A CRD of the input, which may change what the cluster serves.
    Both,
}

/// How an object that names no namespace gets one.
#[derive(Debug, Clone)]
pub struct Namespacing {
    /// The namespace of objects that name none.
    pub default: String,
    /// Whether objects that name another one are refused.
    pub enforce: bool,
}

impl Namespacing {
    /// The cluster's default namespace, not enforced.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        Self {
            default: cluster.namespace.clone(),
            enforce: false,
        }
    }
}

/// What can be checked and changed before any cluster is asked: images are set
/// and objects that are given twice are refused.
///
/// # Errors
/// Duplicate objects, naming both places, and overrides that match no image.
pub fn prepare(
    objects: &mut [Object],
    images: &[ImageOverride],
    namespace: &str,
) -> Result<(), Problems> {
    let mut problems = duplicates(objects, namespace);
    for image in images {
        if objects
            .iter_mut()
            .map(|object| image.apply(object))
            .sum::<usize>()
            == 0
        {
            problems.push(Problem::general(format!(
                "--image {image}: no container of the input has an image with the name `{}`{}",
                image.name,
                image::known_names(objects)
            )));
        }
    }
    Problems(problems).or(())
}

/// Two objects are one if group, kind, namespace and name are the same, whatever
/// version they are written in, and whether the namespace is written or given by -n.
fn duplicates(objects: &[Object], namespace: &str) -> Vec<Problem> {
    let defined = definitions::definitions(objects);
    let mut first: HashMap<_, &Object> = HashMap::with_capacity(objects.len());
    let mut problems = Vec::new();
    for object in objects {
        let namespaced = defined
            .get(&object.gvk())
            .map(|kind| kind.namespaced)
            .or_else(|| builtin::is_namespaced(object.group(), object.kind()));
        let scope = match namespaced {
            Some(false) => "",
            _ => object.namespace().unwrap_or(namespace),
        };
        let identity = (object.group(), object.kind(), scope, object.name());
        match first.entry(identity) {
            Entry::Vacant(entry) => {
                entry.insert(object);
            }
            Entry::Occupied(entry) => {
                problems.push(Problem::at(&object.place, twice(object, entry.get())));
            }
        }
    }
    problems
}

fn twice(object: &Object, earlier: &Object) -> String {
    let version = if object.api_version() == earlier.api_version() {
        String::new()
    } else {
        format!(
            " as {} (here it is {})",
            earlier.api_version(),
            object.api_version()
        )
    };
    format!(
        "{}: the same object is already given at {}{version}; remove one of them",
        object.label(),
        earlier.place
    )
}

/// Finds every object's resource and namespace.
///
/// # Errors
/// Every kind that neither the cluster nor the input knows, and with
/// [`Namespacing::enforce`] every object of another namespace.
pub fn resolve(
    objects: Vec<Object>,
    catalog: &Catalog,
    namespacing: &Namespacing,
) -> Result<Vec<Target>, Problems> {
    let defined = definitions::definitions(&objects);
    let mut problems = Problems::default();
    let mut targets = Vec::with_capacity(objects.len());
    for mut object in objects {
        let gvk = object.gvk();
        let served = catalog.get(&gvk);
        let Some(KnownKind {
            resource,
            namespaced,
            verbs,
            ..
        }) = served.or_else(|| defined.get(&gvk))
        else {
            problems
                .0
                .push(Problem::at(&object.place, unknown(&object, &gvk, catalog)));
            continue;
        };
        if !verbs.is_empty() && !verbs.iter().any(|verb| verb == "patch") {
            let message = format!(
                "{}: the cluster lets nobody apply a {} (only {}); take it out of the input",
                object.label(),
                object.kind(),
                verbs.join(", ")
            );
            problems.0.push(Problem::at(&object.place, message));
            continue;
        }
        if let Err(message) = set_namespace(&mut object, *namespaced, namespacing) {
            problems.0.push(Problem::at(&object.place, message));
            continue;
        }
        let namespace = if *namespaced {
            object.namespace().map(str::to_owned)
        } else {
            None
        };
        let definition = match (served, defined.contains_key(&gvk)) {
            (_, false) => Definition::Cluster,
            (None, true) => Definition::Input,
            (Some(_), true) => Definition::Both,
        };
        let other_version = match definition {
            Definition::Input => catalog.by_group_kind(&gvk.group, &gvk.kind),
            Definition::Cluster | Definition::Both => None,
        };
        targets.push(Target {
            resource: resource.clone(),
            namespace,
            definition,
            served_as: other_version.map(|known| known.resource.clone()),
            object,
        });
    }
    problems.or(targets)
}

/// The same without a cluster, as far as that goes: built-in kinds and kinds
/// that the input defines get the namespace. Gives back whether every kind was known.
pub(crate) fn set_namespaces_offline(
    objects: &mut [Object],
    namespacing: &Namespacing,
) -> Result<bool, Problems> {
    let defined = definitions::definitions(objects);
    let mut problems = Problems::default();
    let mut all_known = true;
    for object in objects {
        let scope = defined.get(&object.gvk()).map(|kind| kind.namespaced);
        let Some(namespaced) =
            scope.or_else(|| builtin::is_namespaced(object.group(), object.kind()))
        else {
            all_known &= object.namespace().is_some();
            continue;
        };
        if let Err(message) = set_namespace(object, namespaced, namespacing) {
            problems.0.push(Problem::at(&object.place, message));
        }
    }
    problems.or(all_known)
}

fn set_namespace(
    object: &mut Object,
    namespaced: bool,
    namespacing: &Namespacing,
) -> Result<(), String> {
    match object.namespace() {
        Some(said) if namespaced && namespacing.enforce && said != namespacing.default => {
            Err(format!(
                "{}: its namespace is `{said}`, but --enforce-namespace allows only `{}`",
                object.label(),
                namespacing.default
            ))
        }
        None if namespaced => {
            object.value["metadata"]["namespace"] = namespacing.default.as_str().into();
            Ok(())
        }
        _ => Ok(()),
    }
}

fn unknown(object: &Object, gvk: &GroupVersionKind, catalog: &Catalog) -> String {
    format!(
        "{}: unknown kind {} of {}: {}",
        object.label(),
        gvk.kind,
        gvk.api_version(),
        catalog.why_missing(gvk)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    fn object(line: usize, value: serde_json::Value) -> Object {
        Object {
            value,
            place: Place {
                file: "m.yaml".into(),
                line,
            },
            document: 0,
        }
    }

    #[test]
    fn the_same_object_twice_names_both_places() {
        let map = |namespace: serde_json::Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace}});
        let mut objects = [
            object(1, map(json!(null))),
            object(9, map(json!("shop"))),
            object(12, map(json!("other"))),
        ];
        let error = prepare(&mut objects, &[], "shop").unwrap_err().to_string();
        assert_eq!(
            error,
            "m.yaml:9: configmap/a: the same object is already given at m.yaml:1; remove one of them"
        );
    }

    #[test]
    fn one_object_in_two_versions_or_scopes_is_one() {
        let hpa = |version: &str| json!({"apiVersion": version, "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}});
        let role = |namespace: serde_json::Value| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a", "namespace": namespace}});
        let mut objects = [
            object(1, hpa("autoscaling/v1")),
            object(5, hpa("autoscaling/v2")),
            object(9, role(json!(null))),
            object(13, role(json!("other"))),
        ];
        let error = prepare(&mut objects, &[], "shop").unwrap_err().to_string();
        assert!(error.contains("m.yaml:5: horizontalpodautoscaler.autoscaling/a: the same object is already given at m.yaml:1 as autoscaling/v1 (here it is autoscaling/v2)"), "{error}");
        assert!(error.contains("m.yaml:13: clusterrole.rbac.authorization.k8s.io/a: the same object is already given at m.yaml:9;"), "{error}");
    }

    #[test]
    fn a_kind_that_the_input_defines_is_known() {
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
                     "versions": [{"name": "v1", "served": true}]}});
        let widget =
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
        let mut objects = [object(1, definition), object(20, widget)];
        let namespacing = Namespacing {
            default: "shop".into(),
            enforce: false,
        };
        assert!(set_namespaces_offline(&mut objects, &namespacing).unwrap());
        assert_eq!(
            (objects[0].namespace(), objects[1].namespace()),
            (None, Some("shop"))
        );
    }

    #[test]
    fn unknown_kinds_are_all_reported() {
        let thing =
            |name| json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": name}});
        let objects = vec![object(1, thing("a")), object(5, thing("b"))];
        let namespacing = Namespacing {
            default: "d".into(),
            enforce: false,
        };
        let error = resolve(objects, &Catalog::default(), &namespacing).unwrap_err();
        assert_eq!(error.0.len(), 2);
        assert!(
            error.0[1]
                .to_string()
                .starts_with("m.yaml:5: thing.x.io/b: unknown kind Thing of x.io/v1")
        );
    }

    #[test]
    fn what_can_only_be_created_cannot_be_applied() {
        let review = json!({"apiVersion": "x.io/v1", "kind": "Review", "metadata": {"name": "r"}});
        let review = object(1, review);
        let known = KnownKind {
            resource: ApiResource::from_gvk(&review.gvk()),
            namespaced: false,
            aliases: Vec::new(),
            verbs: vec!["create".into()],
            subresources: Vec::new(),
        };
        let catalog = Catalog::of([(review.gvk(), known)]);
        let namespacing = Namespacing {
            default: "d".into(),
            enforce: false,
        };
        let error = resolve(vec![review], &catalog, &namespacing).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("lets nobody apply a Review (only create)"),
            "{error}"
        );
    }

    #[test]
    fn another_namespace_is_refused_when_enforced() {
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "b"}});
        let enforce = Namespacing {
            default: "a".into(),
            enforce: true,
        };
        assert!(
            set_namespaces_offline(&mut [object(1, pod)], &enforce)
                .unwrap_err()
                .to_string()
                .contains("allows only `a`")
        );
    }
}
