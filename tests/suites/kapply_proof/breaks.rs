//! An object with one thing wrong, or at least odd, in every place.

use serde_json::{Value, json};

/// The object itself, and all that differ from it in one place.
pub(crate) fn all(object: &Value) -> Vec<Value> {
    let mut all = vec![object.clone()];
    for (key, value) in object.as_object().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata"].contains(&key.as_str()) {
            let others = of(value).into_iter().map(|other| with(object, key, other));
            all.extend(others);
            all.push(without(object, key));
        }
    }
    all.push(with(object, "unheardOf", json!(1)));
    let mut labels = object.clone();
    labels["metadata"]["labels"] = json!({"number": 1});
    all.push(labels);
    all
}

fn with(object: &Value, key: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[key] = value;
    object
}

fn without(object: &Value, key: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().map(|object| object.remove(key));
    object
}

/// What may stand in place of a value.
fn of(value: &Value) -> Vec<Value> {
    let mut all: Vec<_> = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("text"),
        json!(0),
        json!(1.5),
        json!(2.0),
        json!(-1),
        json!(70000),
        json!(true),
    ]
    .into_iter()
    .filter(|other| other != value)
    .collect();
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                all.extend(of(inner).into_iter().map(|other| with(value, key, other)));
                all.push(without(value, key));
            }
            all.push(with(value, "unheardOf", json!(1)));
            all.push(with(value, "unheardOf", json!(null)));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for other in of(item) {
                    let mut list = items.clone();
                    list[index] = other;
                    all.push(list.into());
                }
            }
            all.push([&items[..], &items[..1]].concat().into());
        }
        _ => {}
    }
    all
}
