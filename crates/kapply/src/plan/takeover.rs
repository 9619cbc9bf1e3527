//! What a plan shows for an object that kubectl applied client-side. The server
//! cannot dry-run two patches in a row, so what goes away with the takeover is
//! worked out here; what the server then fills in again it tells by itself.

use std::collections::BTreeSet;

use kube::{
    api::{Patch, PatchParams},
    core::Request as ApiRequest,
};
use serde_json::{Map, Value};

use super::{
    Live,
    merge::{merge, position},
    planner::Planner,
};
use crate::{
    connect::Retry,
    fields::{self, FieldSet, PathElement},
    live, migrate,
    resolve::Target,
    schema::Schema,
};

/// The managers whose fields become ours, and which fields go.
#[derive(Debug)]
pub(super) struct Takeover {
    predecessors: BTreeSet<String>,
    /// Fields that only they own, and that the input does not have.
    lost: FieldSet,
    /// Fields that the input has, or others own.
    kept: FieldSet,
}

impl Takeover {
    /// The takeover of an object, if there is one to be made.
    pub(super) fn of(
        live: &Value,
        desired: &Value,
        schema: Option<&Schema>,
        manager: &str,
    ) -> Option<Self> {
        migrate::migration(live, manager)?;
        let entries = live["metadata"]["managedFields"].as_array()?;
        let predecessors: BTreeSet<_> = migrate::client_side(entries).into_iter().collect();
        let is_theirs = |entry: &&Value| {
            entry["operation"] == "Update"
                && entry["manager"]
                    .as_str()
                    .is_some_and(|name| predecessors.contains(name))
        };
        let (theirs, others): (Vec<_>, Vec<_>) = entries.iter().partition(is_theirs);
        let union = |entries: &[&Value]| {
            entries
                .iter()
                .filter_map(|entry| FieldSet::parse(&entry["fieldsV1"]).ok())
                .fold(FieldSet::default(), |all, more| all.union(&more))
        };
        let others: Vec<_> = others
            .into_iter()
            .filter(|entry| entry["manager"] != manager || entry["operation"] != "Apply")
            .collect();
        // Without a claim nobody knows what goes; then nothing is shown to go.
        let claim = schema.and_then(|schema| fields::claim(desired, schema).ok());
        let kept = claim.map(|claim| claim.union(&union(&others)).union(&turned_into(desired)));
        let lost = kept.as_ref().map(|kept| union(&theirs).difference(kept));
        Some(Self {
            predecessors,
            lost: lost.unwrap_or_default(),
            kept: kept.unwrap_or_default(),
        })
    }

    /// Whether a conflict with this manager goes away with the takeover.
    pub(super) fn includes(&self, manager: &str) -> bool {
        self.predecessors.contains(manager)
    }

    /// What `merged`, the object with the input's fields in it, comes to. If the
    /// server does not tell, it lacks what would be filled in again.
    pub(super) async fn outcome(
        &self,
        planner: &Planner<'_>,
        target: &Target,
        before: &Live,
        mut merged: Value,
    ) -> Value {
        take_away(&mut merged, &self.lost, &self.kept);
        match rehearse(planner, target, before, &merged).await {
            Ok(after) => after,
            Err(reason) => {
                tracing::debug!(object = %target.object.label(), reason, "not filled in");
                merged
            }
        }
    }

    /// The same where the server refuses the input's fields beside those that go.
    ///
    /// # Errors
    /// What the server has against it even so.
    pub(super) async fn outcome_alone(
        &self,
        planner: &Planner<'_>,
        target: &Target,
        before: &Live,
    ) -> Result<Value, String> {
        let mut merged = before.value.clone();
        take_away(&mut merged, &self.lost, &self.kept);
        let schema = planner.schemas.get(&target.object.gvk());
        merge(&mut merged, &target.object.value, schema);
        rehearse(planner, target, before, &merged).await
    }
}

/// The fields of `data` that the server makes of a Secret's `stringData`.
fn turned_into(desired: &Value) -> FieldSet {
    let mut data = FieldSet::default();
    if desired["kind"] == "Secret" {
        for name in desired["stringData"].as_object().into_iter().flatten() {
            data.insert(&["data", name.0].map(|name| PathElement::Field(name.into())));
        }
    }
    data
}

