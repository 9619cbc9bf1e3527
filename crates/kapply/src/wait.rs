//! Stage 6: watch the targets until all are ready, one cannot get ready, or
//! the time is up, and say what was missing and why.

mod container;
mod creation;
mod event;
mod evidence;
mod feed;
mod goal;
mod lookup;
mod options;
mod pod;
mod pods;
mod readiness;
mod rollout;
mod selector;
mod trouble;
mod watch;

use std::time::Duration;

use http::Request;
use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use self::readiness::readiness;
pub use self::{
    event::Event,
    evidence::Log,
    options::{
        TIMEOUT_ANNOTATION, TimeoutFor, WAIT_FOR_ANNOTATION, WaitFor, WaitOptions, duration,
    },
};
use self::{
    trouble::Gravity,
    watch::{Judgement, Watch},
};
use crate::{
    connect::{Cluster, Retry},
    interrupt::Interrupt,
    mask::Mask,
    resolve::Target,
};

/// Reasons that are listed for one object; more say the same.
const MAX_REASONS: usize = 3;
/// Events that are listed for one object.
const MAX_EVENTS: usize = 4;
/// Objects whose logs are fetched at the end.
const MAX_LOGS: usize = 5;
/// How long a look waits for the first lists, and for what explains them.
const LOOK: Duration = Duration::from_secs(10);

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

/// The last status of one target, and what explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waited {
    /// How far it came.
    pub status: Status,
    /// What its pods say, if it is not ready.
    pub reasons: Vec<String>,
    /// What can be done about it.
    pub advice: Option<&'static str>,
    /// Recent warnings about it and its pods, the newest last.
    pub events: Vec<Event>,
    /// The ends of the logs of the containers that are to blame.
    pub logs: Vec<Log>,
    /// How long it was waited for: until it was ready or failed, or to the end.
    pub elapsed: Duration,
    /// How long it was to be waited for.
    pub timeout: Duration,
    /// Whether it was not ready when its time was up.
    pub timed_out: bool,
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
    let annotations = &target.object.value["metadata"]["annotations"];
    if annotations[WAIT_FOR_ANNOTATION].is_string() {
        return true;
    }
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

/// The server's time, to the second, for [`WaitOptions::since`]; `None` if it does not tell.
pub async fn server_time(cluster: &Cluster) -> Option<Timestamp> {
    let request = Request::get("/version").body(Vec::new()).ok()?;
    cluster.send(&request, Retry::Never).await.ok()?.date
}

/// Watches the targets until all are ready, one cannot get ready, or the time
/// of one is over. `observe` hears of every status that changes.
pub async fn wait(
    cluster: &Cluster,
    targets: &[Target],
    options: &WaitOptions,
    interrupt: &Interrupt,
    mut observe: impl FnMut(&Target, &Waited),
) -> WaitReport {
    let started = Instant::now();
    let mut watch = Watch::start(cluster, targets, options).await;
    let mut clock = Clock::new(started, &watch, targets.len(), options);
    let mut shown: Vec<Option<(Status, Vec<String>)>> = vec![None; targets.len()];
    let (end, judgements) = loop {
        let judgements = watch.judge();
        clock.note(&judgements);
        for (index, judgement) in judgements.iter().enumerate() {
            let waited = clock.waited(index, judgement, &options.mask, false);
            let news = (waited.status.clone(), waited.reasons.clone());
            if !judgement.is_unheard && shown[index].as_ref() != Some(&news) {
                observe(&targets[index], &waited);
                shown[index] = Some(news);
            }
        }
        match clock.end(&watch, &judgements) {
            Some(End::Failed) if watch.is_room_coming(&judgements).await => continue,
            Some(end) => break (end, judgements),
            None => {}
        }
        let wake = clock.wake(&watch, &judgements);
        tokio::select! {
            () = watch.news() => {}
            () = tokio::time::sleep_until(wake) => {}
            () = interrupt.asked() => break (End::Interrupted, judgements),
        }
    };
    let mut objects = clock.report(end, &judgements, options);
    explain(
        cluster,
        targets,
        &watch,
        &judgements,
        end,
        &mut objects,
        options,
    )
    .await;
    WaitReport { end, objects }
}

