//! What happens to an object before it is applied again, and what is applied then.

use serde_json::{Map, Value, json};

use crate::{
    choices::Choices,
    server::{MANAGER, Server, as_manifest},
};

/// Fields without which the server would hardly take any object.
const NEEDED: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "spec",
    "selector",
    "template",
    "matchLabels",
    "app",
    "containers",
    "image",
    "ports",
    "port",
    "containerPort",
    "mountPath",
    "restartPolicy",
    "roleRef",
    "rules",
    "verbs",
    "resources",
    "apiGroups",
    "http",
    "paths",
    "path",
    "pathType",
    "backend",
    "service",
    "number",
    "schedule",
    "jobTemplate",
    "scaleTargetRef",
    "maxReplicas",
    "key",
    "topologyKey",
    "maxSkew",
    "whenUnsatisfiable",
    "operator",
    "values",
    "limits",
    "id",
    "volumes",
];

/// The object without some of its fields and list items.
pub(crate) fn thinned(object: &Value, choices: &mut Choices) -> Value {
    let mut thin = thin(object, choices);
    for key in ["apiVersion", "kind"] {
        thin[key] = object[key].clone();
    }
    for key in ["name", "namespace"] {
        thin["metadata"][key] = object["metadata"][key].clone();
    }
    thin
}

