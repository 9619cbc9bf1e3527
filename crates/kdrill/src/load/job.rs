//! The generator as a Job, for clusters whose nodes nobody can enter: from a pod, the Service is
//! reached as by every other client in the cluster. Its log brings the results.
//!
//! The log may break off, for example with the API server, and is then read again from a moment
//! before: lines that come twice are told by their numbers. The Job must not outlive kdrill, which
//! may be killed: it has a deadline that kdrill moves on as long as it lives.

mod log;
mod pod;

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;
use tokio::{
    io::{DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, interval, timeout},
};

use self::pod::{PodStage, stage_of};
use crate::{
    command::Tail,
    drills::stage::ClientHandle,
    error::{Error, Result, chain},
};

/// The label of kdrill's Jobs: the UID of the Deployment that they send requests to.
const LABEL: &str = "kdrill/load-of";
/// How long the pod may take to run, its image being pulled.
const START: Duration = Duration::from_mins(1);
/// How long the Job lives when nobody moves its deadline on, and how often kdrill does.
const LEFT: Duration = Duration::from_mins(2);
const RENEW: Duration = Duration::from_secs(20);
/// How long the Job's remains stay, for a look at them.
const REMAINS: Duration = Duration::from_mins(1);
/// What Job to make.
#[derive(Clone, Debug)]
pub struct JobOrder {
    /// The API server.
    pub client: ClientHandle,
    /// The Job's namespace.
    pub namespace: String,
    /// The image, whose entrypoint is kdrill.
    pub image: String,
    /// The UID of the Deployment that requests are sent to.
    pub deployment: String,
}

/// What runs where, as a command line.
pub(super) fn words(order: &JobOrder, arguments: &[String]) -> Vec<String> {
    let place = ["job", "in", &order.namespace, "of", &order.image].map(str::to_owned);
    place.into_iter().chain(arguments.iter().cloned()).collect()
}

/// A generator that runs.
#[derive(Debug)]
pub(super) struct RunningJob {
    order: JobOrder,
    name: String,
    /// The node that its pod is on.
    pub(super) node: String,
    log: JoinHandle<()>,
    deadline: JoinHandle<()>,
}

impl JobOrder {
    /// Removes Jobs of runs that were killed.
    ///
    /// # Errors
    /// [`Error::Api`].
    pub async fn remove_leftovers(&self) -> Result<()> {
        let left = ListParams::default().labels(&format!("{LABEL}={}", self.deployment));
        self.jobs()
            .delete_collection(&DeleteParams::background(), &left)
            .await
            .map_err(|error| {
                Error::api(
                    format!("delete jobs labelled {LABEL} in {}", self.namespace),
                    &error,
                )
            })?;
        Ok(())
    }

    /// Makes the Job, waits for its pod, and gives its output.
    pub(super) async fn start(
        &self,
        arguments: &[String],
        errors: &Tail,
    ) -> Result<(RunningJob, DuplexStream), String> {
        let job = self
            .jobs()
            .create(&PostParams::default(), &self.job(arguments))
            .await
            .map_err(|error| format!("create a job in {}: {}", self.namespace, chain(&error)))?;
        let name = job.name_any();
        let deadline = tokio::spawn(live_on(self.clone(), name.clone()));
        let (pod, node) = match self.running(&name).await {
            Ok(found) => found,
            Err(cause) => {
                deadline.abort();
                self.delete(&name).await;
                return Err(cause);
            }
        };
        let (writer, reader) = duplex(1 << 16);
        let log = tokio::spawn(log::follow(self.pods(), pod, writer, errors.clone()));
        let running = RunningJob {
            order: self.clone(),
            name,
            node,
            log,
            deadline,
        };
        Ok((running, reader))
    }

    fn job(&self, arguments: &[String]) -> Job {
        let labels = json!({LABEL: self.deployment, "app.kubernetes.io/name": "kdrill-load"});
        let mut words = arguments.to_vec();
        words.push("--until-terminated".to_owned());
        let job = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"generateName": "kdrill-load-", "labels": labels},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": LEFT.as_secs(),
                "ttlSecondsAfterFinished": REMAINS.as_secs(),
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": false,
                        "terminationGracePeriodSeconds": 15,
                        "securityContext": {
                            "runAsNonRoot": true,
                            "runAsUser": 65532,
                            "runAsGroup": 65532,
                            "seccompProfile": {"type": "RuntimeDefault"},
                        },
                        // Nodes of the control plane are never cut.
                        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
                            "weight": 100,
                            "preference": {"matchExpressions": [{
                                "key": "node-role.kubernetes.io/control-plane",
                                "operator": "Exists",
                            }]},
                        }]}},
                        "containers": [{
                            "name": "load",
                            "image": self.image,
                            "args": words,
                            "resources": {"requests": {"cpu": "100m", "memory": "32Mi"}},
                            "securityContext": {
                                "allowPrivilegeEscalation": false,
                                "readOnlyRootFilesystem": true,
                                "capabilities": {"drop": ["ALL"]},
                            },
                        }],
                    },
                },
            },
        });
        #[expect(
            clippy::expect_used,
            reason = "the document is written above and the test reads it"
        )]
        serde_json::from_value(job).expect("a Job")
    }

    /// Waits for the Job's container to run; gives its pod and node.
    async fn running(&self, job: &str) -> Result<(String, String), String> {
        let config =
            watcher::Config::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        let mut pods = watcher(self.pods(), config)
            .default_backoff()
            .applied_objects()
            .boxed();
        let mut last = "no pod was made".to_owned();
        let wait = async {
            while let Some(update) = pods.next().await {
                match update.map(|pod| (stage_of(&pod), pod.name_any())) {
                    Ok((PodStage::Runs(node), pod)) => return Ok((pod, node)),
                    Ok((PodStage::Failed(why), _)) => return Err(why),
                    Ok((PodStage::Waits(why), _)) => last = why,
                    // A server that is away now is watched again in a moment.
                    Err(error) => last = error.to_string(),
                }
            }
            Err("the watch on its pod ended".to_owned())
        };
        let outcome = timeout(START, wait).await;
        outcome.unwrap_or_else(|_| Err(format!("not running within {} s: {last}", START.as_secs())))
    }

    async fn delete(&self, job: &str) {
        // Should the server refuse, the Job's deadline ends it.
        let _ = self.jobs().delete(job, &DeleteParams::background()).await;
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.0.clone(), &self.namespace)
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.0.clone(), &self.namespace)
    }
}

impl RunningJob {
    /// Asks it to end; its output ends when it has.
    pub(super) async fn ask_to_end(&mut self) {
        self.deadline.abort();
        self.order.delete(&self.name).await;
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.deadline.abort();
        self.log.abort();
    }
}

/// Moves the Job's deadline on for as long as this task lives.
async fn live_on(order: JobOrder, job: String) {
    let (made, mut renew) = (Instant::now(), interval(RENEW));
    renew.tick().await;
    loop {
        renew.tick().await;
        let deadline = (made.elapsed() + LEFT).as_secs();
        let patch = json!({"spec": {"activeDeadlineSeconds": deadline}});
        // A server that is away now is asked again in time.
        let _ = order
            .jobs()
            .patch(&job, &PatchParams::default(), &Patch::Merge(patch))
            .await;
    }
}
