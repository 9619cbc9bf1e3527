//! YAML text to JSON values, one document at a time, keeping the lines that
//! messages need. Aliases and merge keys are expanded within a budget, so that
//! a small file cannot fill the memory.

mod characters;
mod mapping;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag as YamlTag};
use serde_json::Value;

use self::mapping::Mapping;
use super::scalar::{self, Tag};

/// Nesting that no Kubernetes object comes near; deeper input is refused.
const MAX_DEPTH: usize = 128;
/// What anchors may keep and aliases may add in one file, in bytes (about 64 per node plus its text).
const MAX_EXPANSION: usize = 32 << 20;

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
    characters::check(text)?;
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        expansion_left: MAX_EXPANSION,
        item_lines: Vec::new(),
    };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            // kubectl takes the text up to the next `---` for one document and drops the rest.
            (Event::DocumentStart(false), span) if !documents.is_empty() => {
                return Err(malformed(
                    span.start.line(),
                    "a document starts here without `---` before it, and kubectl would ignore it; write `---`",
                ));
            }
            (Event::DocumentStart(_), _) => documents.push(reader.document()?),
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
        let (event, span) = self.next()?;
        let line = span.start.line();
        let value = self.node(event, line, 0)?;
        Ok(Document {
            value,
            line,
            item_lines: std::mem::take(&mut self.item_lines),
        })
    }

    fn node(&mut self, event: Event<'input>, line: usize, depth: usize) -> Parsed<Value> {
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
            self.spend(&value, line)?;
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
            let line = span.start.line();
            if depth == 1 {
                lines.push(line);
            }
            items.push(self.node(event, line, depth + 1)?);
        }
        if depth == 1 {
            self.item_lines = lines;
        }
        Ok(Value::Array(items))
    }

    fn mapping(&mut self, depth: usize) -> Parsed<Value> {
        let mut mapping = Mapping::default();
        let mut item_lines = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let line = span.start.line();
            let key = if is_merge_key(&event) {
                None
            } else {
                Some(self.key(event, line, depth)?)
            };
            let (event, span) = self.next()?;
            let value = self.node(event, span.start.line(), depth + 1)?;
            let Some(key) = key else {
                mapping.merge(value, line)?;
                continue;
            };
            if depth == 0 && key == "items" {
                item_lines = std::mem::take(&mut self.item_lines);
            }
            mapping.insert(key, value, line)?;
        }
        if depth == 0 {
            self.item_lines = item_lines;
        }
        Ok(mapping.into_value())
    }

    /// A key is the text that was written. Where kubectl would make another key
    /// of it (`on` is "true", `0400` is "256"), no reader is followed.
    fn key(&mut self, event: Event<'input>, line: usize, depth: usize) -> Parsed<String> {
        let written = match &event {
            Event::Scalar(text, ScalarStyle::Plain, ..) => Some(text.clone().into_owned()),
            _ => None,
        };
        let key = self.node(event, line, depth + 1)?;
        scalar::key(key, written.as_deref()).map_err(|message| malformed(line, message))
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Parsed<Value> {
        let Some(value) = self.anchors.remove(&anchor) else {
            return Err(malformed(
                line,
                "the alias has no anchor before it in this document",
            ));
        };
        self.spend(&value, line)?;
        self.anchors.insert(anchor, value.clone());
        Ok(value)
    }

    fn spend(&mut self, value: &Value, line: usize) -> Parsed<()> {
        let Some(left) = self.expansion_left.checked_sub(weight(value)) else {
            return Err(malformed(
                line,
                format!(
                    "anchors and aliases expand to more than {} MiB; write the values out",
                    MAX_EXPANSION >> 20
                ),
            ));
        };
        self.expansion_left = left;
        Ok(())
    }
}

fn is_merge_key(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, style, _, None) => text == "<<" && *style == ScalarStyle::Plain,
        Event::Scalar(_, _, _, Some(tag)) => core_tag(tag) == Some("merge"),
        _ => false,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&YamlTag>, line: usize) -> Parsed<Value> {
    let value = match tag.map(core_tag) {
        None if style == ScalarStyle::Plain => scalar::resolve(text),
        None | Some(None | Some("str")) => Ok(Value::String(text.to_owned())),
        Some(Some("bool")) => scalar::resolve_tagged(Tag::Bool, text),
        Some(Some("int")) => scalar::resolve_tagged(Tag::Int, text),
        Some(Some("float")) => scalar::resolve_tagged(Tag::Float, text),
        Some(Some("null")) => scalar::resolve_tagged(Tag::Null, text),
        Some(Some(other)) => Err(format!(
            "the tag !!{other} changes what is sent, and not every reader knows it; write the value itself as a string"
        )),
    };
    value.map_err(|message| malformed(line, message))
}

/// The name of a tag of the YAML specification, however it is written; an
/// unknown tag keeps the text, as go-yaml does.
fn core_tag(tag: &YamlTag) -> Option<&str> {
    const PREFIX: &str = "tag:yaml.org,2002:";
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    tag.suffix
        .strip_prefix(PREFIX)
        .filter(|_| tag.handle.is_empty())
}

fn weight(value: &Value) -> usize {
    64 + match value {
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
