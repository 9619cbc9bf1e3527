//! What is read, and what is refused.

use std::fmt::Write as _;

use serde_json::json;

use super::*;

fn one(text: &str) -> Value {
    let documents = documents(text).unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    documents[0].value.clone()
}

fn refused(text: &str) -> Malformed {
    documents(text).unwrap_err()
}

#[test]
fn documents_know_the_line_of_their_first_key() {
    let text = "# head\n\na: 1\n---\n# note\nb: 2\n---\n---\nc: 3\n";
    let found: Vec<_> = documents(text)
        .unwrap()
        .into_iter()
        .map(|d| (d.line, d.value))
        .collect();
    assert_eq!(found[0], (3, json!({"a": 1})));
    assert_eq!(found[1], (6, json!({"b": 2})));
    assert_eq!(found[2].1, Value::Null);
    assert_eq!(found[3], (9, json!({"c": 3})));
}

#[test]
fn items_know_their_lines() {
    let text = "kind: List\nitems:\n- a: 1\n- b:\n  - x\n  - y\n- c: 1\nother: [1, 2]\n";
    assert_eq!(documents(text).unwrap()[0].item_lines, [3, 4, 7]);
}

#[test]
fn quotes_and_blocks_stay_strings() {
    assert_eq!(
        one("a: \"0400\"\nb: 'yes'\nc: |\n  1\nd: 0400\n"),
        json!({"a": "0400", "b": "yes", "c": "1\n", "d": 256})
    );
}

#[test]
fn merge_keys_give_way_to_written_keys() {
    let text = "base: &b {p: 1, q: 2}\nother: &o {q: 3, r: 4}\nuse:\n  <<: [*b, *o]\n  p: 9\n";
    assert_eq!(one(text)["use"], json!({"p": 9, "q": 2, "r": 4}));
    assert_eq!(one("u:\n  !!merge <<: {x: 1}\n"), json!({"u": {"x": 1}}));
    for text in [
        "b: &b {x: 1}\nu:\n  x: 2\n  <<: *b\n",
        "b: &b {x: 1}\nu:\n  <<: *b\n  <<: {x: 2}\n",
    ] {
        let message = refused(text).message;
        assert!(message.contains("set on line 3 already"), "{message}");
    }
    assert!(refused("u:\n  <<: 3\n").message.contains("takes a mapping"));
}

#[test]
fn duplicate_keys_are_refused_with_both_lines() {
    let error = refused("a: 1\nb:\n  c: 1\n  d: 1\n  c: 2\n");
    assert_eq!(error.line, 5);
    let words = "`c` is given twice in this mapping, first on line 3";
    assert!(error.message.contains(words), "{}", error.message);
}

#[test]
fn keys_are_what_is_written() {
    assert_eq!(
        one("true: 1\n8080: 2\n'y': 3\n1.5: 4\n2001-12-14: 5\n\"\": 6\n"),
        json!({"true": 1, "8080": 2, "y": 3, "1.5": 4, "2001-12-14": 5, "": 6})
    );
    for key in [
        "y",
        "on",
        "0400",
        "0x10",
        "1.10",
        "1e3",
        "1234567.5",
        "123.456789",
        "~",
        ".inf",
        "? [a]\n",
        "9223372036854775808",
    ] {
        let error = refused(&format!("{key}: 1\n"));
        assert!(error.message.contains("quote"), "{key}: {error:?}");
    }
}

#[test]
fn tags_are_read_however_they_are_written() {
    assert_eq!(
        one("a: !!str 5\nb: !<tag:yaml.org,2002:int> 7\nc: !own 5\n"),
        json!({"a": "5", "b": 7, "c": "5"})
    );
    for tagged in [
        "!!binary aGVsbG8=",
        "!!timestamp 2001-12-14",
        "!!int 5.0",
        "!!bool 1",
    ] {
        assert!(documents(&format!("a: {tagged}\n")).is_err(), "{tagged}");
    }
}

#[test]
fn what_readers_disagree_about_is_refused() {
    for (text, line, word) in [
        ("a: 1\n...\nb: 2\n", 3, "write `---`"),
        ("# x\n%YAML 1.2\n---\na: 1\n", 2, "directives"),
        ("a: 1\n...\n%TAG ! x\n---\nb: 1\n", 3, "directives"),
        ("a: x\u{2028}y\n", 1, "\\u2028"),
        ("a: 1\nb: x\u{7}\n", 2, "U+0007"),
        ("a: 1\n---\n\u{feff}b: 1\n", 3, "byte order mark"),
        ("a: \u{ffff}\n", 1, "U+FFFF"),
    ] {
        let error = refused(text);
        assert!(
            error.line == line && error.message.contains(word),
            "{text:?}: {error:?}"
        );
    }
    assert_eq!(one("a: |\n  x\n  %y\n"), json!({"a": "x\n%y\n"}));
}

#[test]
fn billion_laughs_do_not_expand() {
    let mut text = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{previous}]").unwrap();
    }
    assert!(refused(&text).message.contains("aliases expand"));
}

#[test]
fn anchors_in_anchors_do_not_fill_the_memory() {
    let many = "x, ".repeat(20_000);
    let text = format!("{}{many}{}", "&a [".repeat(100), "]".repeat(100));
    assert!(refused(&text).message.contains("aliases expand"));
}

#[test]
fn many_merged_keys_take_no_long_time() {
    let keys: Vec<_> = (0..50_000).map(|number| format!("k{number}: 1")).collect();
    let keys = keys.join(", ");
    let value = one(&format!("b: &b {{{keys}}}\nu: {{<<: *b, {keys}}}\n"));
    assert_eq!(value["u"].as_object().unwrap().len(), 50_000);
}

#[test]
fn anchors_end_with_their_document() {
    assert!(documents("a: &x 1\n---\nb: *x\n").is_err());
    assert!(documents("a: &x [*x]\n").is_err());
}

#[test]
fn depth_is_bounded() {
    assert!(documents(&"[".repeat(5000)).is_err());
    assert!(documents(&format!("{}1{}", "[".repeat(200), "]".repeat(200))).is_err());
}
