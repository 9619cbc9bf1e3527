//! The paths of `jsonpath:` goals. kubectl's notation is older than RFC 9535 and
//! lets names have dashes and escaped dots, as those of labels have them.

use std::{iter::Peekable, str::Chars};

use jsonpath_rust::{
    parser::{model::JpQuery, parse_json_path},
    query::js_path_process,
};
use serde_json::Value;

/// A path to one or more values of an object.
#[derive(Debug, Clone)]
pub(super) struct Path(Box<JpQuery>);

impl Path {
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let query = parse_json_path(&standard(path)).map_err(|error| {
            let error = error.to_string();
            let first = error
                .lines()
                .find(|line| line.contains("expected"))
                .unwrap_or(&error);
            format!(
                "\"{path}\" is no JSONPath, such as {{.status.phase}}: {}",
                first.trim_start_matches([' ', '='])
            )
        })?;
        Ok(Self(Box::new(query)))
    }

    pub(super) fn values<'live>(&self, live: &'live Value) -> Vec<&'live Value> {
        let found = js_path_process(&self.0, live).unwrap_or_default();
        found
            .into_iter()
            .map(jsonpath_rust::query::QueryRef::val)
            .collect()
    }
}

/// `EXPR=VALUE`: the value begins after the first `=` outside brackets and quotes.
pub(super) fn split_value(path: &str) -> (&str, Option<&str>) {
    let (mut depth, mut quote) = (0_i32, None);
    for (at, char) in path.char_indices() {
        match (quote, char) {
            (Some(open), _) => quote = quote.filter(|_| char != open),
            (None, '"' | '\'') => quote = Some(char),
            (None, '[' | '{' | '(') => depth += 1,
            (None, ']' | '}' | ')') => depth -= 1,
            (None, '=') if depth <= 0 => {
                let value = path[at + 1..].trim_start_matches('=');
                let bare = value
                    .strip_prefix('"')
                    .and_then(|value| value.strip_suffix('"'))
                    .or_else(|| value.strip_prefix('\'')?.strip_suffix('\''));
                return (&path[..at], Some(bare.unwrap_or(value)));
            }
            _ => {}
        }
    }
    (path, None)
}

/// kubectl's `{.metadata.labels.a\.b/c-d}` as RFC 9535 has it:
/// `$.metadata.labels['a.b/c-d']`.
fn standard(path: &str) -> String {
    let bare = path.trim();
    let bare = bare
        .strip_prefix('{')
        .and_then(|bare| bare.strip_suffix('}'))
        .map_or(bare, str::trim);
    if bare == "$" {
        return bare.to_owned();
    }
    let bare = bare.strip_prefix('$').unwrap_or(bare);
    let dot = if bare.starts_with(['.', '[']) {
        ""
    } else {
        "."
    };
    let bare = format!("{dot}{bare}");
    let mut rest = bare.chars().peekable();
    let mut standard = "$".to_owned();
    while let Some(char) = rest.next() {
        match char {
            '[' => bracket(&mut rest, &mut standard),
            '.' => {
                let name = name(&mut rest);
                if is_quotable(&name) {
                    if standard.ends_with('.') {
                        standard.push('.');
                    }
                    standard.extend(["['", &name, "']"]);
                } else {
                    standard.push('.');
                    standard.push_str(&name);
                }
            }
            other => standard.push(other),
        }
    }
    standard
}

/// Copies what is in brackets as it is.
fn bracket(rest: &mut Peekable<Chars<'_>>, into: &mut String) {
    into.push('[');
    let (mut depth, mut quote) = (1, None);
    for char in rest.by_ref() {
        into.push(char);
        match (quote, char) {
            (Some(open), _) => quote = quote.filter(|_| char != open),
            (None, '"' | '\'') => quote = Some(char),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// A member's name, up to the next dot or bracket; `\.` is a dot of the name.
fn name(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(char) = rest.next_if(|char| !matches!(char, '.' | '[')) {
        match char {
            '\\' => name.extend(rest.next()),
            other => name.push(other),
        }
    }
    name
}

/// Whether it is a name as Kubernetes has them, but none that RFC 9535 lets stand after a dot.
fn is_quotable(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let starts_plain = name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    !name.is_empty()
        && name
            .chars()
            .all(|char| is_plain(char) || matches!(char, '-' | '/' | '.'))
        && !(starts_plain && name.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_read_as_kubectl_reads_them() {
        for (kubectl, rfc) in [
            ("{.status.phase}", "$.status.phase"),
            ("{ .status.phase }", "$.status.phase"),
            ("status.phase", "$.status.phase"),
            ("$.status.phase", "$.status.phase"),
            ("{..phase}", "$..phase"),
            ("{..my-phase}", "$..['my-phase']"),
            (
                "{.status.ready-nodes[0].name}",
                "$.status['ready-nodes'][0].name",
            ),
            (
                r"{.metadata.labels.app\.kubernetes\.io/name}",
                "$.metadata.labels['app.kubernetes.io/name']",
            ),
            ("{.data['a.b-c']}", "$.data['a.b-c']"),
            (
                "{.status.conditions[?(@.type==\"A-B\")].status}",
                "$.status.conditions[?(@.type==\"A-B\")].status",
            ),
        ] {
            assert_eq!(standard(kubectl), rfc);
        }
    }

    #[test]
    fn a_label_is_found() {
        let live = json!({"metadata": {"labels": {"app.kubernetes.io/part-of": "shop"}}});
        let path = Path::parse(r"{.metadata.labels.app\.kubernetes\.io/part-of}").unwrap();
        assert_eq!(path.values(&live), ["shop"]);
    }
}
