//! YAML text to JSON values, one document at a time, keeping the lines that
//! messages need. Aliases and merge keys are expanded within a budget, so that
//! a small file cannot fill the memory.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag as YamlTag};
use serde_json::{Map, Value};

use super::scalar::{self, Tag};

/// Nesting that no Kubernetes object comes near; deeper input is refused.
const MAX_DEPTH: usize = 128;
/// What aliases may add to one document, in bytes (16 per node plus its text).
const MAX_EXPANSION: usize = 16 << 20;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// The document's value; null if it is empty.
    pub(crate) value: Value,
    /// 1-based line of its first key.
    pub(crate) line: usize,
    /// Lines of the elements of a top-level `items` list, where that is known.
    pub(crate) item_lines: Vec<usize>,
}

/// Why a text is no YAML that can be sent to an API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// 1-based line.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) message: String,
}

type Parsed<T> = Result<T, Malformed>;

/// All documents of a text, empty ones included.
pub(crate) fn documents(text: &str) -> Parsed<Vec<Document>> {
    let mut reader = Reader::new(text);
    let mut documents = Vec::new();
    loop {
        match reader.next()?.0 {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(_) => documents.push(reader.document()?),
            _ => {}
        }
    }
}

struct Reader<'input> {
    parser: Parser<'input, StrInput<'input>>,
    anchors: BTreeMap<usize, Value>,
    expansion_left: usize,
    item_lines: Vec<usize>,
}

impl<'input> Reader<'input> {
    fn new(text: &'input str) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            anchors: BTreeMap::new(),
            expansion_left: MAX_EXPANSION,
            item_lines: Vec::new(),
        }
    }

    fn next(&mut self) -> Parsed<(Event<'input>, Span)> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(malformed(error.marker().line(), error.info())),
            None => Err(malformed(0, "the text ends in the middle of a document")),
        }
    }

    fn document(&mut self) -> Parsed<Document> {
        // Anchors live as long as their document.
        self.anchors.clear();
        self.item_lines.clear();
        self.expansion_left = MAX_EXPANSION;
        let (event, span) = self.next()?;
        let line = span.start.line();
        let value = self.node(event, span, 0)?;
        Ok(Document {
            value,
            line,
            item_lines: std::mem::take(&mut self.item_lines),
        })
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Parsed<Value> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return Err(malformed(
                line,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (anchor, scalar(&text, style, tag.as_deref(), line)?)
            }
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => return self.alias(anchor, line),
            _ => return Err(malformed(line, "a value was expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Parsed<Value> {
        let mut items = Vec::new();
        let mut lines = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            lines.push(span.start.line());
            items.push(self.node(event, span, depth + 1)?);
        }
        if depth == 1 {
            self.item_lines = lines;
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, depth: usize) -> Parsed<Value> {
        let mut map = Map::new();
        // Keys that came by `<<`: a key written out replaces them.
        let mut merged: Vec<String> = Vec::new();
        let mut item_lines = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let line = span.start.line();
            if is_merge_key(&event) {
                let (event, span) = self.next()?;
                let source = self.node(event, span, depth + 1)?;
                merge(&mut map, &mut merged, source, line)?;
                continue;
            }
            let key = self.node(event, span, depth + 1)?;
            let key = scalar::key(&key).map_err(|message| malformed(line, message))?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if depth == 0 && key == "items" {
                item_lines = std::mem::take(&mut self.item_lines);
            }
            let overrides_merge = merged
                .iter()
                .position(|name| *name == key)
                .map(|at| merged.swap_remove(at))
                .is_some();
            if map.contains_key(&key) && !overrides_merge {
                return Err(malformed(
                    line,
                    format!("the key `{key}` is given twice in this mapping; keep one of them"),
                ));
            }
            map.insert(key, value);
        }
        if depth == 0 {
            self.item_lines = item_lines;
        }
        Ok(Value::Object(map))
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Parsed<Value> {
        let Some(value) = self.anchors.get(&anchor) else {
            return Err(malformed(
                line,
                "the alias has no anchor before it in this document",
            ));
        };
        let Some(left) = self.expansion_left.checked_sub(weight(value)) else {
            return Err(malformed(
                line,
                format!(
                    "aliases expand to more than {} MiB; write the values out",
                    MAX_EXPANSION >> 20
                ),
            ));
        };
        self.expansion_left = left;
        Ok(value.clone())
    }
}

/// Adds the mappings of `<<: *a` or `<<: [*a, *b]`; the earlier of two sources wins.
fn merge(
    map: &mut Map<String, Value>,
    merged: &mut Vec<String>,
    source: Value,
    line: usize,
) -> Parsed<()> {
    let sources = match source {
        Value::Array(sources) => sources,
        single => vec![single],
    };
    for source in sources {
        let Value::Object(source) = source else {
            return Err(malformed(
                line,
                "`<<` takes a mapping or a list of mappings",
            ));
        };
        for (key, value) in source {
            if merged.contains(&key) {
                continue;
            }
            if map.contains_key(&key) {
                // go-yaml v2 lets a later `<<` win, the specification the written key.
                return Err(malformed(
                    line,
                    format!(
                        "`<<` also sets `{key}`, which is written above it, and readers disagree on who wins; put `<<` first"
                    ),
                ));
            }
            merged.push(key.clone());
            map.insert(key, value);
        }
    }
    Ok(())
}

fn is_merge_key(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<")
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&YamlTag>, line: usize) -> Parsed<Value> {
    let value = match tag {
        Some(tag) => scalar::resolve_tagged(known_tag(tag), text),
        None if style == ScalarStyle::Plain => scalar::resolve(text),
        None => Ok(Value::String(text.to_owned())),
    };
    value.map_err(|message| malformed(line, message))
}

fn known_tag(tag: &YamlTag) -> Tag {
    if !tag.is_yaml_core_schema() {
        return Tag::Str;
    }
    match tag.suffix.as_str() {
        "bool" => Tag::Bool,
        "int" => Tag::Int,
        "float" => Tag::Float,
        "null" => Tag::Null,
        _ => Tag::Str,
    }
}

fn weight(value: &Value) -> usize {
    16 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| key.len() + weight(value))
            .sum(),
        _ => 0,
    }
}

