//! What a drill acts on: the cluster, the load, the timeline, and the run's parameters.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use kube::Client;

use super::{Findings, Need};
use crate::{
    cluster::{
        field::{self, Field},
        manifests::Manifests,
        target::Target,
        view::View,
    },
    command::UserCommand,
    error::{Error, Result},
    judge::{failures, latency},
    limits::Changes,
    load::handle::Load,
    progress::Progress,
    putback::{Change, Journal, Means, NodeRef},
    timeline::{
        document::EventKind,
        recorder::{Snapshot, Timeline},
    },
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
    /// Who answers for names in the cluster.
    pub name_server: Option<IpAddr>,
    /// The domain of the cluster's names.
    pub cluster_domain: String,
    /// What promises allow, where it is not what the drills say.
    pub limits: Changes,
    /// How long to wait for a state before its promise counts as broken.
    pub timeout: Duration,
    /// How long all requests must have been answered before something is done, and again after.
    pub steady: Duration,
    /// Cuts a node; its name is appended.
    pub node_down: Option<UserCommand>,
    /// Starts a node; its name is appended.
    pub node_up: Option<UserCommand>,
    /// Adds a node.
    pub node_add: Option<UserCommand>,
    /// Cuts a node's network; its name is appended.
    pub partition: Option<UserCommand>,
    /// Gives a node its network back; its name is appended.
    pub heal: Option<UserCommand>,
    /// Restarts the control plane.
    pub control_plane_restart: Option<UserCommand>,
    /// The image to roll out.
    pub image_next: Option<String>,
    /// The image that must never serve.
    pub image_broken: Option<String>,
    /// What container images must resolve to, any of these; empty for no demand.
    pub image_digests: Vec<String>,
    /// The stack's manifests.
    pub manifests: Manifests,
    /// Nodes that are never cut.
    pub protect: Vec<String>,
    /// The node that others will cut.
    pub expect_lost: Option<String>,
    /// Written when the node may be cut.
    pub ready_marker: Option<PathBuf>,
    /// Written when the node may be started again.
    pub recovered_marker: Option<PathBuf>,
}

impl Params {
    /// The flags that are missing for a need, in words; `None` when it is fulfilled.
    #[must_use]
    pub fn missing(&self, need: Need) -> Option<&'static str> {
        let expected = self.expect_lost.is_some();
        match need {
            Need::NodeAdd if self.node_add.is_none() => {
                Some("--node-add CMD, the command that adds a node")
            }
            Need::NodeLoss if !expected && self.node_down.is_none() => {
                Some("--node-down CMD, the command that cuts a node (or --expect-lost NODE)")
            }
            Need::NodeLoss if !expected && self.node_up.is_none() => {
                Some("--node-up CMD, the command that starts a node")
            }
            Need::Partition if !expected && self.partition.is_none() => Some(
                "--partition CMD, the command that cuts a node's network (or --expect-lost NODE)",
            ),
            Need::Partition if !expected && self.heal.is_none() => {
                Some("--heal CMD, the command that gives a node its network back")
            }
            Need::ImageNext if self.image_next.is_none() => {
                Some("--image-next REF, the image to roll out")
            }
            Need::Manifests if self.manifests.paths.is_empty() => {
                Some("--manifests PATH, what the stack was applied from")
            }
            Need::ControlPlaneRestart if self.control_plane_restart.is_none() => {
                Some("--control-plane-restart CMD, the command that restarts the control plane")
            }
            _ => None,
        }
    }
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
            findings.check(
                format!("the drill begins with {replicas} replicas, Ready and serving"),
                counted(&view),
                format!("{replicas} within {} s", self.params.timeout.as_secs()),
                false,
            );
        }
        whole.is_some()
    }

    /// Waits for a state since `asked`, and notes whether and when it was reached.
    pub async fn reach(
        &self,
        findings: &mut Findings,
        promise: impl Into<String>,
        asked: Duration,
        condition: impl Fn(&View) -> bool + Send,
    ) -> Option<Snapshot> {
        let limit = self.params.timeout;
        let reached = self.timeline.wait(asked, limit, condition).await;
        findings.reached(
            promise,
            format!("within {} s", limit.as_secs()),
            reached.as_ref().map(|snapshot| seconds(asked, snapshot.at)),
        );
        reached
    }

    /// Changes a field of the Deployment until it is put back; gives the moment.
    ///
    /// # Errors
    /// When the server refuses, or the journal cannot be written.
    pub async fn change(&self, field: &Field, manager: &str) -> Result<Duration> {
        let (client, target) = (&self.client.0, &self.target);
        let (namespace, deployment) = (&target.namespace, &target.deployment);
        let saved = field::save(client, namespace, deployment, field).await?;
        self.journal.add(Change::Field(saved))?;
        let asked = self.act(deployment, &field.words());
        field::set(client, namespace, deployment, field, manager).await?;
        Ok(asked)
    }

    /// A node as the journal names it.
    #[must_use]
    pub fn node(&self, name: &str) -> NodeRef {
        NodeRef {
            node: name.to_owned(),
            uid: self
                .timeline
                .view()
                .nodes
                .get(name)
                .and_then(|node| node.uid.clone()),
        }
    }

    /// The fewest replicas that were Ready and serving in any state since `from`.
    #[must_use]
    pub fn fewest_serving(&self, from: Duration) -> usize {
        let history = self.timeline.history();
        let begin = history.partition_point(|snapshot| snapshot.at <= from);
        history
            .iter()
            .skip(begin.saturating_sub(1))
            .map(|snapshot| snapshot.view.ready_names().len())
            .min()
            .unwrap_or_default()
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

    /// Waits for the end of all requests due since `from`, and judges how many failed and how long
    /// the others took.
    ///
    /// # Errors
    /// [`Error::Load`] when the generator is gone.
    pub async fn judge_requests(&self, from: Duration, findings: &mut Findings) -> Result<()> {
        let until = self.timeline.now();
        self.load()?.settled(until).await?;
        let samples = self.load()?.between(from, until);
        let limits = findings.limits;
        findings.checks.push(failures::judge(
            "no request fails",
            &samples,
            limits.max_failed,
        ));
        findings
            .checks
            .extend(latency::judge(samples.iter(), limits.max_p99));
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
        let means = Means {
            client: &self.client.0,
            node_up: self.params.node_up.as_ref(),
            heal: self.params.heal.as_ref(),
        };
        self.journal.put_back(change, means).await
    }
}

/// Seconds between two moments.
#[must_use]
pub fn seconds(from: Duration, until: Duration) -> f64 {
    until.saturating_sub(from).as_secs_f64()
}

/// A view's replicas, counted for a message.
#[must_use]
pub fn counted(view: &View) -> String {
    format!(
        "{} pods, {} Ready, {} serving",
        view.pods.len(),
        view.ready_names().len(),
        view.serving().len()
    )
}
