//! The numbers, for people and for programs.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context;
use serde_json::{Value, json};

use super::measure::Taken;

/// One measurement.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) what: String,
    pub(super) tool: &'static str,
    pub(super) taken: Taken,
    pub(super) requests: Option<usize>,
}

/// All measurements of one thing with one tool.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    tool: &'static str,
    seconds: Vec<f64>,
    peak_kib: i64,
    requests: Option<usize>,
}

/// The rows with further measurements.
pub(super) fn add(mut rows: Vec<Row>, measured: Vec<Measured>) -> Vec<Row> {
    for one in measured {
        let known = rows
            .iter_mut()
            .find(|row| row.what == one.what && row.tool == one.tool);
        let Some(row) = known else {
            rows.push(Row {
                what: one.what,
                tool: one.tool,
                seconds: vec![one.taken.seconds],
                peak_kib: one.taken.peak_kib,
                requests: one.requests,
            });
            continue;
        };
        row.seconds.push(one.taken.seconds);
        row.peak_kib = row.peak_kib.max(one.taken.peak_kib);
        row.requests = row.requests.max(one.requests);
    }
    rows
}

impl Row {
    /// Shortest, middle and longest time.
    fn spread(&self) -> (f64, f64, f64) {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len() - 1;
        let middle = f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]);
        (sorted[0], middle, sorted[last])
    }

    fn median(&self) -> f64 {
        self.spread().1
    }
}

/// Medians against our own.
fn ratio(rows: &[Row], row: &Row, ours: &str) -> Option<f64> {
    let own = rows
        .iter()
        .find(|other| other.what == row.what && other.tool == ours)?;
    Some(row.median() / own.median())
}

/// The works one after the other, in the order in which they were first done.
fn grouped(rows: &[Row]) -> Vec<&Row> {
    let mut works: Vec<&str> = Vec::new();
    for row in rows {
        if !works.contains(&row.what.as_str()) {
            works.push(&row.what);
        }
    }
    works
        .iter()
        .flat_map(|work| rows.iter().filter(move |row| row.what == *work))
        .collect()
}

/// A table with a line for each work and tool; `ours` is the one that the others are compared with.
pub(super) fn text(rows: &[Row], ours: &str) -> String {
    let mut table = format!(
        "{:<26} {:<13} {:>4} {:>9} {:>9} {:>9} {:>7} {:>9} {:>8}",
        "", "", "runs", "min s", "median s", "max s", "ratio", "peak MiB", "requests"
    );
    for row in grouped(rows) {
        let (min, median, max) = row.spread();
        let ratio = ratio(rows, row, ours).map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let requests = row
            .requests
            .map_or(String::new(), |count| count.to_string());
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "\n{:<26} {:<13} {:>4} {min:>9.3} {median:>9.3} {max:>9.3} {ratio:>7} {:>9.1} {requests:>8}",
            row.what,
            row.tool,
            row.seconds.len(),
            row.peak_kib as f64 / 1024.0,
        );
    }
    table
}

/// Writes the same with every single time as JSON.
///
/// # Errors
/// When the disk refuses.
pub(super) fn write(path: &Path, bench: &str, rows: &[Row], ours: &str) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&json(bench, rows, ours))?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}

fn json(bench: &str, rows: &[Row], ours: &str) -> Value {
    let rows_json: Vec<_> = grouped(rows)
        .into_iter()
        .map(|row| {
            json!({
                "work": row.what,
                "tool": row.tool,
                "seconds": row.seconds,
                "medianSeconds": row.median(),
                "ratio": ratio(rows, row, ours),
                "peakKiB": row.peak_kib,
                "requests": row.requests,
            })
        })
        .collect();
    json!({ "bench": bench, "results": rows_json })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(tool: &'static str, seconds: f64) -> Measured {
        Measured {
            what: "create".to_owned(),
            tool,
            taken: Taken {
                seconds,
                peak_kib: 2048,
                code: Some(0),
                said: String::new(),
            },
            requests: None,
        }
    }

    #[test]
    fn medians_and_ratios() {
        let all = [
            ("kapply", 1.0),
            ("helm", 9.0),
            ("kapply", 3.0),
            ("kapply", 2.0),
        ];
        let measured = all.map(|(tool, seconds)| measured(tool, seconds));
        let rows = add(Vec::new(), measured.into());
        let text = text(&rows, "kapply");
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[1],
            [
                "create", "kapply", "3", "1.000", "2.000", "3.000", "1.00", "2.0"
            ]
        );
        assert_eq!(
            lines[2],
            [
                "create", "helm", "1", "9.000", "9.000", "9.000", "4.50", "2.0"
            ]
        );
        assert_eq!(json("kapply", &rows, "kapply")["results"][1]["ratio"], 4.5);
    }
}
