//! Two states of an object as one text: YAML in which every line says whether
//! it stays, comes or goes.

mod excerpt;
mod strings;

use serde_json::Value;

pub(crate) use self::excerpt::{Piece, excerpt};
use super::yaml;
use crate::diff::{Item, List, Node, compare};

/// A line of YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What becomes of it.
    pub(crate) mark: Mark,
    /// How deep it is nested: a line belongs to the nearest one above it that is less deep.
    depth: usize,
    /// The text, indented.
    pub(crate) text: String,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It stays.
    Same,
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// It says that the items of a list change places.
    Moved,
}

/// The lines of both states; at least one of them should be there.
pub(crate) fn lines(before: Option<&Value>, after: Option<&Value>) -> Vec<Line> {
    let mut writer = Writer::default();
    match (before, after) {
        (Some(before), Some(after)) => match compare(before, after, "") {
            Node::Map(members) => writer.members(&members, &[], 0, 0),
            _ => writer.document(Mark::Same, after),
        },
        (Some(before), None) => writer.document(Mark::Removed, before),
        (None, Some(after)) => writer.document(Mark::Added, after),
        (None, None) => {}
    }
    writer.lines
}

#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
}

impl Writer {
    fn document(&mut self, mark: Mark, value: &Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            self.text(mark, 0, &yaml::entry(key, value, 0));
        }
    }

    /// Members of a map, those that identify it first.
    fn members(
        &mut self,
        members: &[(&str, Node<'_>)],
        first: &[&str],
        indent: usize,
        depth: usize,
    ) {
        let identifies = |key: &str| first.contains(&key);
        let (first, rest): (Vec<_>, Vec<_>) = members.iter().partition(|(key, _)| identifies(key));
        for (key, node) in first.into_iter().chain(rest) {
            self.member(key, node, indent, depth);
        }
    }

    fn member(&mut self, key: &str, node: &Node<'_>, indent: usize, depth: usize) {
        let entry = |value: &Value| yaml::entry(key, value, indent);
        let head = || format!("{}{}:", " ".repeat(indent), yaml::plain_key(key));
        match node {
            Node::Same(value) => self.text(Mark::Same, depth, &entry(value)),
            Node::Added(value) => self.text(Mark::Added, depth, &entry(value)),
            Node::Removed(value) => self.text(Mark::Removed, depth, &entry(value)),
            Node::Changed(Value::String(before), Value::String(after))
                if before.contains('\n') || after.contains('\n') =>
            {
                strings::by_lines(&mut self.lines, &head(), before, after, indent + 2, depth);
            }
            Node::Changed(before, after) => {
                let (before, after) = strings::near_difference(before, after);
                self.text(Mark::Removed, depth, &entry(&before));
                self.text(Mark::Added, depth, &entry(&after));
            }
            Node::Map(members) => {
                self.text(Mark::Same, depth, &head());
                self.members(members, &[], indent + 2, depth + 1);
            }
            Node::List(list) => {
                self.text(Mark::Same, depth, &head());
                self.list(list, indent, depth + 1);
            }
        }
    }

    fn list(&mut self, list: &List<'_>, indent: usize, depth: usize) {
        if let Some((was, now)) = &list.moved {
            let (was, now) = (was.join(", "), now.join(", "));
            let text = format!("{}# order: {was} -> {now}", " ".repeat(indent));
            self.text(Mark::Moved, depth, &text);
        }
        for item in &list.items {
            self.item(item, list.keys, indent, depth);
        }
    }

    fn item(&mut self, item: &Item<'_>, keys: &[&str], indent: usize, depth: usize) {
        let start = self.lines.len();
        match &item.node {
            Node::Same(value) => self.text(Mark::Same, depth, &yaml::item(value, indent)),
            Node::Added(value) => self.text(Mark::Added, depth, &yaml::item(value, indent)),
            Node::Removed(value) => self.text(Mark::Removed, depth, &yaml::item(value, indent)),
            Node::Changed(before, after) => {
                let (before, after) = strings::near_difference(before, after);
                self.text(Mark::Removed, depth, &yaml::item(&before, indent));
                self.text(Mark::Added, depth, &yaml::item(&after, indent));
            }
            Node::Map(members) => {
                self.members(members, keys, indent + 2, depth + 1);
                self.dash(start, indent, depth);
            }
            Node::List(list) => {
                self.list(list, indent + 2, depth + 1);
                self.dash(start, indent, depth);
            }
        }
    }

    /// Puts the dash of an item before its first line, as it is and as it will be.
    fn dash(&mut self, start: usize, indent: usize, depth: usize) {
        for gone in [Mark::Added, Mark::Removed] {
            let first = self.lines[start..]
                .iter_mut()
                .find(|line| line.mark != gone && line.mark != Mark::Moved);
            if let Some(line) = first {
                line.text.replace_range(indent..=indent, "-");
                line.depth = depth;
            }
        }
    }

    /// Text of one or more lines, of which the first holds the others.
    fn text(&mut self, mark: Mark, depth: usize, text: &str) {
        for (index, line) in text.lines().enumerate() {
            self.lines.push(Line {
                mark,
                depth: depth + usize::from(index > 0),
                text: strings::cut(line),
            });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::report) fn shown(before: &Value, after: &Value, context: usize) -> String {
        let lines = lines(Some(before), Some(after));
        let shown: Vec<_> = excerpt(&lines, context)
            .iter()
            .map(|piece| match piece {
                Piece::Gap(count) => format!("  … {count}"),
                Piece::Line(line) => {
                    let mark = match line.mark {
                        Mark::Same => ' ',
                        Mark::Added => '+',
                        Mark::Removed => '-',
                        Mark::Moved => '~',
                    };
                    format!("{mark} {}", line.text)
                }
            })
            .collect();
        shown.join("\n")
    }

    #[test]
    fn a_change_deep_inside_shows_where_it_is() {
        let web = |image: &str| {
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "image": image, "name": "web", "ports": [{"containerPort": 80}]})
        };
        let object = |containers: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": containers, "x": 1, "y": 2, "z": 3}}}})
        };
        let before = object(json!([web("a:1"), {"name": "old"}]));
        let after = object(json!([{"name": "proxy"}, web("a:2")]));
        insta::assert_snapshot!(shown(&before, &after, 1), @r#"
          … 10
          spec:
            replicas: 2
            template:
              spec:
                containers:
        +       - name: proxy
                - name: web
          … 4
                    value: "2"
        -         image: a:1
        +         image: a:2
                  ports:
                  - containerPort: 80
        -       - name: old
                x: 1
          … 2
        "#);
    }

    #[test]
    fn order_types_and_first_lines_of_items() {
        let before =
            json!({"args": ["a", "b"], "rules": [{"a": 1, "b": 2}, [1, 2]], "t": {"x": 1}});
        let after = json!({"args": ["b", "a"], "rules": [{"a": 3, "b": 2}, [1, 3]], "t": "text"});
        insta::assert_snapshot!(shown(&before, &after, 9), @r#"
          args:
        ~ # order: "a", "b" -> "b", "a"
          - b
          - a
          rules:
        - - a: 1
        + - a: 3
            b: 2
          - - 1
        -   - 2
        +   - 3
        - t:
        -   x: 1
        + t: text
        "#);
    }
}