/// The live object as the server would store it after a change to `wanted`.
async fn rehearse(
    planner: &Planner<'_>,
    target: &Target,
    before: &Live,
    wanted: &Value,
) -> Result<Value, String> {
    let params = PatchParams {
        dry_run: true,
        field_manager: Some(planner.options.field_manager.clone()),
        ..PatchParams::default()
    };
    // For whatever version there is by now: controllers write the status all the time.
    let patch = merge_patch(&written(&before.value), &written(wanted));
    let collection = live::collection(&target.resource, target.namespace.as_deref());
    let request = ApiRequest::new(collection)
        .patch(target.object.name(), &params, &Patch::Merge(&patch))
        .map_err(|error| error.to_string())?;
    let reply = planner.cluster.send(&request, Retry::Transient).await;
    let reply = reply.map_err(|error| {
        let text = error.to_string();
        let mask = &planner.cluster.mask;
        mask.message(&target.object, Some(before), &text)
    })?;
    serde_json::from_slice(&reply.body).map_err(|error| error.to_string())
}

/// What of an object somebody else than the server writes.
fn written(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(root) = object.as_object_mut() {
        root.shift_remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("managedFields");
        metadata.shift_remove("resourceVersion");
    }
    object
}

/// The JSON merge patch (RFC 7396) that makes the one the other.
fn merge_patch(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return to.clone();
    };
    let mut patch = Map::new();
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in to {
        let before = from.get(name);
        if before != Some(value) {
            let value = merge_patch(before.unwrap_or(&Value::Null), value);
            patch.insert(name.clone(), value);
        }
    }
    Value::Object(patch)
}

/// Takes away what is lost. What holds something that is kept only loses the
/// rest: an owner of a map's keys keeps the map.
fn take_away(value: &mut Value, lost: &FieldSet, kept: &FieldSet) {
    for node in &lost.nodes {
        let kept = kept.below(&node.element);
        if node.member && kept.is_none() {
            remove(value, &node.element);
        } else if let Some(inner) = step(value, &node.element) {
            take_away(inner, &node.children, kept.unwrap_or(&FieldSet::default()));
        }
    }
}

fn remove(value: &mut Value, element: &PathElement) {
    match (value, element) {
        (Value::Object(map), PathElement::Field(name)) => drop(map.shift_remove(&**name)),
        (Value::Array(items), element) => {
            if let Some(index) = position(items, element) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn step<'value>(value: &'value mut Value, element: &PathElement) -> Option<&'value mut Value> {
    match (value, element) {
        (Value::Object(map), PathElement::Field(name)) => map.get_mut(&**name),
        (Value::Array(items), element) => {
            let index = position(items, element)?;
            items.get_mut(index)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: &Value) -> FieldSet {
        FieldSet::parse(value).unwrap()
    }

    #[test]
    fn what_holds_something_that_is_kept_stays() {
        let mut object = json!({"data": {"a": "1", "b": "2"}, "other": {"c": "3"},
            "list": [{"name": "x", "image": "i", "pull": "p"}, {"name": "y"}, {"name": "z"}]});
        let theirs = set(
            &json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:other": {".": {}, "f:c": {}},
            "f:list": {".": {}, "k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:image": {}, "f:pull": {}},
                "k:{\"name\":\"y\"}": {".": {}, "f:name": {}}}}),
        );
        let kept = set(&json!({"f:data": {"f:a": {}}, "f:list":
            {"k:{\"name\":\"x\"}": {".": {}, "f:name": {}, "f:image": {}}}}));
        take_away(&mut object, &theirs.difference(&kept), &kept);
        assert_eq!(
            object,
            json!({"data": {"a": "1"}, "list": [{"name": "x", "image": "i"}, {"name": "z"}]})
        );
    }

    #[test]
    fn what_becomes_data_is_kept() {
        let secret = json!({"kind": "Secret", "stringData": {"a": "1"}, "data": {"b": "Mg=="}});
        assert_eq!(turned_into(&secret), set(&json!({"f:data": {"f:a": {}}})));
    }

    #[test]
    fn a_patch_says_what_comes_and_what_goes() {
        let from = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "same": {"x": 1}});
        let to = json!({"a": {"b": 3, "d": {"e": 4}}, "list": [2], "same": {"x": 1}});
        assert_eq!(
            merge_patch(&from, &to),
            json!({"a": {"b": 3, "c": null, "d": {"e": 4}}, "list": [2]})
        );
    }
}
