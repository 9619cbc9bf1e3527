//! Objects of the input that belong to another set. Applying them would take
//! them out of that set without a word, and its tool would delete or fight them.

use std::collections::BTreeMap;

use super::{ApplySet, Parent, inventory, members::set_of};
use crate::{
    connect::Cluster,
    discover::Catalog,
    plan::{Action, Plan},
    problem::{Problem, Problems},
    resolve::Target,
};

/// An object of the input that another set claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Index of the target.
    pub target: usize,
    /// ID of the set that it belongs to.
    pub id: String,
}

/// The targets whose live objects belong to another set than they would then,
/// or to a set although they would belong to none.
#[must_use]
pub fn claims(targets: &[Target], plan: &Plan) -> Vec<Claim> {
    let claim = |(index, (target, step)): (usize, (&Target, &crate::plan::Step))| {
        // What stays as it is stays in its set.
        if matches!(step.action, Action::Unchanged(_)) {
            return None;
        }
        let id = set_of(&step.live.as_ref()?.value)?;
        (set_of(&target.object.value) != Some(id)).then(|| Claim {
            target: index,
            id: id.to_owned(),
        })
    };
    targets
        .iter()
        .zip(&plan.steps)
        .enumerate()
        .filter_map(claim)
        .collect()
}

/// The claims in words; the sets' parents are looked up for their names.
pub async fn describe(
    cluster: &Cluster,
    catalog: &Catalog,
    targets: &[Target],
    claims: &[Claim],
    set: Option<&ApplySet>,
) -> Problems {
    let mut names: BTreeMap<&str, Option<Parent>> = BTreeMap::new();
    for claim in claims {
        if !names.contains_key(claim.id.as_str()) {
            names.insert(
                &claim.id,
                inventory::find(cluster, catalog, &claim.id).await,
            );
        }
    }
    let problems = claims.iter().map(|claim| {
        let object = &targets[claim.target].object;
        let owner = match names.get(claim.id.as_str()).and_then(Option::as_ref) {
            Some(parent) => format!("the set of {parent}"),
            None => format!("the set {}", claim.id),
        };
        let advice = match set {
            Some(_) => "take it out of this input, or move it over with --adopt=objects",
            None => "give that set's --applyset, or take it out of the set with --adopt=objects",
        };
        Problem::at(
            &object.place,
            format!("{} belongs to {owner}; {advice}", object.label()),
        )
    });
    Problems(problems.collect())
}

#[cfg(test)]
mod tests {
    use kube::core::{ApiResource, GroupVersionKind};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        object::Object,
        plan::{Live, Proof, Step},
        problem::Place,
        resolve::Definition,
        set::marks::PART_OF,
    };

    fn target(set: Option<&str>) -> Target {
        let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": labels(set)}});
        Target {
            object: Object {
                value,
                place: Place::file("a.yaml"),
                document: 0,
            },
            resource: ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap")),
            namespace: Some("shop".into()),
            definition: Definition::Cluster,
            served_as: None,
        }
    }

    fn labels(set: Option<&str>) -> Value {
        set.map_or(Value::Null, |set| json!({PART_OF: set}))
    }

    fn is_claimed(desired: Option<&str>, live: Option<&str>) -> bool {
        let live = Live {
            value: json!({"metadata": {"labels": labels(live)}}),
        };
        let action = Action::Update {
            after: Value::Null,
            overridden: Vec::new(),
        };
        let steps = vec![Step {
            live: Some(live),
            ..Step::of(action)
        }];
        !claims(
            &[target(desired)],
            &Plan {
                steps,
                prunes: Vec::new(),
            },
        )
        .is_empty()
    }

    #[test]
    fn an_object_leaves_its_set_only_when_told() {
        assert!(is_claimed(Some("mine"), Some("theirs")));
        assert!(is_claimed(None, Some("theirs")));
        assert!(!is_claimed(Some("mine"), Some("mine")));
        assert!(!is_claimed(Some("mine"), None));
        assert!(!is_claimed(None, None));
    }

    #[test]
    fn what_stays_as_it_is_is_nobodys_business() {
        let live = Live {
            value: json!({"metadata": {"labels": labels(Some("theirs"))}}),
        };
        let steps = vec![Step {
            live: Some(live),
            ..Step::of(Action::Unchanged(Proof::Server))
        }];
        assert!(
            claims(
                &[target(None)],
                &Plan {
                    steps,
                    prunes: Vec::new()
                }
            )
            .is_empty()
        );
    }
}
