//! timeline.json: everything a run found out, in fields whose names stay. `docs/timeline.md` says
//! the same in prose. Times end in `_ms`: milliseconds since the run's start, or a length.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{cluster::view::NodeInfo, load::record::Failure};

/// The value of [`Document::schema`]; it changes when a field changes its meaning or goes.
pub const SCHEMA: &str = "kdrill.timeline/v1";

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// The worst outcome of all drills.
    pub outcome: Outcome,
    /// When the run started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// What it ran on.
    pub environment: Environment,
    /// The drills in the order they ran.
    pub drills: Vec<DrillReport>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The requests; absent when no drill needed any.
    pub load: Option<LoadReport>,
    /// Where pods were, when.
    pub placement: Placement,
}

/// How a drill, or a run, ended. The order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every promise held.
    Held,
    /// The drill did not run, because one before it ended in an error or an interruption.
    NotRun,
    /// A promise was broken.
    Broken,
    /// The run was interrupted.
    Interrupted,
    /// The drill could not be carried out.
    Error,
}

impl Outcome {
    /// The word used in every output.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotRun => "not run",
            Self::Broken => "broken",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
        }
    }
}

/// What a run ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// kdrill's version.
    pub kdrill: String,
    /// The API server's version.
    pub kubernetes: String,
    /// The API server's URL.
    pub server: String,
    /// The namespace of the Deployment and the Service.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// The Service.
    pub service: String,
    /// The images of the Deployment's containers.
    pub images: Vec<String>,
    /// Every node seen, with what it runs.
    pub nodes: BTreeMap<String, NodeInfo>,
}

/// One drill's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Its name.
    pub name: String,
    /// What it promises, in a sentence.
    pub promise: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// Every promise that was judged.
    pub checks: Vec<Check>,
    /// What was measured on the way.
    pub measurements: Vec<Measurement>,
    /// Why it could not be carried out, if so.
    pub error: Option<String>,
    /// The requests that fell due while it ran.
    pub requests: Option<Tally>,
}

/// One promise, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The promise.
    pub promise: String,
    /// What was found.
    pub measured: String,
    /// What was allowed.
    pub limit: String,
    /// Whether it held.
    pub held: bool,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What it is, in words that stay.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit: `s`, `requests` or `times`.
    pub unit: String,
}

/// A number of requests with their latencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How many fell due.
    pub requests: u64,
    /// How many of them had no exact answer.
    pub failed: u64,
    /// The latencies of those answered; absent when none was.
    pub latency: Option<Latency>,
}

/// Latencies, counted from the moment a request was due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the requests were faster.
    pub p50_ms: f64,
    /// 90 % were faster.
    pub p90_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
    /// 99.9 % were faster.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// All requests of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// Where they went.
    pub target: String,
    /// Where they came from.
    #[serde(default)]
    pub source: String,
    /// How many fell due in each second.
    pub rate: u32,
    /// How long each could take.
    pub timeout_ms: u64,
    /// Requests that fell due but whose end was never reported (the generator was lost).
    pub unaccounted: u64,
    /// All of them.
    pub total: Tally,
    /// Those on fresh connections.
    #[serde(default)]
    pub fresh: Tally,
    /// Those on kept connections.
    #[serde(default)]
    pub kept: Tally,
    /// How late requests were started: the generator's own share of the latencies.
    #[serde(default)]
    pub late: Option<Latency>,
    /// Failed requests by kind.
    pub failures: BTreeMap<Failure, u64>,
    /// The pods that answered, in the order of their first answer.
    pub pods: Vec<String>,
    /// The length of an interval.
    pub interval_ms: u64,
    /// The series; an interval without requests is left out.
    pub intervals: Vec<Interval>,
    /// The first failed requests, one by one.
    pub first_failures: Vec<FailedRequest>,
}

/// The requests that fell due in one interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its beginning.
    pub at_ms: u64,
    /// Answers by pod.
    pub pods: BTreeMap<String, u64>,
    /// Failures by kind.
    pub failures: BTreeMap<Failure, u64>,
    /// Latencies of the answers.
    pub latency: Option<Latency>,
}

/// A request that had no exact answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedRequest {
    /// When it was due.
    pub due_ms: u64,
    /// How long after that it had failed.
    pub after_ms: u64,
    /// How.
    pub kind: Failure,
}

/// Where pods were, when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// The nodes, by name.
    pub nodes: Vec<NodeRow>,
    /// The pods, in the order they appeared.
    pub pods: Vec<PodRow>,
}

/// A node over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// Its states, each until the next; a gap means that it did not exist.
    pub spans: Vec<Span>,
}

/// A pod over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodRow {
    /// Its name.
    pub name: String,
    /// The node it was on; empty while it waits for one.
    pub node: String,
    /// Its states, each until the next.
    pub spans: Vec<Span>,
}

/// A state for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// From when.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// Which.
    pub state: State,
}

/// What a node or pod was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Ready; a pod only while its node is.
    Ready,
    /// Not Ready, or not yet.
    NotReady,
    /// A pod that is being deleted.
    Terminating,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at_ms: u64,
    /// What.
    pub kind: EventKind,
    /// To which node, pod or drill.
    pub subject: String,
    /// The same in words.
    pub text: String,
}

impl Event {
    /// An event at a time since the run's start.
    pub fn new(
        at: Duration,
        kind: EventKind,
        subject: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            at_ms: millis(at),
            kind,
            subject: subject.into(),
            text: text.into(),
        }
    }
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A drill began.
    DrillStarted,
    /// A drill ended.
    DrillEnded,
    /// kdrill did something to the cluster: scaled, cut a node, started one.
    Action,
    /// kdrill put back what it had changed.
    PutBack,
    /// A watch failed and is tried again.
    WatchFailed,
    /// A node joined.
    NodeAdded,
    /// A node became Ready.
    NodeReady,
    /// A node stopped being Ready.
    NodeNotReady,
    /// A node left.
    NodeRemoved,
    /// A pod was created.
    PodCreated,
    /// A pod became Ready.
    PodReady,
    /// A pod stopped being Ready.
    PodNotReady,
    /// A pod's deletion began.
    PodTerminating,
    /// A pod is gone.
    PodGone,
    /// The Service began to send traffic to a pod.
    EndpointAdded,
    /// The Service sends no more traffic to a pod.
    EndpointRemoved,
}

/// Whole milliseconds of a duration.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
