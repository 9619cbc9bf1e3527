//! What a drill acts on: the cluster, the load, the timeline, and the run's parameters.

use std::{path::PathBuf, sync::Arc, time::Duration};

use kube::Client;

use super::Findings;
use crate::{
    cluster::target::Target,
    command::UserCommand,
    error::{Error, Result},
    judge::failures,
    load::handle::Load,
    progress::Progress,
    putback::{Change, Journal},
    timeline::{document::EventKind, recorder::Timeline},
};

/// The numbers and commands that a run was given.
#[derive(Clone, Debug)]
pub struct Params {
    /// How many replicas there must be.
    pub replicas: usize,
    /// How many the scale drill scales to.
    pub scale_to: usize,
    /// How many requests the balance drill judges.
    pub requests: u64,
    /// How many requests may fail in a drill (node-loss: outside its window).
    pub max_failed: u64,
    /// How long recovering from a lost node may take.
    pub max_recovery: Duration,
    /// How long to wait for a state before its promise counts as broken.
    pub timeout: Duration,
    /// How long all requests must have been answered before a node is cut, and again after.
    pub steady: Duration,
    /// Cuts a node; its name is appended.
    pub node_down: Option<UserCommand>,
    /// Starts a node; its name is appended.
    pub node_up: Option<UserCommand>,
    /// Adds a node.
    pub node_add: Option<UserCommand>,
    /// Nodes that are never cut.
    pub protect: Vec<String>,
    /// The node that others will cut.
    pub expect_lost: Option<String>,
    /// Written when the node may be cut.
    pub ready_marker: Option<PathBuf>,
    /// Written when the node may be started again.
    pub recovered_marker: Option<PathBuf>,
}

/// What a drill acts on.
#[derive(Debug)]
pub struct Stage {
    /// The API server.
    pub client: ClientHandle,
    /// The Deployment and the Service.
    pub target: Target,
    /// The recorder.
    pub timeline: Arc<Timeline>,
    /// The requests, if any drill of the run needs them.
    pub load: Option<Arc<Load>>,
    /// The parameters.
    pub params: Params,
    /// What is to be put back.
    pub journal: Journal,
    /// Where to say what is going on.
    pub progress: Progress,
}

/// A client, which has no `Debug` of its own.
#[derive(Clone)]
pub struct ClientHandle(pub Client);

impl std::fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Stage {
    /// The requests.
    ///
    /// # Errors
    /// [`Error::Usage`] when the run has none, because no drill said it needs them.
    pub fn load(&self) -> Result<&Load> {
        self.load
            .as_deref()
            .ok_or_else(|| Error::Usage("this drill runs under load, and there is none".to_owned()))
    }

    /// Says what is going on, on the timeline and to the user; gives the moment.
    pub fn act(&self, subject: &str, text: &str) -> Duration {
        self.progress.step(text);
        self.timeline.mark(EventKind::Action, subject, text)
    }

    /// Waits until all replicas are there and serving, which is where most drills begin. Notes the
    /// broken promise when they are not within the time limit.
    pub async fn whole(&self, findings: &mut Findings) -> bool {
        let replicas = self.params.replicas;
        self.progress.step(&format!(
            "waiting for {replicas} replicas, Ready and serving"
        ));
        let whole = self
            .timeline
            .wait(self.timeline.now(), self.params.timeout, |view| {
                view.whole(replicas)
            })
            .await;
        if whole.is_none() {
            let view = self.timeline.view();
            findings.checks.push(crate::timeline::document::Check {
                promise: format!("the drill begins with {replicas} replicas, Ready and serving"),
                measured: format!(
                    "{} pods, {} Ready, {} serving",
                    view.pods.len(),
                    view.ready_names().len(),
                    view.serving().len()
                ),
                limit: format!("{replicas} within {} s", self.params.timeout.as_secs()),
                held: false,
            });
        }
        whole.is_some()
    }

    /// Waits for a stretch of `--steady` seconds in which every request is answered, and notes
    /// whether there was one. A replica is listed a moment before every node sends to it.
    ///
    /// # Errors
    /// When the load is gone.
    pub async fn steady(&self, findings: &mut Findings, promise: &str) -> Result<bool> {
        let (length, limit) = (self.params.steady, self.params.timeout);
        self.progress.step(&format!(
            "waiting for {} s without a failed request",
            length.as_secs()
        ));
        let now = self.timeline.now();
        let steady = self.load()?.steady(now, length, limit).await?;
        findings.reached(
            promise,
            format!(
                "all, for {} s within {} s",
                length.as_secs(),
                limit.as_secs()
            ),
            steady.then(|| seconds(now, self.timeline.now())),
        );
        Ok(steady)
    }

    /// Waits for the end of all requests due since `from`, and judges how many failed.
    ///
    /// # Errors
    /// [`Error::Load`] when the generator is gone.
    pub async fn judge_failures(&self, from: Duration, findings: &mut Findings) -> Result<()> {
        let until = self.timeline.now();
        self.load()?.settled(until).await?;
        let samples = self.load()?.between(from, until);
        findings.checks.push(failures::judge(
            "no request fails",
            &samples,
            self.params.max_failed,
        ));
        Ok(())
    }

    /// Puts back everything that was changed, newest first.
    ///
    /// # Errors
    /// The first failure; the rest is put back all the same.
    pub async fn put_back(&self) -> Result<()> {
        let mut outcome = Ok(());
        for change in self.journal.changes().iter().rev() {
            self.put_back_one(change).await.unwrap_or_else(|error| {
                self.progress
                    .warn(&format!("could not {}: {error}", change.undoing()));
                if outcome.is_ok() {
                    outcome = Err(error);
                }
            });
        }
        outcome
    }

    async fn put_back_one(&self, change: &Change) -> Result<()> {
        let text = change.undoing();
        self.progress.step(&text);
        self.timeline.mark(EventKind::PutBack, "", &text);
        self.journal
            .put_back(change, &self.client.0, self.params.node_up.as_ref())
            .await
    }
}

/// Seconds between two moments.
#[must_use]
pub fn seconds(from: Duration, until: Duration) -> f64 {
    until.saturating_sub(from).as_secs_f64()
}
