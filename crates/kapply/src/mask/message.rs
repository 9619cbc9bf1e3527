//! Taking values out of texts that others wrote.

use std::collections::HashMap;

use super::{forms::TELLING, placeholder};
use crate::object::Object;

/// In the place of what may be a value that was never met.
const UNKNOWN: &str = "***";
/// A piece of this length of a longer value gives it away: servers cut what they quote.
const PIECE: usize = 8;
/// What stands before a quoted name, as opposed to a quoted value.
const NAMING: [&str; 18] = [
    "binding",
    "container",
    "field",
    "group",
    "group:",
    "key",
    "kind",
    "manager",
    "name",
    "namespace",
    "policy",
    "resource",
    "secret",
    "secrets",
    "Secret",
    "User",
    "version",
    "webhook",
];

/// A value that must not stand in a text.
pub(super) struct Sought {
    pub(super) number: usize,
    pub(super) forms: Vec<String>,
    /// Whether its pieces say nothing, and only the whole is to be hidden.
    pub(super) whole: bool,
}

/// The text with a placeholder wherever one of the values stands, whole in any
/// of its forms or in pieces. A short value only counts where it stands alone.
pub(super) fn scrub(text: &str, values: &[Sought]) -> String {
    if values.is_empty() {
        return text.to_owned();
    }
    let mut marks = vec![0; text.len()];
    let mut forms: Vec<(&str, &Sought)> = values
        .iter()
        .flat_map(|value| value.forms.iter().map(move |form| (form.as_str(), value)))
        .collect();
    // Longest first: a short value may be a part of a longer one.
    forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
    for (form, value) in &forms {
        for (at, _) in text.match_indices(form) {
            if form.len() >= TELLING || stands_alone(text, at, form) {
                mark(&mut marks[at..at + form.len()], value.number);
            }
        }
    }
    let in_pieces = forms.into_iter().filter(|(_, value)| !value.whole);
    let in_pieces: Vec<_> = in_pieces
        .map(|(form, value)| (form, value.number))
        .collect();
    mark_pieces(text, &in_pieces, &mut marks);
    placed(text, &marks)
}

fn mark(marks: &mut [usize], number: usize) {
    for mark in marks.iter_mut().filter(|mark| **mark == 0) {
        *mark = number;
    }
}

fn stands_alone(text: &str, at: usize, form: &str) -> bool {
    let word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    let before = &text[..at];
    // The n of an escaped line end is no part of the word behind it.
    let escape = before.ends_with("\\n") || before.ends_with("\\t");
    (escape || !word(before.chars().next_back())) && !word(text[at + form.len()..].chars().next())
}

fn mark_pieces(text: &str, forms: &[(&str, usize)], marks: &mut [usize]) {
    let mut pieces: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, piece) in text.as_bytes().windows(PIECE).enumerate() {
        if marks[at..at + PIECE].contains(&0) {
            pieces.entry(piece).or_default().push(at);
        }
    }
    if pieces.is_empty() {
        return;
    }
    for (form, number) in forms {
        for piece in form.as_bytes().windows(PIECE) {
            for at in pieces.get(piece).into_iter().flatten() {
                mark(&mut marks[*at..*at + PIECE], *number);
            }
        }
    }
}

/// The text with every marked run replaced.
fn placed(text: &str, marks: &[usize]) -> String {
    let mut placed = String::with_capacity(text.len());
    let mut open = 0;
    for (at, char) in text.char_indices() {
        let number = marks[at..at + char.len_utf8()]
            .iter()
            .copied()
            .find(|mark| *mark != 0)
            .unwrap_or_default();
        if number == 0 {
            placed.push(char);
        } else if number != open {
            placed.push_str(&placeholder(number));
        }
        open = number;
    }
    placed
}

/// Masks every quoted run of a message about a Secret that is not a name which
/// the reader needs to find the spot: the server may know values that the input
/// does not have.
pub(super) fn mask_quoted(object: &Object, message: &str) -> String {
    let mut known = vec![
        "",
        object.name(),
        object.kind(),
        "secrets",
        "data",
        "stringData",
    ];
    known.extend(object.namespace());
    for field in ["data", "stringData"] {
        known.extend(
            object.value[field]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str()),
        );
    }
    let mut masked = String::new();
    let mut rest = message;
    while let Some(start) = rest.find('"') {
        let inside = &rest[start + 1..];
        let end = closing_quote(inside);
        let quoted = &inside[..end];
        let before = rest[..start].trim_end();
        let names = NAMING.contains(&before.rsplit([' ', '(']).next().unwrap_or_default());
        let hidden = quoted.starts_with("<hidden ") && quoted.find('>') == Some(quoted.len() - 1);
        masked.push_str(&rest[..=start]);
        masked.push_str(if known.contains(&quoted) || names || hidden {
            quoted
        } else {
            UNKNOWN
        });
        masked.push('"');
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    masked + rest
}

/// What is wrong with the JSON in a Secret is said with the character at which it shows.
pub(super) fn mask_characters(message: &str) -> String {
    const BEFORE: &str = "invalid character '";
    let mut parts = message.split(BEFORE);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The quoted character may be a quote itself, behind a backslash.
        let mut ends = part.match_indices('\'').map(|(at, _)| at);
        let end = ends.find(|at| *at > 0 && &part[..*at] != "\\");
        masked.push_str(BEFORE);
        masked.push('*');
        masked.push_str(end.map_or("'", |at| &part[at..]));
    }
    masked
}

/// A denial of admission without the reason that a webhook or policy gave
/// (the API server's own words stand before it).
pub(super) fn denial(message: &str) -> Option<&str> {
    ["denied the request", "denied request"]
        .iter()
        .filter_map(|words| Some(message.find(words)? + words.len()))
        .min()
        .map(|end| message[..end].trim_end())
}

/// Where the quoted text ends; its whole length if nothing closes it.
fn closing_quote(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(text: &str, values: &[&str]) -> String {
        let values: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(index, value)| Sought {
                number: index + 1,
                forms: super::super::forms::forms(value.as_bytes(), &[]),
                whole: false,
            })
            .collect();
        scrub(text, &values)
    }

    #[test]
    fn whole_values_and_pieces_go_and_the_rest_stays() {
        assert_eq!(
            scrubbed(
                "v1: expected x, got pass1word-long.",
                &["pass1word-long", "x"]
            ),
            "v1: expected <hidden 2>, got <hidden 1>."
        );
        assert_eq!(
            scrubbed("...|ord-longer-than|...", &["password-longer-than-this"]),
            "...|<hidden 1>|..."
        );
        assert_eq!(
            scrubbed("key ä: äöüäöü!", &["äöüäöü"]),
            "key ä: <hidden 1>!"
        );
        assert_eq!(scrubbed("nothing of it", &["", "4711"]), "nothing of it");
        assert_eq!(scrubbed("v1 1 11", &["1"]), "v1 <hidden 1> 11");
    }
}
