//! A mapping while it is read: no key twice, and merge keys give way to written ones.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Parsed, malformed};

#[derive(Default)]
pub(super) struct Mapping {
    map: Map<String, Value>,
    /// The line of each key, in the map's order.
    lines: Vec<usize>,
    /// Keys that came by `<<`: a key written out replaces them.
    merged: HashSet<String>,
}

impl Mapping {
    pub(super) fn insert(&mut self, key: String, value: Value, line: usize) -> Parsed<()> {
        if self.map.contains_key(&key) {
            if !self.merged.remove(&key) {
                return Err(malformed(
                    line,
                    format!(
                        "the key `{key}` is given twice in this mapping, first on line {}; keep one of them",
                        self.line_of(&key)
                    ),
                ));
            }
        } else {
            self.lines.push(line);
        }
        self.map.insert(key, value);
        Ok(())
    }

    /// Adds the mappings of `<<: *a` or `<<: [*a, *b]`; the earlier of two in one list wins.
    pub(super) fn merge(&mut self, source: Value, line: usize) -> Parsed<()> {
        let sources = match source {
            Value::Array(sources) => sources,
            single => vec![single],
        };
        let mut own = HashSet::new();
        for source in sources {
            let Value::Object(source) = source else {
                return Err(malformed(
                    line,
                    "`<<` takes a mapping or a list of mappings",
                ));
            };
            for (key, value) in source {
                if own.contains(&key) {
                    continue;
                }
                if self.map.contains_key(&key) {
                    // go-yaml lets the later one win, the specification the written key.
                    return Err(malformed(
                        line,
                        format!(
                            "`<<` also sets `{key}`, which is set on line {} already, and readers disagree on who wins; put one `<<` before all other keys",
                            self.line_of(&key)
                        ),
                    ));
                }
                own.insert(key.clone());
                self.lines.push(line);
                self.map.insert(key, value);
            }
        }
        self.merged.extend(own);
        Ok(())
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.map)
    }

    fn line_of(&self, key: &str) -> usize {
        let position = self.map.keys().position(|known| known == key);
        position.map_or(0, |position| self.lines[position])
    }
}
