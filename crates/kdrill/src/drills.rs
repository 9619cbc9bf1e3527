//! Stage 4: the drills. Each is a file with a promise and a function over the [`Stage`]; to add one,
//! write its file and name it in [`ALL`].

use futures::future::BoxFuture;

use crate::{
    error::Result,
    timeline::document::{Check, Measurement},
};

pub mod balance;
pub mod node_add;
pub mod node_loss;
pub mod replicas;
pub mod scale;
pub mod stage;

pub use stage::{Params, Stage};

/// Every drill, in the order in which they make sense.
pub const ALL: &[Drill] = &[
    replicas::DRILL,
    balance::DRILL,
    node_add::DRILL,
    scale::DRILL,
    node_loss::DRILL,
];

/// A drill.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it promises when it holds.
    pub promise: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// Carries it out, noting what it finds. A broken promise is a finding, not an error.
    pub run: for<'a> fn(&'a Stage, &'a mut Findings) -> BoxFuture<'a, Result<()>>,
}

/// What a drill cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Requests flowing to the Service.
    Load,
    /// `--node-add`.
    NodeAdd,
    /// `--node-down` and `--node-up`, or `--expect-lost`; and a node that may be lost.
    NodeLoss,
}

/// What a drill found out, kept even when it is cut short.
#[derive(Debug, Default)]
pub struct Findings {
    /// The promises that were judged.
    pub checks: Vec<Check>,
    /// The numbers that were measured.
    pub measurements: Vec<Measurement>,
}

impl Findings {
    /// Notes that a state was reached or not.
    pub fn reached(
        &mut self,
        promise: impl Into<String>,
        limit: impl Into<String>,
        took: Option<f64>,
    ) {
        self.checks.push(Check {
            promise: promise.into(),
            measured: took.map_or_else(
                || "not reached".to_owned(),
                |took| format!("after {took:.1} s"),
            ),
            limit: limit.into(),
            held: took.is_some(),
        });
    }

    /// Notes a length of time in seconds.
    pub fn seconds(&mut self, name: &str, value: f64) {
        self.measurements.push(Measurement {
            name: name.to_owned(),
            value,
            unit: "s".to_owned(),
        });
    }

    /// Notes a number of requests.
    pub fn requests(&mut self, name: &str, value: usize) {
        self.measurements.push(Measurement {
            name: name.to_owned(),
            value: value as f64,
            unit: "requests".to_owned(),
        });
    }
}

/// The drill of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Drill> {
    ALL.iter().find(|drill| drill.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for drill in ALL {
            assert_eq!(
                ALL.iter().filter(|other| other.name == drill.name).count(),
                1
            );
            assert_eq!(named(drill.name).unwrap().promise, drill.promise);
        }
        assert!(named("nonsense").is_none());
    }
}
