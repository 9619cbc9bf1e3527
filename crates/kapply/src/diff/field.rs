//! Finding the value that a path of the API server means, such as
//! `.spec.template.spec.containers[name="web"].image` (structured-merge-diff's
//! `fieldpath`). Keys of maps stand in it unquoted, so it is read along the value.

use serde_json::{Deserializer, Value};

/// The value at the path, if it is there.
pub(crate) fn lookup<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(object);
    }
    if let Some(rest) = path.strip_prefix('.') {
        // The longest key first: `a.b` may be one key.
        let mut members: Vec<_> = object
            .as_object()?
            .iter()
            .filter_map(|(key, value)| Some((key, value, rest.strip_prefix(key.as_str())?)))
            .collect();
        members.sort_by_key(|(key, ..)| std::cmp::Reverse(key.len()));
        return members
            .into_iter()
            .find_map(|(_, value, rest)| lookup(value, rest));
    }
    let inner = path.strip_prefix('[')?;
    let items = object.as_array()?;
    if let Some(value) = inner.strip_prefix('=') {
        let (wanted, rest) = json(value)?;
        let item = items.iter().find(|item| **item == wanted)?;
        return lookup(item, rest.strip_prefix(']')?);
    }
    if let Some((index, rest)) = inner.split_once(']')
        && let Ok(index) = index.parse::<usize>()
    {
        return lookup(items.get(index)?, rest);
    }
    let (keys, rest) = keys(inner)?;
    let item = items
        .iter()
        .find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))?;
    lookup(item, rest)
}

/// `name="web",port=80]`, and what follows.
fn keys(mut text: &str) -> Option<(Vec<(&str, Value)>, &str)> {
    let mut keys = Vec::new();
    loop {
        let (key, value) = text.split_once('=')?;
        let (value, rest) = json(value)?;
        keys.push((key, value));
        match rest.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return Some((keys, rest.strip_prefix(']')?)),
        }
    }
}

/// The JSON value at the start of the text, and what follows.
fn json(text: &str) -> Option<(Value, &str)> {
    let mut values = Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, text.get(values.byte_offset()..)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let object = json!({"spec": {"replicas": 3, "ports": [{"port": 80, "protocol": "TCP", "name": "a]b"}],
            "containers": [{"name": "x"}, {"name": "w\"]=", "image": "i:1"}], "args": ["a", "b"]},
            "metadata": {"annotations": {"a": "1", "a.b/c": "2"}, "finalizers": ["f", "g.h/i"]}});
        for (path, value) in [
            (".spec.replicas", json!(3)),
            (".spec.ports[port=80,protocol=\"TCP\"].name", json!("a]b")),
            (".spec.containers[name=\"w\\\"]=\"].image", json!("i:1")),
            (".spec.args[1]", json!("b")),
            (".metadata.annotations.a.b/c", json!("2")),
            (".metadata.finalizers[=\"g.h/i\"]", json!("g.h/i")),
        ] {
            assert_eq!(lookup(&object, path), Some(&value), "{path}");
        }
        for path in [
            ".spec.none",
            ".spec.args[7]",
            ".spec.args[",
            "spec",
            ".spec.ports[port=81].x",
        ] {
            assert_eq!(lookup(&object, path), None, "{path}");
        }
    }
}
