//! The numbers for people.

use std::fmt::Write as _;

use super::{Row, Took, usage::Usage};

type Part = (&'static str, fn(&Took) -> f64);

const PARTS: [Part; 6] = [
    ("certificates", |took| took.certificates),
    ("etcd", |took| took.etcd),
    ("API server", |took| took.api_server),
    ("nodes", |took| took.nodes),
    ("images", |took| took.images),
    ("add-ons", |took| took.add_ons),
];

/// A line for each cluster: its whole time, and the medians of the parts.
pub(super) fn starts(rows: &[Row]) -> String {
    let mut table = format!(
        "{:<20} {:>4} {:>6} {:>8} {:>6}",
        "seconds", "runs", "min", "median", "max"
    );
    for (part, _) in PARTS {
        let _ = write!(table, " {part:>12}");
    }
    for row in rows.iter().filter(|row| !row.starts.is_empty()) {
        let (min, median, max) = spread(&row.starts, |took| took.total);
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "\n{:<20} {:>4} {min:>6.1} {median:>8.1} {max:>6.1}",
            row.cluster,
            row.starts.len(),
        );
        for (_, of) in PARTS {
            let _ = write!(table, " {:>12.2}", spread(&row.starts, of).1);
        }
    }
    table
}

/// A line for each program, the largest first, and their sum.
pub(super) fn idle(cluster: &str, usage: &Usage) -> String {
    let title = format!("idle, {cluster}");
    let mut table = format!("{title:<26} {:>9} {:>7}", "PSS MiB", "CPU %");
    let mut costs: Vec<_> = usage.0.iter().collect();
    costs.sort_by_key(|(_, cost)| std::cmp::Reverse(cost.pss_kib));
    let sum = usage.sum();
    for (program, cost) in costs
        .into_iter()
        .map(|(program, cost)| (program.as_str(), *cost))
        .chain([("all", sum)])
    {
        let _ = write!(
            table,
            "\n{program:<26} {:>9.0} {:>7.1}",
            cost.pss_kib as f64 / 1024.0,
            cost.cpu_percent
        );
    }
    table
}

/// Shortest, middle and longest.
fn spread(starts: &[Took], of: impl Fn(&Took) -> f64) -> (f64, f64, f64) {
    let mut sorted: Vec<f64> = starts.iter().map(of).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let middle = f64::midpoint(sorted[last / 2], sorted[sorted.len() / 2]);
    (sorted[0], middle, sorted[last])
}

#[cfg(test)]
mod tests {
    use super::{super::usage::Cost, *};

    #[test]
    fn starts_have_a_spread_and_medians_of_their_parts() {
        let took = |total, etcd| Took {
            etcd,
            total,
            ..Took::default()
        };
        let row = Row {
            cluster: "3 nodes",
            starts: vec![took(9.0, 1.0), took(7.0, 2.0), took(8.0, 4.0)],
        };
        let text = starts(&[row]);
        let line: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line[2..8], ["3", "7.0", "8.0", "9.0", "0.00", "2.00"]);
    }

    #[test]
    fn idling_is_summed_up() {
        let cost = |pss_kib, cpu_percent| Cost {
            pss_kib,
            cpu_percent,
        };
        let costs = [("a", cost(1024, 1.5)), ("b", cost(3072, 0.5))];
        let usage = Usage(costs.map(|(name, cost)| (name.to_owned(), cost)).into());
        let text = idle("3 nodes", &usage);
        let lines: Vec<Vec<_>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines,
            [["b", "3", "0.5"], ["a", "1", "1.5"], ["all", "4", "2.0"]]
        );
    }
}