fn thin(value: &Value, choices: &mut Choices) -> Value {
    match value {
        Value::Object(object) => {
            let mut kept = Map::new();
            for (key, value) in object {
                let needed = NEEDED.contains(&key.as_str());
                if !choices.once_in(if needed { 400 } else { 6 }) {
                    kept.insert(key.clone(), thin(value, choices));
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => {
            let kept = items.iter().enumerate().filter_map(|(index, item)| {
                let goes = index > 0 && choices.once_in(5);
                (!goes).then(|| thin(item, choices))
            });
            Value::Array(kept.collect())
        }
        value => value.clone(),
    }
}

/// Lets somebody write the object. Whether the server takes it does not matter.
pub(crate) async fn event(server: &Server, base: &Value, choices: &mut Choices) {
    let identity = json!({
        "apiVersion": base["apiVersion"],
        "kind": base["kind"],
        "metadata": {"name": base["metadata"]["name"], "namespace": base["metadata"]["namespace"]},
    });
    let mut labelled = identity.clone();
    labelled["metadata"]["labels"] = json!({"who": "other", "tier": "back"});
    let _ = match choices.below(10) {
        0 => server.apply(&labelled, "other", false).await,
        1 => server.apply(base, "other", false).await,
        2 => {
            server
                .apply(&scalar_changed(base, choices), "other", false)
                .await
        }
        3 => {
            server.apply(base, "other", false).await.ok();
            server.apply(&identity, "other", false).await
        }
        4 => {
            server
                .merge(
                    base,
                    "",
                    &json!({"metadata": {"annotations": {"note": "edited"}}}),
                )
                .await
        }
        5 => server.merge(base, "", &scalar_changed(base, choices)).await,
        6 => {
            server
                .merge(
                    base,
                    "/status",
                    &json!({"status": {"observedGeneration": 1, "phase": "Done"}}),
                )
                .await
        }
        7 => {
            server
                .merge(base, "/scale", &json!({"spec": {"replicas": 4}}))
                .await
        }
        8 => server.apply(&thinned(base, choices), MANAGER, false).await,
        _ => server.apply(&emptied(base, choices), MANAGER, false).await,
    };
}

/// What is applied at last: often the same object again.
pub(crate) fn variant(base: &Value, live: &Value, choices: &mut Choices) -> Value {
    match choices.below(24) {
        0..9 => base.clone(),
        9 => keys_reversed(base),
        10 => {
            let mut object = base.clone();
            object["metadata"]["creationTimestamp"] = Value::Null;
            object["status"] = json!({});
            object
        }
        11 => list_turned(base, choices),
        12 => thinned(base, choices),
        13 | 14 => default_written_out(base, live, choices),
        15 => as_manifest(live),
        16 | 17 => emptied(base, choices),
        18 => scalar_changed(base, choices),
        19 => item_doubled(base, choices),
        20 => respelled(base, choices),
        21 => {
            let mut object = base.clone();
            object["metadata"]["uid"] = live["metadata"]["uid"].clone();
            object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
            object
        }
        22 => with_status(base, live),
        _ => {
            let mut object = base.clone();
            if let Some(parent) = any(&mut object, choices, Value::is_object) {
                parent["unheardOf"] = json!(1);
            }
            object
        }
    }
}

fn keys_reversed(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .rev()
                .map(|(key, value)| (key.clone(), keys_reversed(value)))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(keys_reversed).collect(),
        value => value.clone(),
    }
}

fn list_turned(base: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    if let Some(Value::Array(items)) = any(&mut object, choices, |value| length(value) > 1) {
        items.rotate_left(1);
    }
    object
}

fn item_doubled(base: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    if let Some(Value::Array(items)) = any(&mut object, choices, |value| length(value) > 0) {
        items.push(items[0].clone());
    }
    object
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// A null, an empty object or an empty list in some place.
fn emptied(base: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    let empty = choices.one_of(&[json!(null), json!({}), json!([])]).clone();
    let key = choices.one_of(&[
        "strategy",
        "securityContext",
        "labels",
        "ports",
        "env",
        "data",
    ]);
    let target = if choices.once_in(2) {
        any(&mut object, choices, Value::is_object).map(|parent| &mut parent[*key])
    } else {
        any(&mut object, choices, |value| !value.is_string())
    };
    if let Some(target) = target {
        *target = empty;
    }
    object
}

fn scalar_changed(base: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    object["metadata"]
        .as_object_mut()
        .map(|metadata| metadata.remove("uid"));
    let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    match any(&mut object["spec"], choices, scalar) {
        Some(Value::String(text)) => text.push('1'),
        Some(Value::Bool(flag)) => *flag = !*flag,
        Some(number) => *number = json!(7),
        None => object["metadata"]["labels"]["changed"] = json!("yes"),
    }
    object
}

/// The same value in another way: `0.5` for `500m`, `80.0` for `80`, another type.
fn respelled(base: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    let scalar = |value: &Value| {
        value.is_number()
            || value
                .as_str()
                .is_some_and(|text| text.starts_with(|first: char| first.is_ascii_digit()))
    };
    match any(&mut object, choices, scalar) {
        Some(Value::String(text)) if text == "500m" => "0.5".clone_into(text),
        Some(Value::String(text)) if text == "1000m" => "1".clone_into(text),
        Some(Value::String(text)) if text == "1024Mi" => "1Gi".clone_into(text),
        Some(value) if value.is_string() => *value = json!(2),
        Some(value) => *value = json!(value.as_f64().unwrap_or_default()),
        None => {}
    }
    object
}

/// A field that the object has and the manifest has not.
fn default_written_out(base: &Value, live: &Value, choices: &mut Choices) -> Value {
    let mut object = base.clone();
    let mut missing = Vec::new();
    difference(&object["spec"], &live["spec"], "/spec", &mut missing);
    if !missing.is_empty() {
        let (parent, key, value) = choices.one_of(&missing).clone();
        if let Some(Value::Object(parent)) = object.pointer_mut(&parent) {
            parent.insert(key, value);
        }
    }
    object
}

fn difference(ours: &Value, theirs: &Value, at: &str, found: &mut Vec<(String, String, Value)>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(mine) => difference(mine, value, &format!("{at}/{}", escaped(key)), found),
                    None => found.push((at.to_owned(), key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (index, (mine, value)) in ours.iter().zip(theirs).enumerate() {
                difference(mine, value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn with_status(base: &Value, live: &Value) -> Value {
    let mut object = base.clone();
    object["status"] = live["status"].clone();
    object
}

/// One of the values inside, if there is any such.
fn any<'value>(
    root: &'value mut Value,
    choices: &mut Choices,
    wanted: impl Fn(&Value) -> bool,
) -> Option<&'value mut Value> {
    let mut found = Vec::new();
    pointers(root, String::new(), &wanted, &mut found);
    found.retain(|pointer| {
        !pointer.starts_with("/apiVersion")
            && !pointer.starts_with("/kind")
            && pointer != "/metadata/name"
            && pointer != "/metadata/namespace"
    });
    if found.is_empty() {
        return None;
    }
    root.pointer_mut(choices.one_of::<String>(&found))
}

fn pointers(value: &Value, at: String, wanted: &impl Fn(&Value) -> bool, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                pointers(value, format!("{at}/{}", escaped(key)), wanted, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, format!("{at}/{index}"), wanted, found);
            }
        }
        _ => {}
    }
    if !at.is_empty() && at != "/metadata" && wanted(value) {
        found.push(at);
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