/// Adds events and logs to what is not ready. A look and an interrupted wait
/// are answered without logs: nobody wants to wait for them.
async fn explain(
    cluster: &Cluster,
    targets: &[Target],
    watch: &Watch<'_>,
    judgements: &[Judgement],
    end: End,
    objects: &mut [Waited],
    options: &WaitOptions,
) {
    let mut asked = Vec::new();
    for (index, waited) in objects.iter_mut().enumerate() {
        if waited.status.state == State::Ready {
            continue;
        }
        let told = format!("{}\n{}", waited.status.message, waited.reasons.join("\n"));
        let mut events = watch.events(index, &judgements[index]);
        for event in &mut events {
            let plain = evidence::tellable(&event.message);
            event.message = options.mask.text(&plain);
        }
        events.retain(|event| !event.is_told_by(&told));
        events.drain(..events.len().saturating_sub(MAX_EVENTS));
        waited.events = events;
        let is_final = waited.status.state == State::Failed || waited.timed_out;
        if is_final
            && end != End::Interrupted
            && !options.timeout.is_zero()
            && asked.len() < MAX_LOGS
        {
            asked.push(index);
        }
    }
    let logs = asked.iter().map(|index| {
        let namespace = targets[*index].namespace.as_deref();
        let troubles = &judgements[*index].troubles;
        evidence::logs(cluster, namespace, troubles, &options.mask)
    });
    for (index, logs) in asked.iter().zip(futures::future::join_all(logs).await) {
        // Such a program ends as any other does; only its log tells.
        let mut lines = logs.iter().flat_map(|log| &log.lines);
        let advice = lines.find_map(|line| trouble::format_advice(line));
        objects[*index].advice = advice.or(objects[*index].advice);
        objects[*index].logs = logs;
    }
}

/// The time of a wait: since when, until when, and when each target was settled.
struct Clock {
    started: Instant,
    /// Whether it is only looked once.
    is_look: bool,
    timeouts: Vec<Duration>,
    settled: Vec<Option<Instant>>,
}

impl Clock {
    fn new(started: Instant, watch: &Watch<'_>, targets: usize, options: &WaitOptions) -> Self {
        Self {
            started,
            is_look: options.timeout.is_zero(),
            timeouts: (0..targets)
                .map(|index| watch.terms(index).timeout)
                .collect(),
            settled: vec![None; targets],
        }
    }

    fn note(&mut self, judgements: &[Judgement]) {
        for (settled, judgement) in self.settled.iter_mut().zip(judgements) {
            *settled = match judgement.status.state {
                State::Pending => None,
                _ => settled.or_else(|| Some(Instant::now())),
            };
        }
    }

    fn deadline(&self, index: usize) -> Instant {
        self.started
            + if self.is_look {
                LOOK
            } else {
                self.timeouts[index]
            }
    }

    fn is_late(&self, index: usize, judgement: &Judgement) -> bool {
        judgement.status.state == State::Pending && Instant::now() >= self.deadline(index)
    }

    fn end(&self, watch: &Watch<'_>, judgements: &[Judgement]) -> Option<End> {
        let reached = |state| {
            judgements
                .iter()
                .any(|judgement| judgement.status.state == state)
        };
        // A look tells of all objects, not only of the first that has failed.
        let is_done = !self.is_look || watch.is_complete();
        let mut late = judgements.iter().enumerate();
        match (reached(State::Failed), reached(State::Pending)) {
            (true, _) if is_done => Some(End::Failed),
            (false, false) => Some(End::Ready),
            _ if self.is_look && is_done => Some(End::TimedOut),
            _ if late.any(|(index, judgement)| self.is_late(index, judgement)) => {
                Some(End::TimedOut)
            }
            _ => None,
        }
    }

    /// When to judge again without any news.
    fn wake(&self, watch: &Watch<'_>, judgements: &[Judgement]) -> Instant {
        let pending = judgements
            .iter()
            .enumerate()
            .filter(|(_, judgement)| judgement.status.state == State::Pending);
        let deadlines = pending.map(|(index, _)| self.deadline(index));
        let wake = deadlines.chain(watch.next_verdict()).min();
        wake.unwrap_or_else(|| Instant::now() + LOOK)
    }

    /// What is known about a target; `is_last` if nothing more will be.
    fn waited(&self, index: usize, judgement: &Judgement, mask: &Mask, is_last: bool) -> Waited {
        let conceal = |text: &str| mask.text(&evidence::tellable(text));
        let until = self.settled[index].unwrap_or_else(Instant::now);
        let status = Status {
            state: judgement.status.state,
            message: if judgement.troubles.is_empty() {
                judgement.status.message.clone()
            } else {
                conceal(&judgement.status.message)
            },
        };
        let news = judgement.troubles.iter();
        let news = news.filter(|trouble| is_last || trouble.gravity != Gravity::Passing);
        let reasons = news.map(|trouble| conceal(&trouble.text));
        let reasons = reasons.filter(|text| *text != status.message);
        Waited {
            reasons: reasons.take(MAX_REASONS).collect(),
            advice: judgement.troubles.iter().find_map(|trouble| trouble.advice),
            events: Vec::new(),
            logs: Vec::new(),
            elapsed: until - self.started,
            timeout: self.timeouts[index],
            timed_out: false,
            status,
        }
    }

    fn report(&self, end: End, judgements: &[Judgement], options: &WaitOptions) -> Vec<Waited> {
        let waited = judgements.iter().enumerate().map(|(index, judgement)| {
            let waited = self.waited(index, judgement, &options.mask, true);
            Waited {
                timed_out: end == End::TimedOut && !self.is_look && self.is_late(index, judgement),
                ..waited
            }
        });
        waited.collect()
    }
}
