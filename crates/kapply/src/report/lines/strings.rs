//! Strings that are too long for a line, or have several.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Line, Mark};

/// No line of YAML that is shown is much longer, in characters.
const LONGEST: usize = 240;
/// What is shown before the first difference of two long strings, in characters.
const BEFORE: usize = 40;
/// A diff of long texts stops looking for the shortest answer after this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// The difference of two texts, line by line, under a head such as `key:`.
pub(super) fn by_lines(
    lines: &mut Vec<Line>,
    head: &str,
    before: &str,
    after: &str,
    indent: usize,
    depth: usize,
) {
    let mut push = |mark, depth, text: String| lines.push(Line { mark, depth, text });
    let (old, new) = (indicator(before), indicator(after));
    if old == new {
        push(Mark::Same, depth, format!("{head} {old}"));
    } else {
        push(Mark::Removed, depth, format!("{head} {old}"));
        push(Mark::Added, depth, format!("{head} {new}"));
    }
    // How a text ends is said by its indicator.
    let (before, after) = (body(before), body(after));
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&before, &after);
    for change in diff.iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Equal => Mark::Same,
            ChangeTag::Delete => Mark::Removed,
            ChangeTag::Insert => Mark::Added,
        };
        let line = change.value().trim_end_matches('\n');
        push(mark, depth + 1, " ".repeat(indent) + &cut(&visible(line)));
    }
}

/// As YAML says how a text ends: without a line end, with one, or with several.
fn indicator(text: &str) -> &'static str {
    match text.len() - text.trim_end_matches('\n').len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    }
}

fn body(text: &str) -> String {
    match text.strip_suffix('\n') {
        _ if text.is_empty() => String::new(),
        Some(_) => text.to_owned(),
        None => format!("{text}\n"),
    }
}

/// The text without characters that a terminal would obey.
fn visible(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for char in line.chars() {
        if char.is_control() && char != '\t' {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}", char.escape_default());
        } else {
            text.push(char);
        }
    }
    text
}

/// A line that is too long without its end.
pub(super) fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => {
            let more = line[at..].chars().count();
            format!("{}… ({more} characters more)", &line[..at])
        }
        None => line.to_owned(),
    }
}

/// Two long strings from shortly before their first difference on.
pub(super) fn near_difference(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::String(old), Value::String(new)) = (before, after) else {
        return (before.clone(), after.clone());
    };
    if old.chars().count().max(new.chars().count()) <= LONGEST / 2 {
        return (before.clone(), after.clone());
    }
    let common = old
        .chars()
        .zip(new.chars())
        .take_while(|(old, new)| old == new)
        .count();
    let from = |text: &str| {
        let skipped = common.saturating_sub(BEFORE);
        let rest: String = text.chars().skip(skipped).collect();
        if skipped > 0 {
            format!("…{rest}")
        } else {
            rest
        }
    };
    (from(old).into(), from(new).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::shown;

    #[test]
    fn texts_are_compared_line_by_line() {
        let before = json!({"data": {"conf": "a\nb\nc\nd\ne\n", "end": "x\ny", "esc": "a\nb"}});
        let after = json!({"data": {"conf": "a\nb\nC\nd\ne\nf\n", "end": "x\ny\n", "esc": "a\n\u{1b}[31m"}});
        insta::assert_snapshot!(shown(&before, &after, 1), @r#"
          data:
            conf: |
              a
              b
        -     c
        +     C
              d
              e
        +     f
        -   end: |-
        +   end: |
              x
              y
            esc: |-
              a
        -     b
        +     \u{1b}[31m
        "#);
    }

    #[test]
    fn long_strings_are_shown_where_they_differ() {
        let text = |end: &str| "0123456789".repeat(30) + end;
        let before = json!({"a": text("old"), "b": text("")});
        let after = json!({"a": text("new"), "b": text("")});
        insta::assert_snapshot!(shown(&before, &after, 3), @r#"
        - a: "…0123456789012345678901234567890123456789old"
        + a: "…0123456789012345678901234567890123456789new"
          b: "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345… (65 characters more)
        "#);
    }
}
