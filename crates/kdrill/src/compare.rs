//! Two runs side by side: did a change make anything slower, or break it?

use std::{fs, io, path::Path};

use serde::Serialize;

use crate::{
    error::{Error, Result},
    report::TIMELINE,
    timeline::document::{Document, DrillReport, Outcome},
};

/// Times shorter than this differ by chance.
const NOISE_S: f64 = 0.5;
/// Latencies that differ by less than this differ by chance.
const NOISE_MS: f64 = 5.0;

/// One number of a drill in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The drill.
    pub drill: String,
    /// What was measured.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// In the first run; absent where it has no such number.
    pub before: Option<f64>,
    /// In the second.
    pub after: Option<f64>,
    /// The second is worse by more than the tolerance.
    pub worse: bool,
}

/// Two runs compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The numbers.
    pub rows: Vec<Row>,
    /// Drills that held in the first run and did not in the second.
    pub broken: Vec<String>,
    /// Drills that only one of the runs has.
    pub only_in_one: Vec<String>,
}

impl Comparison {
    /// Whether the second run is no worse.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.broken.is_empty() && self.rows.iter().all(|row| !row.worse)
    }
}

/// Reads a run: its folder, or its timeline.json.
///
/// # Errors
/// [`Error::File`] when it cannot be read or is no such document.
pub fn read(path: &Path) -> Result<Document> {
    let file = if path.is_dir() {
        path.join(TIMELINE)
    } else {
        path.to_owned()
    };
    let bytes = fs::read(&file).map_err(Error::file(&file))?;
    serde_json::from_slice(&bytes)
        .map_err(io::Error::from)
        .map_err(Error::file(&file))
}

/// Compares two runs; `tolerance` is how much worse, in hundredths, is still the same.
#[must_use]
pub fn compare(before: &Document, after: &Document, tolerance: f64) -> Comparison {
    let mut rows = Vec::new();
    let mut broken = Vec::new();
    let named = |document: &Document, name: &str| {
        document
            .drills
            .iter()
            .find(|drill| drill.name == name)
            .cloned()
    };
    for old in &before.drills {
        let Some(new) = named(after, &old.name) else {
            continue;
        };
        if old.outcome == Outcome::Held && new.outcome != Outcome::Held {
            broken.push(old.name.clone());
        }
        rows.extend(of_drill(old, &new, tolerance));
    }
    let missing = |one: &Document, other: &Document| -> Vec<String> {
        one.drills
            .iter()
            .filter(|drill| named(other, &drill.name).is_none())
            .map(|drill| drill.name.clone())
            .collect()
    };
    Comparison {
        rows,
        broken,
        only_in_one: [missing(before, after), missing(after, before)].concat(),
    }
}

fn of_drill(old: &DrillReport, new: &DrillReport, tolerance: f64) -> Vec<Row> {
    let (before, after) = (numbers(old), numbers(new));
    let mut names: Vec<_> = before.iter().map(|number| number.0.clone()).collect();
    for (name, ..) in &after {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let find = |numbers: &[(String, f64, String)], name: &str| {
        numbers.iter().find(|number| number.0 == name).cloned()
    };
    names
        .into_iter()
        .map(|name| {
            let (old_number, new_number) = (find(&before, &name), find(&after, &name));
            let unit = [&old_number, &new_number]
                .into_iter()
                .flatten()
                .map(|number| number.2.clone())
                .next()
                .unwrap_or_default();
            let (before, after) = (
                old_number.map(|number| number.1),
                new_number.map(|number| number.1),
            );
            Row {
                worse: before
                    .zip(after)
                    .is_some_and(|(before, after)| worse(before, after, &unit, tolerance)),
                drill: old.name.clone(),
                name,
                unit,
                before,
                after,
            }
        })
        .collect()
}

/// A drill's numbers of which less is better: name, value, unit.
fn numbers(drill: &DrillReport) -> Vec<(String, f64, String)> {
    let measured = drill
        .measurements
        .iter()
        .filter(|measurement| measurement.unit != "times")
        .map(|measurement| {
            (
                measurement.name.clone(),
                measurement.value,
                measurement.unit.clone(),
            )
        });
    let mut numbers: Vec<_> = measured.collect();
    if let Some(requests) = &drill.requests {
        let failed = requests.failed as f64;
        numbers.push(("failed".to_owned(), failed, "requests".to_owned()));
        if let Some(latency) = &requests.latency {
            numbers.push(("p50".to_owned(), latency.p50_ms, "ms".to_owned()));
            numbers.push(("p99".to_owned(), latency.p99_ms, "ms".to_owned()));
        }
    }
    numbers
}

fn worse(before: f64, after: f64, unit: &str, tolerance: f64) -> bool {
    let noise = match unit {
        "s" => NOISE_S,
        "ms" => NOISE_MS,
        _ => 0.0,
    };
    after - before > noise && after > before * (1.0 + tolerance / 100.0)
}

/// The comparison as a table; what is worse is marked.
#[must_use]
pub fn table(comparison: &Comparison) -> String {
    let show =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
    let mut lines = vec![format!(
        "{:22} {:50} {:>10} {:>10}",
        "DRILL", "NUMBER", "BEFORE", "AFTER"
    )];
    for row in &comparison.rows {
        lines.push(format!(
            "{:22} {:50} {:>10} {:>10} {}{}",
            row.drill,
            row.name,
            show(row.before),
            show(row.after),
            row.unit,
            if row.worse { "  worse" } else { "" }
        ));
    }
    for drill in &comparison.broken {
        lines.push(format!("{drill}: held before, and does not now"));
    }
    for drill in &comparison.only_in_one {
        lines.push(format!("{drill}: in one of the runs only"));
    }
    lines.push(if comparison.is_fine() {
        "not worse".to_owned()
    } else {
        "worse".to_owned()
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> Document {
        serde_json::from_str(include_str!("../tests/fixtures/timeline.json")).unwrap()
    }

    #[test]
    fn a_run_is_not_worse_than_itself() {
        let comparison = compare(&fixture(), &fixture(), 0.0);
        assert!(comparison.is_fine() && !comparison.rows.is_empty());
        assert!(table(&comparison).ends_with("\nnot worse"));
    }

    #[test]
    fn a_slower_recovery_is_found_unless_it_is_tolerated() {
        let mut slower = fixture();
        let recovery = slower
            .drills
            .iter_mut()
            .flat_map(|drill| &mut drill.measurements)
            .find(|measurement| measurement.name == "recovery")
            .unwrap();
        recovery.value *= 1.5;
        let comparison = compare(&fixture(), &slower, 20.0);
        let worse: Vec<_> = comparison.rows.iter().filter(|row| row.worse).collect();
        assert_eq!(worse.len(), 1);
        assert_eq!(worse[0].name, "recovery");
        assert!(table(&comparison).ends_with("\nworse"));
        assert!(compare(&fixture(), &slower, 60.0).is_fine());
        assert!(compare(&slower, &fixture(), 0.0).is_fine());
    }

    #[test]
    fn a_promise_that_broke_is_worse_and_a_drill_of_one_run_is_named() {
        let mut other = fixture();
        other.drills[0].outcome = Outcome::Broken;
        other.drills.pop();
        let comparison = compare(&fixture(), &other, 1000.0);
        assert_eq!(comparison.broken, [fixture().drills[0].name.clone()]);
        assert_eq!(comparison.only_in_one.len(), 1);
        assert!(!comparison.is_fine());
    }

    #[test]
    fn a_folder_without_a_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("timeline.json: "), "{error}");
    }
}
