//! Everything that is watched, and what it says about each target. Pods,
//! replica sets and events are only watched where something is not ready.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    pin::Pin,
};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    stream::{self, SelectAll},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    State, Status, WaitOptions,
    container::Rules,
    creation,
    event::{self, Event},
    feed::{self, Feed, FeedKey},
    lookup,
    options::Terms,
    pod,
    pods::{self, Learnt, Neighbourhood},
    readiness,
    trouble::{Gravity, Trouble},
};
use crate::{connect::Cluster, resolve::Target};

type Updates = Pin<Box<dyn Stream<Item = feed::Update> + Send>>;

/// What is known about one target right now.
#[derive(Debug, Clone)]
pub(super) struct Judgement {
    pub(super) status: Status,
    pub(super) troubles: Vec<Trouble>,
    /// UIDs of the object and of what belongs to it.
    pub(super) uids: Vec<String>,
    /// Whether nothing has been heard of it yet.
    pub(super) is_unheard: bool,
}

pub(super) struct Watch<'run> {
    cluster: &'run Cluster,
    targets: &'run [Target],
    terms: Vec<Terms>,
    rules: Rules,
    feeds: Vec<Feed>,
    streams: SelectAll<Updates>,
    /// The feed that shows each target.
    shown_by: Vec<usize>,
    /// The feeds that explain each namespace: pods, replica sets, events.
    explained_by: BTreeMap<String, [usize; 3]>,
    /// Storage classes whose claims stay unbound until a pod uses them.
    late_binding: Vec<String>,
    /// When trouble that may pass was first seen, by UID and reason.
    first_seen: HashMap<(String, String), Instant>,
    learnt: Learnt,
}

impl<'run> Watch<'run> {
    pub(super) async fn start(
        cluster: &'run Cluster,
        targets: &'run [Target],
        options: &WaitOptions,
    ) -> Self {
        let keys = feed::keys(targets);
        let shows = |target: &Target| {
            let shows = |key: &FeedKey| {
                key.resource == target.resource && key.namespace == target.namespace
            };
            // keys() made one for every target.
            keys.iter().position(shows).unwrap_or_default()
        };
        let shown_by = targets.iter().map(shows).collect();
        let has_claims = targets
            .iter()
            .any(|target| target.object.kind() == "PersistentVolumeClaim");
        let mut watch = Self {
            cluster,
            targets,
            terms: targets.iter().map(|target| options.terms(target)).collect(),
            rules: Rules {
                since: options.since,
                allow_restarts: options.allow_restarts.into(),
                crashes_are_counted: false,
            },
            feeds: Vec::new(),
            streams: stream::select_all([]),
            shown_by,
            explained_by: BTreeMap::new(),
            late_binding: if has_claims {
                lookup::late_binding_classes(cluster).await
            } else {
                Vec::new()
            },
            first_seen: HashMap::new(),
            learnt: Learnt::default(),
        };
        for key in keys {
            watch.open(&key);
        }
        watch
    }

    fn open(&mut self, key: &FeedKey) -> usize {
        let number = self.feeds.len();
        self.feeds.push(Feed::new(key));
        self.streams.push(key.stream(self.cluster, number));
        number
    }

    /// Waits for news, and takes in all that has arrived.
    pub(super) async fn news(&mut self) {
        let Some((number, event)) = self.streams.next().await else {
            return std::future::pending().await;
        };
        self.feeds[number].take(event);
        while let Some(Some((number, event))) = self.streams.next().now_or_never() {
            self.feeds[number].take(event);
        }
    }

    /// Whether every target has been listed, and what explains those that are not ready.
    pub(super) fn is_complete(&self) -> bool {
        self.feeds.iter().all(Feed::is_settled)
    }

    pub(super) fn terms(&self, index: usize) -> &Terms {
        &self.terms[index]
    }

    /// The next moment at which trouble that lasts becomes final.
    pub(super) fn next_verdict(&self) -> Option<Instant> {
        let grace = super::trouble::GRACE;
        let now = Instant::now();
        let ends = self.first_seen.values().map(|first| *first + grace);
        ends.filter(|end| *end > now).min()
    }

