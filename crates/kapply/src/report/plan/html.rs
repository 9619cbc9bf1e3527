//! A plan as one HTML page that needs nothing else: no request leaves it.

use minijinja::{Environment, context, value::Serde};
use serde::Serialize;

use super::{ObjectView, PruneView, View};
use crate::report::{
    conflict,
    lines::{Mark, Piece, excerpt, lines},
};

/// The page's template; the name's ending turns escaping on.
const NAME: &str = "plan.html";
const TEMPLATE: &str = include_str!("page.html");

/// What the page says above the objects.
#[derive(Debug, Clone, Copy)]
pub struct Head<'run> {
    /// Base URL of the API server.
    pub cluster: &'run str,
    /// When the plan was made.
    pub time: jiff::Timestamp,
    /// Lines around each change.
    pub unified: usize,
}

/// An object as the template has it.
#[derive(Serialize)]
struct Entry {
    action: &'static str,
    subject: String,
    place: String,
    checked: Option<&'static str>,
    blocked: Option<&'static str>,
    reason: Option<String>,
    /// Conflicts, notes and warnings, each with its class.
    remarks: Vec<(&'static str, String)>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    class: &'static str,
    symbol: &'static str,
    text: String,
}

/// The page.
///
/// # Panics
/// When the template and its values do not fit; a defect that no plan can cause.
#[must_use]
pub fn page(view: &View, head: Head<'_>) -> String {
    let mut environment = Environment::new();
    let objects: Vec<_> = view
        .objects
        .iter()
        .filter(|object| object.action != "unchanged")
        .map(|object| entry(object, head.unified))
        .collect();
    let unchanged: Vec<_> = view
        .objects
        .iter()
        .filter(|object| object.action == "unchanged")
        .map(|object| (object.subject(), object.place()))
        .collect();
    let values = context! {
        cluster => head.cluster,
        time => head.time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        summary => view.summary.to_string(),
        objects => Serde(objects),
        prunes => Serde(view.prunes.iter().map(prune).collect::<Vec<_>>()),
        unchanged => Serde(unchanged),
    };
    environment
        .add_template(NAME, TEMPLATE)
        .and_then(|()| environment.get_template(NAME)?.render(values))
        .expect("the template is part of this program and fits its values")
}

fn entry(object: &ObjectView, unified: usize) -> Entry {
    let mut remarks = Vec::new();
    if !object.conflicts.is_empty() {
        let lines = conflict::lines(&object.conflicts);
        remarks.extend(lines.into_iter().map(|line| ("conflict", line)));
    }
    let taken = object.overridden.iter().map(conflict::line);
    remarks.extend(taken.map(|line| ("warning", format!("takes over: {line}"))));
    remarks.extend(object.notes.iter().map(|note| ("note", note.clone())));
    let warnings = object.warnings.iter();
    remarks.extend(warnings.map(|text| ("warning", format!("warning: {text}"))));
    Entry {
        action: object.action,
        subject: object.subject(),
        place: object.place(),
        checked: object.checked.filter(|checked| *checked != "server"),
        blocked: object.blocked,
        reason: object.reason.clone(),
        remarks,
        rows: rows(object, unified),
    }
}

fn rows(object: &ObjectView, unified: usize) -> Vec<Row> {
    if object.before == object.after {
        return Vec::new();
    }
    let all = lines(object.before.as_ref(), object.after.as_ref());
    let row = |piece: &Piece<'_>| {
        let (class, symbol, text) = match piece {
            Piece::Gap(count) => ("gap", "", format!("… {count} lines")),
            Piece::Line(line) => {
                let (class, symbol) = match line.mark {
                    Mark::Same => ("same", ""),
                    Mark::Added => ("added", "+"),
                    Mark::Removed => ("removed", "-"),
                    Mark::Moved => ("moved", "~"),
                };
                (class, symbol, line.text.clone())
            }
        };
        Row {
            class,
            symbol,
            text,
        }
    };
    excerpt(&all, unified).iter().map(row).collect()
}

fn prune(prune: &PruneView) -> Entry {
    Entry {
        action: match prune.verdict {
            "delete" => "prune",
            "keep" => "kept",
            _ => "refused",
        },
        subject: prune.subject(),
        place: String::new(),
        checked: None,
        blocked: None,
        reason: prune.reason.clone(),
        remarks: Vec::new(),
        rows: Vec::new(),
    }
}
