//! Where a field stands: the line of what a JSON pointer names, found by
//! reading the object's text once more. That costs nothing until a message
//! needs it.

use saphyr_parser::{Event, Parser, Span, StrInput};

use crate::problem::Place;

/// The line of the field, or of the nearest field around it that is written
/// there; the object's own line if even that cannot be found.
pub(crate) fn field(object: &Place, pointer: &str) -> Place {
    let line = text_from(object.file.bytes(), object.line)
        .and_then(|text| relative_line(text, pointer))
        .map_or(object.line, |line| object.line + line - 1);
    Place {
        file: object.file.clone(),
        line,
    }
}

/// The text from a 1-based line on.
fn text_from(bytes: &[u8], line: usize) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split_inclusive('\n');
    let skipped: usize = lines
        .by_ref()
        .take(line.checked_sub(1)?)
        .map(str::len)
        .sum();
    let rest = &text[skipped..];
    Some(rest.strip_prefix('\u{feff}').unwrap_or(rest))
}

fn relative_line(text: &str, pointer: &str) -> Option<usize> {
    let mut events = Events(Parser::new_from_str(text));
    let (mut event, span) = events.first_node()?;
    let mut line = span.start.line();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let Some((next, found)) = events.child(&event, &token) else {
            break;
        };
        (event, line) = (next, found);
    }
    Some(line)
}

struct Events<'input>(Parser<'input, StrInput<'input>>);

impl<'input> Events<'input> {
    fn next(&mut self) -> Option<(Event<'input>, Span)> {
        self.0.next_event()?.ok()
    }

    /// The object's own node. Where it is an item of a list, its line starts
    /// with a dash, and it is the first item of what is read.
    fn first_node(&mut self) -> Option<(Event<'input>, Span)> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::SequenceStart(..) => {}
                _ => return Some((event, span)),
            }
        }
    }

    /// The value that `token` names in the collection that has just begun, and its line.
    fn child(&mut self, collection: &Event<'_>, token: &str) -> Option<(Event<'input>, usize)> {
        match collection {
            Event::MappingStart(..) => loop {
                let (key, key_span) = self.next()?;
                let is_it = match &key {
                    Event::MappingEnd => return None,
                    Event::Scalar(text, ..) => text == token,
                    _ => false,
                };
                self.skip_rest(&key)?;
                let (value, _) = self.next()?;
                if is_it {
                    return Some((value, key_span.start.line()));
                }
                self.skip_rest(&value)?;
            },
            Event::SequenceStart(..) => {
                let mut left: usize = token.parse().ok()?;
                loop {
                    let (item, span) = self.next()?;
                    if matches!(item, Event::SequenceEnd) {
                        return None;
                    }
                    if left == 0 {
                        return Some((item, span.start.line()));
                    }
                    left -= 1;
                    self.skip_rest(&item)?;
                }
            }
            _ => None,
        }
    }

    /// Reads to the end of the node that has just begun.
    fn skip_rest(&mut self, node: &Event<'_>) -> Option<()> {
        let mut depth = usize::from(is_start(node));
        while depth > 0 {
            let (event, _) = self.next()?;
            if is_start(&event) {
                depth += 1;
            } else if matches!(event, Event::MappingEnd | Event::SequenceEnd) {
                depth -= 1;
            }
        }
        Some(())
    }
}

fn is_start(event: &Event<'_>) -> bool {
    matches!(event, Event::MappingStart(..) | Event::SequenceStart(..))
}

#[cfg(test)]
mod tests {
    use crate::{decode::decode, problem::File};

    #[test]
    fn fields_are_found_in_documents_lists_and_json() {
        let text = "\
# head
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    a/b: c
spec:
  template:
    spec:
      containers:
      - name: one
        image: a
      - name: two
        image: b
---
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: p}}
- apiVersion: v1
  kind: Service
  metadata: {name: s}
  spec:
    ports:
    - port: 1
";
        let json =
            "\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\":\n  {\"name\": \"p\"}}\n";
        let files = [
            File::read("m.yaml", text.into()),
            File::read("m.json", json.into()),
        ];
        let objects = decode(&files).unwrap();
        for (object, pointer, line) in [
            (0, "", 3),
            (0, "/metadata/labels/a~1b", 8),
            (0, "/spec/template/spec/containers/1/image", 16),
            (0, "/spec/template/spec/containers/1", 15),
            (0, "/spec/template/spec/containers/7/image", 12),
            (0, "/spec/replicas", 9),
            (0, "/status", 3),
            (1, "/metadata/name", 20),
            (2, "/spec/ports/0/port", 26),
            (3, "/metadata/name", 4),
        ] {
            let place = objects[object].place_of(pointer);
            assert_eq!(place.line, line, "{pointer} of object {object}");
        }
    }
}