    /// Judges all targets by what has been seen so far.
    pub(super) fn judge(&mut self) -> Vec<Judgement> {
        let mut judgements: Vec<_> = (0..self.targets.len())
            .map(|index| self.judge_alone(index))
            .collect();
        for (target, judgement) in self.targets.iter().zip(&judgements) {
            if judgement.status.state != State::Ready
                && !judgement.is_unheard
                && let Some(namespace) = &target.namespace
            {
                self.explain(namespace);
            }
        }
        self.add_troubles(&mut judgements);
        judgements
    }

    /// What an object says about itself.
    fn judge_alone(&self, index: usize) -> Judgement {
        let (target, terms) = (&self.targets[index], &self.terms[index]);
        let bare = |status, is_unheard| Judgement {
            status,
            troubles: Vec::new(),
            uids: Vec::new(),
            is_unheard,
        };
        let feed = &self.feeds[self.shown_by[index]];
        if let Some(reason) = &feed.broken {
            let text = format!("it cannot be watched: {reason}");
            return bare(Status::failed(text), false);
        }
        let Some(live) = feed.get(target.object.name()) else {
            return match (&feed.faltering, feed.complete) {
                (_, true) => bare(Status::pending("it does not exist"), false),
                (Some(why), false) => {
                    let text = format!("the API server cannot be asked right now: {why}");
                    bare(Status::pending(text), false)
                }
                (None, false) => bare(Status::pending("no word from the API server yet"), true),
            };
        };
        let mut status = readiness::readiness(live);
        if status.state == State::Pending && self.waits_for_consumer(live) {
            status = Status::ready("unbound until a pod uses it (WaitForFirstConsumer)");
        }
        if status.state == State::Failed && self.is_late_of_before(live) {
            status.state = State::Pending;
        }
        if status.state != State::Ready && live.pointer("/spec/paused") == Some(&true.into()) {
            status = paused(target, status);
        }
        for goal in &terms.goals {
            status = match goal.judge(live, status.clone()) {
                reached if reached.state == State::Ready => reached,
                missing => {
                    status = missing;
                    break;
                }
            };
        }
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str);
        Judgement {
            uids: uid.map(str::to_owned).into_iter().collect(),
            ..bare(status, false)
        }
    }

    fn explain(&mut self, namespace: &str) {
        if self.explained_by.contains_key(namespace) {
            return;
        }
        let feeds = feed::diagnosis_keys(namespace).map(|key| self.open(&key));
        if let Entry::Vacant(entry) = self.explained_by.entry(namespace.to_owned()) {
            entry.insert(feeds);
        }
    }

    /// Adds what pods and events say, and fails what they say cannot succeed.
    fn add_troubles(&mut self, judgements: &mut [Judgement]) {
        let around: BTreeMap<&str, Neighbourhood<'_>> = self
            .explained_by
            .iter()
            .map(|(namespace, [pods, sets, events])| {
                let owned = self.feeds[*pods].all().chain(self.feeds[*sets].all());
                let around = Neighbourhood::new(owned, self.feeds[*events].all());
                (namespace.as_str(), around)
            })
            .collect();
        let now = Instant::now();
        let mut still = HashMap::new();
        for (index, judgement) in judgements.iter_mut().enumerate() {
            let target = &self.targets[index];
            let live = self.feeds[self.shown_by[index]].get(target.object.name());
            let around = target
                .namespace
                .as_deref()
                .and_then(|name| around.get(name));
            let (Some(live), Some(around)) = (live, around) else {
                continue;
            };
            if judgement.status.state == State::Ready {
                continue;
            }
            let mut troubles = troubles(live, around, self.rules, &mut self.learnt);
            for trouble in &mut troubles {
                let Gravity::Lasting(grace) = trouble.gravity else {
                    continue;
                };
                let key = (trouble.uid.clone(), trouble.reason.clone());
                let first = *self.first_seen.get(&key).unwrap_or(&now);
                if now >= first + grace {
                    trouble.gravity = Gravity::Fatal;
                }
                still.insert(key, first);
            }
            troubles.sort_by_key(|trouble| trouble.gravity != Gravity::Fatal);
            if let Some(first) = troubles.first()
                && first.gravity == Gravity::Fatal
                && judgement.status.state == State::Pending
            {
                judgement.status = Status::failed(first.text.clone());
            }
            judgement
                .uids
                .extend(troubles.iter().map(|trouble| trouble.uid.clone()));
            let set = around.current_set(live);
            let set = set.and_then(|set| set.pointer("/metadata/uid")?.as_str());
            judgement.uids.extend(set.map(str::to_owned));
            judgement.troubles = troubles;
        }
        self.first_seen = still;
    }

    /// The Warning events about a target and its pods, the newest last.
    pub(super) fn events(&self, index: usize, judgement: &Judgement) -> Vec<Event> {
        let namespace = self.targets[index].namespace.as_deref().unwrap_or_default();
        let Some([_, _, events]) = self.explained_by.get(namespace) else {
            return Vec::new();
        };
        let uids: Vec<_> = judgement.uids.iter().map(String::as_str).collect();
        event::about(self.feeds[*events].all(), &uids)
    }

    /// Whether somebody is adding a node for a pod that had no room: then it
    /// is waited for. Asked only when a wait would end for want of room.
    pub(super) async fn is_room_coming(&mut self, judgements: &[Judgement]) -> bool {
        let mut is_coming = false;
        for (target, judgement) in self.targets.iter().zip(judgements) {
            for trouble in &judgement.troubles {
                if trouble.reason == "Unschedulable"
                    && trouble.gravity == Gravity::Fatal
                    && lookup::is_node_coming(self.cluster, target, &trouble.uid).await
                {
                    is_coming |= self.learnt.node_is_coming.insert(trouble.uid.clone());
                }
            }
        }
        is_coming
    }

    /// Whether a deployment's deadline passed before this run: what was applied
    /// since, such as a config map, may help it yet.
    fn is_late_of_before(&self, live: &Value) -> bool {
        let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|condition| {
            condition["reason"] == "ProgressDeadlineExceeded"
                && self.rules.is_before(condition.get("lastUpdateTime"))
        })
    }

    fn waits_for_consumer(&self, live: &Value) -> bool {
        let class = live
            .pointer("/spec/storageClassName")
            .and_then(Value::as_str);
        live["kind"] == "PersistentVolumeClaim"
            && class.is_some_and(|class| self.late_binding.iter().any(|late| late == class))
    }
}

