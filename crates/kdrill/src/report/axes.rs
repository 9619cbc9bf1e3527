//! The time axis that all charts share, with the drills as bands and the events as marks on it.

use super::svg::Drawing;
use crate::timeline::document::{Document, Event, EventKind};

/// The charts' width.
pub const WIDTH: f64 = 1000.0;
/// Where the plots begin; labels stand to the left.
pub const LEFT: f64 = 86.0;
/// Where plots begin; names of drills stand above.
pub const TOP: f64 = 36.0;
/// The room that the number of a mark takes, in both directions.
const NUMBER: f64 = 12.0;
/// Room to the right of the plots.
const RIGHT: f64 = 14.0;

/// From times to places.
#[derive(Clone, Copy, Debug)]
pub struct TimeAxis {
    length_ms: f64,
}

impl TimeAxis {
    /// The axis of a run.
    #[must_use]
    pub fn of(document: &Document) -> Self {
        Self {
            length_ms: document.duration_ms.max(1) as f64,
        }
    }

    /// Where a time is.
    #[must_use]
    pub fn x(&self, at_ms: u64) -> f64 {
        LEFT + (at_ms as f64).min(self.length_ms) / self.length_ms * (WIDTH - LEFT - RIGHT)
    }

    /// Draws the drills as bands behind a plot, with their names above it: in two rows by turns,
    /// so that the name of a short drill does not run into the next.
    pub fn bands(&self, drawing: &mut Drawing, document: &Document, top: f64, height: f64) {
        for (index, drill) in document.drills.iter().enumerate() {
            let (from, to) = (self.x(drill.started_ms), self.x(drill.ended_ms));
            let (class, row) = if index % 2 == 0 {
                ("band", 18.0)
            } else {
                ("band odd", 5.0)
            };
            drawing.rect(class, (from, top), (to - from, height), &drill.name);
            if to > from {
                drawing.text("tick", (from + 2.0, top - row), &drill.name);
            }
        }
    }

    /// Draws seconds below a plot.
    pub fn ticks(&self, drawing: &mut Drawing, bottom: f64) {
        let step = step(self.length_ms / 1000.0, 10.0).max(1.0) as u64;
        drawing.line("axis", (LEFT, bottom), (WIDTH - RIGHT, bottom));
        for second in (0..=(self.length_ms / 1000.0) as u64).step_by(step as usize) {
            let x = self.x(second * 1000);
            drawing.line("axis", (x, bottom), (x, bottom + 4.0));
            drawing.text("tick middle", (x, bottom + 17.0), &format!("{second} s"));
        }
    }

    /// Draws what was done to the cluster as lines through a plot, numbered as in the table; numbers
    /// that would cover each other stand below each other.
    pub fn marks(&self, drawing: &mut Drawing, document: &Document, top: f64, height: f64) {
        let (mut last, mut row) = (f64::MIN, 0.0);
        for (number, event) in notable(document).into_iter().enumerate() {
            let x = self.x(event.at_ms);
            row = if x - last < NUMBER { row + 1.0 } else { 0.0 };
            last = x;
            let class = if event.kind == EventKind::NodeNotReady {
                "mark bad"
            } else {
                "mark"
            };
            drawing.line(class, (x, top), (x, top + height));
            drawing.text(
                "number middle",
                (x, top + 10.0 + NUMBER * row),
                &(number + 1).to_string(),
            );
        }
    }
}

/// The events that are marked in the charts: what kdrill did, and what became of nodes.
#[must_use]
pub fn notable(document: &Document) -> Vec<&Event> {
    use EventKind::{Action, NodeAdded, NodeNotReady, NodeReady, NodeRemoved, PutBack};
    let wanted = [
        Action,
        PutBack,
        NodeAdded,
        NodeNotReady,
        NodeReady,
        NodeRemoved,
    ];
    document
        .events
        .iter()
        .filter(|event| wanted.contains(&event.kind))
        .collect()
}

/// Draws a value axis with its grid: from 0 at the bottom to `most` at the top.
pub fn values(drawing: &mut Drawing, (top, height): (f64, f64), most: f64, unit: &str) {
    let step = step(most, 4.0);
    let mut value = 0.0;
    while value <= most {
        let y = top + height * (1.0 - value / most);
        drawing.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        drawing.text(
            "tick end",
            (LEFT - 8.0, y + 4.0),
            &format!("{value} {unit}"),
        );
        value += step;
    }
}

/// A round step that divides a length into about so many parts.
fn step(length: f64, parts: f64) -> f64 {
    let rough = (length / parts).max(f64::MIN_POSITIVE);
    let magnitude = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert!((step(200.0, 4.0) - 50.0).abs() < 1e-9);
        assert!((step(93.0, 10.0) - 10.0).abs() < 1e-9);
        assert!((step(7.0, 4.0) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn times_map_onto_the_plot() {
        let axis = TimeAxis { length_ms: 1000.0 };
        assert!((axis.x(0) - LEFT).abs() < 1e-9);
        assert!(
            (axis.x(5000) - (WIDTH - RIGHT)).abs() < 1e-9,
            "what lies beyond the end is drawn at the end"
        );
    }
}
