//! Paths as the API server writes them in conflicts, such as
//! `.spec.template.spec.containers[name="nginx"].image`
//! (structured-merge-diff, fieldpath/serialize and path.go).

use serde_json::Value;

/// The value at a path, if the path makes sense and something is there.
pub(crate) fn lookup<'value>(root: &'value Value, path: &str) -> Option<&'value Value> {
    let mut value = root;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = closing(inside)?;
            value = element(value, &inside[..end])?;
            rest = &inside[end + 1..];
        } else {
            let name = rest.strip_prefix('.')?;
            // A field name may hold dots, as in `.metadata.labels.app.kubernetes.io/name`.
            let (found, after) = field(value, name)?;
            value = found;
            rest = after;
        }
    }
    Some(value)
}

/// The longest key of the map with which the path goes on.
fn field<'value, 'path>(
    value: &'value Value,
    path: &'path str,
) -> Option<(&'value Value, &'path str)> {
    let keys = value.as_object()?.iter().filter_map(|(key, value)| {
        let rest = path.strip_prefix(key.as_str())?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some((key.len(), value, rest))
    });
    keys.max_by_key(|(length, ..)| *length)
        .map(|(_, value, rest)| (value, rest))
}

/// The element of a list that `name="nginx"`, `="value"` or `3` means.
fn element<'value>(list: &'value Value, selector: &str) -> Option<&'value Value> {
    let items = list.as_array()?;
    if let Ok(index) = selector.parse::<usize>() {
        return items.get(index);
    }
    let wanted: Vec<(&str, Value)> = split(selector)
        .into_iter()
        .map(|part| {
            let (key, value) = part.split_once('=')?;
            Some((key, serde_json::from_str(value).ok()?))
        })
        .collect::<Option<_>>()?;
    items.iter().find(|item| {
        wanted.iter().all(|(key, value)| match *key {
            "" => *item == value,
            key => item.get(key) == Some(value),
        })
    })
}

/// Where the bracket that was opened is closed, quoted text left aside.
fn closing(text: &str) -> Option<usize> {
    unquoted(text)
        .find(|(_, byte)| *byte == b']')
        .map(|(at, _)| at)
}

/// The parts between commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let mut start = 0;
    let mut parts = Vec::new();
    for (at, _) in unquoted(text).filter(|(_, byte)| *byte == b',') {
        parts.push(&text[start..at]);
        start = at + 1;
    }
    parts.push(&text[start..]);
    parts
}

/// The bytes outside of JSON strings, with their positions.
fn unquoted(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().enumerate().filter(move |(_, byte)| {
        let outside = !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        outside && *byte != b'"'
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_of_conflicts_lead_to_values() {
        let object = json!({
            "metadata": {"labels": {"app": "x", "app.kubernetes.io/name": "web"}, "finalizers": ["a/b"]},
            "spec": {"containers": [{"name": "a]\",", "image": "1"}, {"name": "b", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "p"}]}]}
        });
        for (path, wanted) in [
            (".metadata.labels.app.kubernetes.io/name", json!("web")),
            (".metadata.labels.app", json!("x")),
            (r#".spec.containers[name="a]\","].image"#, json!("1")),
            (
                r#".spec.containers[name="b"].ports[containerPort=80,protocol="TCP"].name"#,
                json!("p"),
            ),
            (r#".metadata.finalizers[="a/b"]"#, json!("a/b")),
            (".spec.containers[1].name", json!("b")),
        ] {
            assert_eq!(lookup(&object, path), Some(&wanted), "{path}");
        }
        for nothing in [
            ".spec.none",
            ".spec.containers[name=\"c\"]",
            ".spec.containers[",
            "x",
        ] {
            assert_eq!(lookup(&object, nothing), None, "{nothing}");
        }
    }
}
