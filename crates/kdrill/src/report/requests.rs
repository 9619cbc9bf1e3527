//! Charts of the requests: who answered when, what failed when, and how long answers took.

use super::{
    axes::{self, LEFT, TOP, TimeAxis, WIDTH},
    svg::Drawing,
};
use crate::timeline::document::{Document, Interval, Latency, LoadReport};

/// One percentile of an interval's latencies, in milliseconds.
type Percentile = fn(&Latency) -> f64;

const BOTTOM: f64 = 26.0;
/// Colours of pods; further pods begin again.
pub const COLOURS: usize = 10;

/// Answers per pod, stacked, failures on top of them.
#[must_use]
pub fn stacked(document: &Document, load: &LoadReport) -> String {
    const HEIGHT: f64 = 240.0;
    let axis = TimeAxis::of(document);
    let mut drawing = Drawing::default();
    let count = |interval: &Interval| {
        interval
            .pods
            .values()
            .chain(interval.failures.values())
            .sum::<u64>()
    };
    let most = load.intervals.iter().map(count).max().unwrap_or(1).max(1) as f64 * 1.08;
    axis.bands(&mut drawing, document, TOP, HEIGHT);
    axes::values(&mut drawing, (TOP, HEIGHT), most, "/s");
    for interval in &load.intervals {
        let (x, width) = slot(axis, load, interval);
        let mut y = TOP + HEIGHT;
        let mut stack = |class: &str, count: u64, title: String| {
            let height = HEIGHT * count as f64 / most;
            y -= height;
            drawing.rect(class, (x, y), (width, height), &title);
        };
        let second = interval.at_ms / 1000;
        for (index, pod) in load.pods.iter().enumerate() {
            if let Some(count) = interval.pods.get(pod) {
                stack(
                    &format!("pod p{}", index % COLOURS),
                    *count,
                    format!("{second} s: {pod} {count}"),
                );
            }
        }
        for (kind, count) in &interval.failures {
            stack(
                "failed",
                *count,
                format!("{second} s: {count} {}", kind.word()),
            );
        }
    }
    axis.marks(&mut drawing, document, TOP, HEIGHT);
    axis.ticks(&mut drawing, TOP + HEIGHT);
    drawing.finish(WIDTH, TOP + HEIGHT + BOTTOM, "Requests per pod and second")
}

/// Failures alone, on their own scale.
#[must_use]
pub fn failures(document: &Document, load: &LoadReport) -> String {
    const HEIGHT: f64 = 90.0;
    let axis = TimeAxis::of(document);
    let mut drawing = Drawing::default();
    let count = |interval: &Interval| interval.failures.values().sum::<u64>();
    let most = load.intervals.iter().map(count).max().unwrap_or(0).max(1) as f64 * 1.15;
    axis.bands(&mut drawing, document, TOP, HEIGHT);
    axes::values(&mut drawing, (TOP, HEIGHT), most, "/s");
    for interval in load.intervals.iter().filter(|interval| count(interval) > 0) {
        let (x, width) = slot(axis, load, interval);
        let kinds: Vec<_> = interval
            .failures
            .iter()
            .map(|(kind, count)| format!("{count} {}", kind.word()))
            .collect();
        let height = HEIGHT * count(interval) as f64 / most;
        drawing.rect(
            "failed",
            (x, TOP + HEIGHT - height),
            (width, height),
            &format!("{} s: {}", interval.at_ms / 1000, kinds.join(", ")),
        );
    }
    axis.marks(&mut drawing, document, TOP, HEIGHT);
    axis.ticks(&mut drawing, TOP + HEIGHT);
    drawing.finish(WIDTH, TOP + HEIGHT + BOTTOM, "Failed requests per second")
}

/// Latencies on a logarithmic scale, where a slow second does not flatten all others.
#[must_use]
pub fn latencies(document: &Document, load: &LoadReport) -> String {
    const HEIGHT: f64 = 150.0;
    const DECADES: [f64; 5] = [0.1, 1.0, 10.0, 100.0, 1000.0];
    let axis = TimeAxis::of(document);
    let mut drawing = Drawing::default();
    let highest = 5000f64.log10();
    let y = |ms: f64| {
        let share = (ms.max(0.1).log10() + 1.0) / (highest + 1.0);
        TOP + HEIGHT * (1.0 - share.min(1.0))
    };
    axis.bands(&mut drawing, document, TOP, HEIGHT);
    for decade in DECADES {
        drawing.line("grid", (LEFT, y(decade)), (WIDTH - 14.0, y(decade)));
        drawing.text(
            "tick end",
            (LEFT - 8.0, y(decade) + 4.0),
            &format!("{decade} ms"),
        );
    }
    let middle = |interval: &Interval| axis.x(interval.at_ms + load.interval_ms / 2);
    let curves: [(&str, Percentile); 3] = [
        ("curve max", |latency| latency.max_ms),
        ("curve p99", |latency| latency.p99_ms),
        ("curve p50", |latency| latency.p50_ms),
    ];
    for (class, value) in curves {
        let points: Vec<_> = load
            .intervals
            .iter()
            .filter_map(|interval| Some((middle(interval), y(value(interval.latency.as_ref()?)))))
            .collect();
        drawing.path(class, &points);
    }
    axis.ticks(&mut drawing, TOP + HEIGHT);
    drawing.finish(
        WIDTH,
        TOP + HEIGHT + BOTTOM,
        "Latency percentiles per second",
    )
}

/// Where an interval is and how wide, with a hair's breadth between two.
fn slot(axis: TimeAxis, load: &LoadReport, interval: &Interval) -> (f64, f64) {
    let (from, to) = (
        axis.x(interval.at_ms),
        axis.x(interval.at_ms + load.interval_ms),
    );
    (from, ((to - from) * 0.94).max(0.5))
}
