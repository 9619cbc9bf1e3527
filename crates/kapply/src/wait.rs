//! Stage 7: watch the targets until all are ready, one cannot get ready, or
//! the time is up, and say what was missing and why.

mod feed;
mod pods;
mod readiness;
mod rollout;

use std::{collections::BTreeMap, time::Duration};

use futures::stream::{self, StreamExt as _};
use http::Request;
use serde_json::Value;
use tokio::time::Instant;

use self::feed::{Feed, FeedKey};
pub(crate) use self::readiness::readiness;
use crate::{
    connect::{Cluster, Retry},
    interrupt::Interrupt,
    resolve::Target,
};

/// Pods with trouble that are listed for one workload; more say the same.
const MAX_DETAILS: usize = 3;

/// The status of an object before the first list has arrived; no news for anybody.
const NO_WORD: &str = "no word from the API server yet";

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is as it should be.
    Ready,
    /// It may still get ready.
    Pending,
    /// It will not get ready.
    Failed,
}

/// How far an object is, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far.
    pub state: State,
    /// What is missing, or what was reached; may be empty.
    pub message: String,
}

/// The last status of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// How far it came.
    pub status: Status,
    /// What its pods say, if it is not ready.
    pub details: Vec<String>,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every target is ready.
    Ready,
    /// At least one target cannot get ready.
    Failed,
    /// The time was up.
    TimedOut,
    /// The user asked to stop.
    Interrupted,
}

/// What a wait found.
#[derive(Debug, Clone)]
pub struct WaitReport {
    /// How it ended.
    pub end: End,
    /// The targets' last statuses, in their order.
    pub objects: Vec<Waited>,
}

/// Whether there is anything to wait for once the object is applied: the
/// others are ready as soon as they exist.
#[must_use]
pub fn is_waited_for(target: &Target) -> bool {
    !matches!(
        (target.object.group(), target.object.kind()),
        (
            "",
            "ConfigMap"
                | "Secret"
                | "ServiceAccount"
                | "Namespace"
                | "ResourceQuota"
                | "LimitRange"
                | "Endpoints"
        ) | (
            "rbac.authorization.k8s.io"
                | "storage.k8s.io"
                | "scheduling.k8s.io"
                | "admissionregistration.k8s.io",
            _
        ) | ("batch", "CronJob")
    )
}

/// Watches the targets until they are ready, or `timeout` is over (zero: looks
/// once). `observe` hears of every status that changes.
pub async fn wait(
    cluster: &Cluster,
    targets: &[Target],
    timeout: Duration,
    interrupt: &Interrupt,
    mut observe: impl FnMut(&Target, &Status),
) -> WaitReport {
    let deadline = Instant::now() + timeout;
    let mut watch = Watch::start(cluster, targets).await;
    let mut streams: stream::SelectAll<_> = watch
        .keys
        .iter()
        .enumerate()
        .map(|(number, key)| key.stream(cluster, number))
        .collect();
    let mut shown: BTreeMap<usize, Status> = BTreeMap::new();
    loop {
        let objects: Vec<_> = targets.iter().map(|target| watch.judge(target)).collect();
        for (index, waited) in objects.iter().enumerate() {
            if waited.status.message != NO_WORD && shown.get(&index) != Some(&waited.status) {
                observe(&targets[index], &waited.status);
                shown.insert(index, waited.status.clone());
            }
        }
        let reached = |state| objects.iter().any(|waited| waited.status.state == state);
        let end = match (reached(State::Failed), reached(State::Pending)) {
            (true, _) => Some(End::Failed),
            (_, false) => Some(End::Ready),
            // Looking once means: until everything has been listed.
            _ if timeout.is_zero() && watch.is_complete() => Some(End::TimedOut),
            _ => None,
        };
        if let Some(end) = end {
            return WaitReport { end, objects };
        }
        let patience = if timeout.is_zero() {
            deadline + Duration::from_secs(10)
        } else {
            deadline
        };
        tokio::select! {
            Some((number, event)) = streams.next() => watch.feeds[number].take(event),
            () = tokio::time::sleep_until(patience) => return WaitReport { end: End::TimedOut, objects },
            () = interrupt.asked() => return WaitReport { end: End::Interrupted, objects },
        }
        // What has already arrived is judged at once, not one change at a time.
        while let Some(Some((number, event))) = futures::FutureExt::now_or_never(streams.next()) {
            watch.feeds[number].take(event);
        }
    }
}

