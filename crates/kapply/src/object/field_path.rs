//! Field paths as the API server writes them, such as `spec.ports[0].port`,
//! `metadata.labels[app]` or `.spec.containers[name="web"].image`, made JSON pointers.

use serde_json::Value;

/// The pointer of the part of the path that can be followed in the object.
pub(super) fn pointer(object: &Value, path: &str) -> String {
    let mut pointer = String::new();
    let mut at = object;
    for step in steps(path) {
        let token = match at {
            Value::Object(map) if map.contains_key(step) => step.to_owned(),
            Value::Array(items) => {
                let Some(index) = index(items, step) else {
                    break;
                };
                index.to_string()
            }
            _ => break,
        };
        let next = match at {
            Value::Array(items) => token.parse().ok().and_then(|index: usize| items.get(index)),
            other => other.get(&token),
        };
        let Some(next) = next else { break };
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        at = next;
    }
    pointer
}

/// The names between the dots and what stands in brackets.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('.');
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            rest = &inner[end + 1..];
            return Some(&inner[..end]);
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let step = &rest[..end];
        rest = &rest[end..];
        (!step.is_empty()).then_some(step)
    })
}

/// The item that a number means, or the keys of `name="web",protocol="TCP"`.
fn index(items: &[Value], step: &str) -> Option<usize> {
    if let Ok(index) = step.parse() {
        return (index < items.len()).then_some(index);
    }
    items.iter().position(|item| {
        step.split(',').all(|pair| {
            pair.split_once('=').is_some_and(|(key, value)| {
                let value: Value = serde_json::from_str(value).unwrap_or_default();
                !value.is_null() && item[key] == value
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_become_pointers_as_far_as_they_lead() {
        let object = json!({
            "metadata": {"labels": {"a/b": "c"}},
            "spec": {"ports": [{"port": 1}], "containers": [{"name": "x"}, {"name": "web", "n": 5, "image": "i"}]},
        });
        for (path, expected) in [
            ("spec.ports[0].port", "/spec/ports/0/port"),
            (
                ".spec.containers[name=\"web\"].image",
                "/spec/containers/1/image",
            ),
            ("spec.containers[name=\"web\",n=5]", "/spec/containers/1"),
            ("metadata.labels[a/b]", "/metadata/labels/a~1b"),
            ("spec.ports[7].port", "/spec/ports"),
            ("spec.replicas", "/spec"),
            ("status", ""),
            ("", ""),
            ("spec[", "/spec"),
        ] {
            assert_eq!(pointer(&object, path), expected, "{path}");
        }
    }
}
