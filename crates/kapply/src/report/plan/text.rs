//! A plan as lines for people.

use std::fmt::Write as _;

use super::{ObjectView, PruneView, View};
use crate::report::{
    conflict,
    lines::{Mark, Piece, excerpt, lines},
    style::Style,
};

/// How a plan is printed.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Lines around each change.
    pub unified: usize,
    /// Colours.
    pub style: Style,
    /// Whether objects stand under a head line for each action, not in the order of the input.
    pub grouped: bool,
}

/// The head lines of groups, in their order.
const GROUPS: [(&str, &str); 4] = [
    ("create", "To create"),
    ("update", "To update"),
    ("recreate", "To recreate"),
    ("blocked", "Blocked"),
];

/// The same for what leaves the set.
const PRUNE_GROUPS: [(&str, &str); 3] = [
    ("delete", "To prune"),
    ("keep", "Kept, although not in the input"),
    ("refused", "Refused to prune"),
];

/// The whole plan: what changes, what blocks, what leaves, and a summary line.
#[must_use]
pub fn plan(view: &View, layout: Layout) -> String {
    let mut text = String::new();
    if layout.grouped {
        for (action, title) in GROUPS {
            let group = view.objects.iter().filter(|object| object.action == action);
            let parts: Vec<_> = group.map(|it| object(it, layout)).collect();
            write_group(&mut text, title, &parts, layout.style);
        }
        for (verdict, title) in PRUNE_GROUPS {
            let group = view.prunes.iter().filter(|prune| prune.verdict == verdict);
            let parts: Vec<_> = group.map(|it| prune(it, layout.style)).collect();
            write_group(&mut text, title, &parts, layout.style);
        }
    } else {
        let changing = view
            .objects
            .iter()
            .filter(|object| object.action != "unchanged" || !object.warnings.is_empty());
        changing.for_each(|it| text.push_str(&object(it, layout)));
        view.prunes
            .iter()
            .for_each(|it| text.push_str(&prune(it, layout.style)));
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", view.summary);
    text
}

fn write_group(text: &mut String, title: &str, parts: &[String], style: Style) {
    if parts.is_empty() {
        return;
    }
    let head = style.strong(format!("{title} ({})", parts.len()));
    let _ = writeln!(text, "{head}");
    for part in parts {
        text.push_str(part);
    }
    text.push('\n');
}

/// One object: a head line, what there is to say, and the lines that change.
fn object(object: &ObjectView, layout: Layout) -> String {
    let style = layout.style;
    let head = |symbol: &str| format!("{symbol} {} {}", object.action, object.subject());
    let head = match object.action {
        "create" => style.added(head("+")),
        "update" => style.changed(head("~")),
        "recreate" => style.changed(head("-/+")),
        "blocked" => style.removed(head("!")),
        _ => head("="),
    };
    let mut text = format!("{head}  {}", style.faint(object.place()));
    text.push_str(match object.checked {
        Some("schema") => "  (checked by its schema only)",
        Some("nobody") => "  (not checked)",
        _ => "",
    });
    text.push('\n');
    let mut say = |line: &str| indented(&mut text, line);
    match &object.reason {
        Some(reason) if object.action == "recreate" => {
            say(&format!("reason: an update is not possible: {reason}"));
        }
        Some(reason) => {
            say(&style.removed(format!("{}: {reason}", object.blocked.unwrap_or("reason"))));
        }
        None => {}
    }
    if !object.conflicts.is_empty() {
        for line in conflict::lines(&object.conflicts) {
            say(&format!("  {line}"));
        }
    }
    for taken in &object.overridden {
        say(&style.changed(format!("takes over: {}", conflict::line(taken))));
    }
    for note in &object.notes {
        say(&format!("note: {note}"));
    }
    for warning in &object.warnings {
        say(&style.changed(format!("warning: {warning}")));
    }
    write_lines(&mut text, object, layout);
    text
}

/// Text of others may have several lines.
fn indented(text: &mut String, line: &str) {
    for line in line.lines() {
        let _ = writeln!(text, "    {line}");
    }
}

fn write_lines(text: &mut String, object: &ObjectView, layout: Layout) {
    if object.after.is_none() || object.before == object.after {
        return;
    }
    let style = layout.style;
    let all = lines(object.before.as_ref(), object.after.as_ref());
    for piece in excerpt(&all, layout.unified) {
        let line = match piece {
            Piece::Gap(count) => style.faint(format!("    … {count} lines")),
            Piece::Line(line) => match line.mark {
                Mark::Same => format!("    {}", line.text),
                Mark::Added => style.added(format!("  + {}", line.text)),
                Mark::Removed => style.removed(format!("  - {}", line.text)),
                Mark::Moved => style.changed(format!("  ~ {}", line.text)),
            },
        };
        let _ = writeln!(text, "{line}");
    }
}

fn prune(prune: &PruneView, style: Style) -> String {
    let subject = prune.subject();
    let head = match prune.verdict {
        "delete" => style.removed(format!("- delete {subject}")),
        "keep" => format!("= keep {subject}"),
        _ => style.removed(format!("! refused to delete {subject}")),
    };
    match &prune.reason {
        Some(reason) => format!("{head}: {reason}\n"),
        None => format!("{head}  {}\n", style.faint("not in the input any more")),
    }
}