fn malformed(line: usize, message: impl Into<String>) -> Malformed {
    Malformed {
        line,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;
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
        let found =
            documents("kind: List\nitems:\n- a: 1\n- b:\n  - x\n  - y\n- c: 1\nother: [1, 2]\n")
                .unwrap();
        assert_eq!(found[0].item_lines, [3, 4, 7]);
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
        assert_eq!(
            one("base: &b {p: 1, q: 2}\nother: &o {q: 3, r: 4}\nuse:\n  <<: [*b, *o]\n  p: 9\n")["use"],
            json!({"p": 9, "q": 2, "r": 4})
        );
        assert!(
            refused("b: &b {x: 1}\nu:\n  x: 2\n  <<: *b\n")
                .message
                .contains("put `<<` first")
        );
        assert!(refused("u:\n  <<: 3\n").message.contains("takes a mapping"));
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_line() {
        let error = refused("a: 1\nb:\n  c: 1\n  c: 2\n");
        assert_eq!(error.line, 4);
        assert!(error.message.contains("`c`"), "{}", error.message);
    }

    #[test]
    fn keys_become_strings_as_kubectl_makes_them() {
        assert_eq!(one("y: 1\n8080: 2\n"), json!({"true": 1, "8080": 2}));
        assert!(refused("? [a]\n: 1\n").message.contains("mapping key"));
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
    fn anchors_end_with_their_document() {
        assert!(documents("a: &x 1\n---\nb: *x\n").is_err());
        assert!(documents("a: &x [*x]\n").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(documents(&"[".repeat(5000)).is_err());
        assert!(documents(&format!("{}1{}", "[".repeat(200), "]".repeat(200))).is_err());
    }

    const SEED: &str = "apiVersion: v1\nkind: List\nitems:\n- &a {x: [1, 'two', \"three\"], <<: {y: 0400}}\n- *a\n---\nb: |\n  text\n...\n";

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = documents(&text);
        }

        #[test]
        fn any_yaml_punctuation_is_read_or_refused(text in "[-:?&*!|>'\"%@`{}\\[\\],# \n\tab0~<.]{0,120}") {
            let _ = documents(&text);
        }

        #[test]
        fn any_mutated_manifest_is_read_or_refused(at in 0..SEED.len(), byte in any::<u8>(), cut in 0..SEED.len()) {
            let mut bytes = SEED.as_bytes().to_vec();
            bytes[at] = byte;
            let text = String::from_utf8_lossy(&bytes[..cut.max(at)]).into_owned();
            let _ = documents(&text);
        }
    }
}