fn troubles(
    live: &Value,
    around: &Neighbourhood<'_>,
    rules: Rules,
    learnt: &mut Learnt,
) -> Vec<Trouble> {
    let kind = live["kind"].as_str().unwrap_or_default();
    if kind == "Pod" {
        return pod::trouble(live, around, &rules, learnt)
            .into_iter()
            .collect();
    }
    // Until the controller has seen the change, its newest pods are of the revision before it.
    let seen = live.pointer("/status/observedGeneration") == live.pointer("/metadata/generation");
    let rules = Rules {
        // A job counts crashes itself: its backoffLimit says when it has failed.
        crashes_are_counted: kind == "Job",
        ..rules
    };
    match kind {
        "Deployment" if !seen => creation::no_replica_set(live).into_iter().collect(),
        "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" if !seen => Vec::new(),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => {
            let mut found = pods::troubles(live, around, &rules, learnt);
            found.extend(creation::trouble(live, around, &rules));
            found
        }
        _ => Vec::new(),
    }
}

/// A paused rollout goes nowhere: as wanted if the manifest says so, otherwise for ever.
fn paused(target: &Target, status: Status) -> Status {
    if target.object.group() != "apps" {
        return status;
    }
    if target.object.value.pointer("/spec/paused") == Some(&true.into()) {
        return Status::ready("paused, as its manifest says");
    }
    Status::failed(format!(
        "the rollout is paused (spec.paused): {}; go on with: kubectl rollout resume",
        status.message
    ))
}
