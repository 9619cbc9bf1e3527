//! Stage 4: the drills. Each is a file with a promise and a function over the [`Stage`]; to add one,
//! write its file and name it in [`ALL`].

use futures::future::LocalBoxFuture;

use crate::{
    error::Result,
    limits::Limits,
    timeline::document::{Check, Measurement},
};

pub mod bad_rollout;
pub mod balance;
pub mod control_plane_restart;
pub mod dns;
pub mod drain;
pub mod drift;
pub mod node_add;
pub mod node_loss;
pub mod node_partition;
pub mod outage;
pub mod pod_kill;
pub mod prune;
pub mod replicas;
pub mod rollout;
pub mod scale;
pub mod stage;

pub use stage::{Params, Stage};

/// Every drill, in the order in which they make sense.
pub const ALL: &[Drill] = &[
    replicas::DRILL,
    balance::DRILL,
    dns::DRILL,
    node_add::DRILL,
    scale::DRILL,
    rollout::DRILL,
    bad_rollout::DRILL,
    pod_kill::DRILL,
    drain::DRILL,
    drift::DRILL,
    prune::DRILL,
    control_plane_restart::DRILL,
    node_partition::DRILL,
    node_loss::DRILL,
];

/// A drill.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it promises when it holds.
    pub promise: &'static str,
    /// What it does, in a sentence.
    pub does: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// What its promise allows, unless flags or a file say otherwise.
    pub limits: Limits,
    /// Carries it out, noting what it finds. A broken promise is a finding, not an error.
    pub run: for<'a> fn(&'a Stage, &'a mut Findings) -> LocalBoxFuture<'a, Result<()>>,
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
    /// `--partition` and `--heal`, or `--expect-lost`; and a node that may be lost.
    Partition,
    /// A node that may be drained.
    Drain,
    /// `--image-next`.
    ImageNext,
    /// `--manifests`.
    Manifests,
    /// `--control-plane-restart`.
    ControlPlaneRestart,
    /// The cluster's name server, or `--name-server`.
    NameServer,
}

impl Need {
    /// The flags that fulfil it, for `kdrill list`; empty when none is needed.
    #[must_use]
    pub fn flags(self) -> &'static str {
        match self {
            Self::Load | Self::Drain | Self::NameServer => "",
            Self::NodeAdd => "--node-add",
            Self::NodeLoss => "--node-down and --node-up, or --expect-lost",
            Self::Partition => "--partition and --heal, or --expect-lost",
            Self::ImageNext => "--image-next",
            Self::Manifests => "--manifests",
            Self::ControlPlaneRestart => "--control-plane-restart",
        }
    }

    /// Whether a node has to be there that the drill may take away.
    #[must_use]
    pub fn takes_a_node(self) -> bool {
        matches!(self, Self::NodeLoss | Self::Partition | Self::Drain)
    }
}

/// What a drill found out, kept even when it is cut short.
#[derive(Debug)]
pub struct Findings {
    /// What is allowed.
    pub limits: Limits,
    /// The promises that were judged.
    pub checks: Vec<Check>,
    /// The numbers that were measured.
    pub measurements: Vec<Measurement>,
}

impl Findings {
    /// Nothing found yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            checks: Vec::new(),
            measurements: Vec::new(),
        }
    }

    /// Notes a promise with what was found.
    pub fn check(
        &mut self,
        promise: impl Into<String>,
        measured: impl Into<String>,
        limit: impl Into<String>,
        held: bool,
    ) {
        self.checks.push(Check {
            promise: promise.into(),
            measured: measured.into(),
            limit: limit.into(),
            held,
        });
    }

    /// Notes that a state was reached or not.
    pub fn reached(
        &mut self,
        promise: impl Into<String>,
        limit: impl Into<String>,
        took: Option<f64>,
    ) {
        let measured = took.map_or_else(
            || "not reached".to_owned(),
            |took| format!("after {took:.1} s"),
        );
        self.check(promise, measured, limit, took.is_some());
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

/// The names of all drills, for messages.
#[must_use]
pub fn names() -> String {
    let names: Vec<_> = ALL.iter().map(|drill| drill.name).collect();
    names.join(", ")
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
