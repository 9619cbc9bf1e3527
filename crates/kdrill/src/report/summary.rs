//! The answer on standard output: a table for people, one JSON document for programs.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

use super::{PAGE, TIMELINE};
use crate::timeline::document::{Document, DrillReport, Outcome};

/// What `-o json` prints.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    /// The worst outcome.
    pub outcome: Outcome,
    /// The drills.
    pub drills: &'a [DrillReport],
    /// Where timeline.json is.
    pub timeline: String,
    /// Where report.html is.
    pub report: String,
}

/// The summary as a document.
#[must_use]
pub fn json<'a>(document: &'a Document, folder: &Path) -> Summary<'a> {
    Summary {
        outcome: document.outcome,
        drills: &document.drills,
        timeline: folder.join(TIMELINE).display().to_string(),
        report: folder.join(PAGE).display().to_string(),
    }
}

/// The summary as a table.
#[must_use]
pub fn table(document: &Document, folder: &Path, colour: bool) -> String {
    let width = document
        .drills
        .iter()
        .map(|drill| drill.name.len())
        .max()
        .unwrap_or(0)
        .max("DRILL".len());
    let mut text = format!(
        "{:width$}  {:11}  {:>8}  {:>8}  {:>6}  WHAT WAS FOUND\n",
        "DRILL", "VERDICT", "TOOK", "REQUESTS", "FAILED"
    );
    for drill in &document.drills {
        row(&mut text, drill, width, colour);
    }
    // Writing to a String cannot fail.
    if let Some((load, late)) = document
        .load
        .as_ref()
        .and_then(|load| Some((load, load.late.as_ref()?)))
    {
        let _ = writeln!(
            text,
            "\nload: {} requests, {} failed, {} due per second, from {}; 99 % started within {:.1} ms of when they were due",
            load.total.requests, load.total.failed, load.rate, load.source, late.p99_ms
        );
    }
    let _ = write!(text, "\nreport: {}", folder.join(PAGE).display());
    text
}

fn row(text: &mut String, drill: &DrillReport, width: usize, colour: bool) {
    let took = (drill.ended_ms - drill.started_ms) as f64 / 1000.0;
    let (requests, failed) = drill
        .requests
        .as_ref()
        .map_or((String::new(), String::new()), |tally| {
            (tally.requests.to_string(), tally.failed.to_string())
        });
    let verdict = paint(
        drill.outcome,
        &format!("{:11}", drill.outcome.word()),
        colour,
    );
    let mut lines: Vec<String> = drill
        .checks
        .iter()
        .map(|check| {
            let (sign, relation) = if check.held {
                ("✓", "allowed")
            } else {
                ("✗", "but allowed:")
            };
            format!(
                "{sign} {}: {} ({relation} {})",
                check.promise, check.measured, check.limit
            )
        })
        .collect();
    lines.extend(drill.error.clone());
    let measured: Vec<_> = drill
        .measurements
        .iter()
        .map(|m| format!("{} {:.1} {}", m.name, m.value, m.unit))
        .collect();
    if !measured.is_empty() {
        lines.push(
            measured
                .join(" · ")
                .replace(".0 requests", "")
                .replace(".0 times", ""),
        );
    }
    let first = lines.first().cloned().unwrap_or_default();
    let _ = writeln!(
        text,
        "{:width$}  {verdict}  {took:6.1} s  {requests:>8}  {failed:>6}  {first}",
        drill.name
    );
    for line in lines.iter().skip(1) {
        let _ = writeln!(text, "{:indent$}{line}", "", indent = width + 45);
    }
}

fn paint(outcome: Outcome, text: &str, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    let code = match outcome {
        Outcome::Held => 32,
        Outcome::Broken | Outcome::Error => 31,
        Outcome::NotRun | Outcome::Interrupted => 33,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::document::Check;

    fn fixture() -> Document {
        serde_json::from_str(include_str!("../../tests/fixtures/timeline.json")).unwrap()
    }

    #[test]
    fn a_broken_promise_says_measured_and_allowed() {
        let mut document = fixture();
        document.drills[0].outcome = Outcome::Broken;
        document.drills[0].checks = vec![Check {
            promise: "no request fails".to_owned(),
            measured: "3 of 9 failed (3 reset)".to_owned(),
            limit: "≤ 0".to_owned(),
            held: false,
        }];
        let text = table(&document, Path::new("out"), false);
        assert!(text.contains("broken"), "{text}");
        assert!(
            text.contains("✗ no request fails: 3 of 9 failed (3 reset) (but allowed: ≤ 0)"),
            "{text}"
        );
        assert!(text.ends_with("report: out/report.html"), "{text}");
        assert!(!text.contains('\x1b'));
        assert!(table(&document, Path::new("out"), true).contains("\x1b[31mbroken"));
    }
}