struct Watch {
    keys: Vec<FeedKey>,
    feeds: Vec<Feed>,
    /// Feeds from here on are only for diagnosis.
    targets_end: usize,
    /// Storage classes whose claims stay unbound until a pod uses them.
    late_binding: Vec<String>,
}

impl Watch {
    async fn start(cluster: &Cluster, targets: &[Target]) -> Self {
        let mut keys = feed::keys(targets);
        let targets_end = keys.len();
        keys.extend(feed::diagnosis_keys(targets));
        let has_claims = targets
            .iter()
            .any(|target| target.object.kind() == "PersistentVolumeClaim");
        let late_binding = if has_claims {
            late_binding_classes(cluster).await
        } else {
            Vec::new()
        };
        let feeds = keys.iter().map(Feed::new).collect();
        Self {
            keys,
            feeds,
            targets_end,
            late_binding,
        }
    }

    fn is_complete(&self) -> bool {
        self.feeds[..self.targets_end]
            .iter()
            .all(|feed| feed.complete)
    }

    fn judge(&self, target: &Target) -> Waited {
        let bare = |status| Waited {
            status,
            details: Vec::new(),
        };
        let Some(feed) = self.feed(
            0..self.targets_end,
            &target.resource.plural,
            &target.resource.group,
            target,
        ) else {
            return bare(Status::pending("not watched"));
        };
        if let Some(reason) = &feed.broken {
            return bare(Status::failed(format!("it cannot be watched: {reason}")));
        }
        let Some(live) = feed.get(target.object.name()) else {
            return bare(Status::pending(if feed.complete {
                "it does not exist"
            } else {
                NO_WORD
            }));
        };
        let mut status = readiness::readiness(live);
        if status.state == State::Pending && self.waits_for_consumer(live) {
            status = Status::ready("unbound until a pod uses it (WaitForFirstConsumer)");
        }
        if status.state == State::Ready {
            return bare(status);
        }
        let troubles = self.troubles(target, live);
        if let Some(fatal) = troubles
            .iter()
            .find(|trouble| trouble.fatal)
            .filter(|_| status.state == State::Pending)
        {
            status = Status::failed(fatal.text.clone());
        }
        let details = troubles
            .into_iter()
            .map(|trouble| trouble.text)
            .filter(|text| *text != status.message);
        Waited {
            details: details.take(MAX_DETAILS).collect(),
            status,
        }
    }

    fn troubles(&self, target: &Target, live: &Value) -> Vec<pods::Trouble> {
        if target.object.kind() == "Pod" && target.object.group().is_empty() {
            return pods::trouble(live, true).into_iter().collect();
        }
        // Until the controller has seen the change, its newest pods are of the revision before it.
        let seen =
            live.pointer("/status/observedGeneration") == live.pointer("/metadata/generation");
        let diagnosis = self.targets_end..self.keys.len();
        let Some(feed) = self
            .feed(diagnosis.clone(), "pods", "", target)
            .filter(|_| seen || live["kind"] == "Job")
        else {
            return Vec::new();
        };
        let sets = self.feed(diagnosis, "replicasets", "apps", target);
        let sets: Vec<_> = sets.into_iter().flat_map(Feed::all).collect();
        pods::troubles(live, &feed.all().collect::<Vec<_>>(), &sets)
    }

    fn feed(
        &self,
        range: std::ops::Range<usize>,
        plural: &str,
        group: &str,
        target: &Target,
    ) -> Option<&Feed> {
        let fits = |key: &FeedKey| {
            key.resource.plural == plural
                && key.resource.group == group
                && key.namespace == target.namespace
        };
        let number = range.into_iter().find(|number| fits(&self.keys[*number]))?;
        Some(&self.feeds[number])
    }

    fn waits_for_consumer(&self, live: &Value) -> bool {
        let class = live
            .pointer("/spec/storageClassName")
            .and_then(Value::as_str);
        live["kind"] == "PersistentVolumeClaim"
            && class.is_some_and(|class| self.late_binding.iter().any(|late| late == class))
    }
}

/// Names of the storage classes with `WaitForFirstConsumer`; none if they cannot be read.
async fn late_binding_classes(cluster: &Cluster) -> Vec<String> {
    let Ok(request) = Request::get("/apis/storage.k8s.io/v1/storageclasses").body(Vec::new())
    else {
        return Vec::new();
    };
    let Ok(reply) = cluster.send(&request, Retry::Transient).await else {
        return Vec::new();
    };
    let list: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let classes = list["items"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    classes
        .iter()
        .filter(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
        .filter_map(|class| class.pointer("/metadata/name")?.as_str().map(str::to_owned))
        .collect()
}
