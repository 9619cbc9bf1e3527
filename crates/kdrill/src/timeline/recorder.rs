//! The recorder: the one clock of a run, every state of the cluster since its start, and the
//! conditions that drills wait for.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use kube::runtime::watcher;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use super::{
    document::{Event, EventKind},
    events,
};
use crate::{
    cluster::{
        view::View,
        watch::{Observed, Update},
    },
    error::{Error, Result, chain},
};

/// How long the first complete lists may take.
const FIRST_LISTS: Duration = Duration::from_secs(15);

/// The cluster from one moment until the next snapshot.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Since the run's start.
    pub at: Duration,
    /// What the cluster was.
    pub view: Arc<View>,
}

/// Everything that happened in a run, on one monotonic clock.
#[derive(Debug)]
pub struct Timeline {
    start: Instant,
    started_at: Timestamp,
    record: Mutex<Record>,
    changed: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Record {
    history: Vec<Snapshot>,
    events: Vec<Event>,
    watch_error: Option<String>,
}

impl Timeline {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            started_at: Timestamp::now(),
            record: Mutex::default(),
            changed: watch::Sender::new(0),
        })
    }

    /// Feeds the recorder from the watches until the returned task is aborted. Comes back when
    /// every kind has been listed once.
    ///
    /// # Errors
    /// [`Error::NotSynced`] when a first list does not come within 15 s.
    pub async fn record(
        self: &Arc<Self>,
        updates: impl Stream<Item = Result<Update, watcher::Error>> + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let missing = watch::Sender::new(Observed::default().missing());
        let mut progress = missing.subscribe();
        let timeline = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut observed = Observed::default();
            let mut updates = std::pin::pin!(updates);
            while let Some(update) = updates.next().await {
                match update {
                    Ok(update) => observed.take(update),
                    Err(error) => timeline.watch_failed(&error),
                }
                let still_missing = observed.missing();
                if still_missing.is_empty() {
                    timeline.observe(observed.view());
                }
                missing.send_replace(still_missing);
            }
        });
        let listed = matches!(
            timeout(FIRST_LISTS, progress.wait_for(Vec::is_empty)).await,
            Ok(Ok(_))
        );
        if listed {
            return Ok(task);
        }
        task.abort();
        let cause = self.lock().watch_error.clone();
        let missing = progress.borrow().join(", ");
        Err(Error::NotSynced {
            missing,
            waited: FIRST_LISTS,
            cause: cause.unwrap_or_else(|| "no answer".to_owned()),
        })
    }

    /// Time since the run's start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The run's start by the calendar.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The time since the run's start of a moment; zero for moments before it.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.start)
    }

    /// Notes an event of the run itself, and says when that was.
    pub fn mark(
        &self,
        kind: EventKind,
        subject: impl Into<String>,
        text: impl Into<String>,
    ) -> Duration {
        let mut record = self.lock();
        let at = self.now();
        record.events.push(Event::new(at, kind, subject, text));
        at
    }

    /// Takes in the cluster's state, unless nothing changed.
    pub fn observe(&self, view: &View) {
        let mut record = self.lock();
        let at = self.now();
        let before = record
            .history
            .last()
            .map(|snapshot| Arc::clone(&snapshot.view));
        if before.as_deref() == Some(view) {
            return;
        }
        record
            .events
            .extend(events::between(at, before.as_deref(), view));
        record.history.push(Snapshot {
            at,
            view: Arc::new(view.clone()),
        });
        let length = record.history.len();
        drop(record);
        self.changed.send_replace(length);
    }

    /// The cluster's latest state.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.lock()
            .history
            .last()
            .map(|snapshot| Arc::clone(&snapshot.view))
            .unwrap_or_default()
    }

    /// Every state so far, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Snapshot> {
        self.lock().history.clone()
    }

    /// Every event so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// Waits for the first state, from the one in force at `from` on, that fulfils the condition;
    /// no state in between is skipped. `None` when there was none within `limit` from now.
    pub async fn wait(
        &self,
        from: Duration,
        limit: Duration,
        condition: impl Fn(&View) -> bool + Send,
    ) -> Option<Snapshot> {
        let mut changed = self.changed.subscribe();
        let mut next = in_force(&self.lock().history, from);
        let search = async {
            loop {
                changed.borrow_and_update();
                for snapshot in self.states_from(next) {
                    if condition(&snapshot.view) {
                        return Some(snapshot);
                    }
                    next += 1;
                }
                changed.changed().await.ok()?;
            }
        };
        timeout(limit, search).await.ok().flatten()
    }

    fn states_from(&self, index: usize) -> Vec<Snapshot> {
        self.lock()
            .history
            .get(index..)
            .map(<[_]>::to_vec)
            .unwrap_or_default()
    }

    fn watch_failed(&self, error: &watcher::Error) {
        let text = chain(error);
        let mut record = self.lock();
        // A server that is away fails every watch again and again: once is news.
        if record.watch_error.as_ref() != Some(&text) {
            let at = self.now();
            record
                .events
                .push(Event::new(at, EventKind::WatchFailed, "", text.clone()));
            record.watch_error = Some(text);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // The record is only appended to: what a panicking holder left is still true.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The index of the state in force at a moment.
fn in_force(history: &[Snapshot], moment: Duration) -> usize {
    history
        .partition_point(|snapshot| snapshot.at <= moment)
        .saturating_sub(1)
}

/// The first moment at or after `from` at which the condition holds.
#[must_use]
pub fn first(
    history: &[Snapshot],
    from: Duration,
    condition: impl Fn(&View) -> bool,
) -> Option<Duration> {
    history
        .get(in_force(history, from)..)?
        .iter()
        .find(|snapshot| condition(&snapshot.view))
        .map(|snapshot| snapshot.at.max(from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{view::tests::view, watch::Change};
    use futures::stream;

    #[tokio::test]
    async fn waiting_sees_states_that_came_and_went() {
        let timeline = Timeline::start();
        timeline.observe(&view(&["a@n1"], &["n1"]));
        let from = timeline.now();
        timeline.observe(&view(&["a@n1", "b@n1"], &["n1"]));
        timeline.observe(&view(&["a@n1"], &["n1"]));
        let seen = timeline
            .wait(from, Duration::from_secs(5), |view| view.pods.len() == 2)
            .await;
        assert_eq!(seen.unwrap().view.pods.len(), 2);
        let never = timeline
            .wait(from, Duration::from_millis(20), |view| view.pods.len() == 9)
            .await;
        assert!(never.is_none());
    }

    #[tokio::test]
    async fn waiting_wakes_on_a_change_that_comes_later() {
        let timeline = Timeline::start();
        let waiter = Arc::clone(&timeline);
        let task = tokio::spawn(async move {
            waiter
                .wait(Duration::ZERO, Duration::from_secs(10), |view| {
                    view.pods.contains_key("b")
                })
                .await
        });
        tokio::task::yield_now().await;
        timeline.observe(&view(&["b@n1"], &["n1"]));
        assert!(task.await.unwrap().is_some());
    }

    #[test]
    fn an_unchanged_state_is_recorded_once() {
        let timeline = Timeline::start();
        timeline.observe(&view(&["a@n1"], &["n1"]));
        timeline.observe(&view(&["a@n1"], &["n1"]));
        assert_eq!(timeline.history().len(), 1);
    }

    #[test]
    fn first_counts_from_the_state_in_force() {
        let at = |secs, view: View| Snapshot {
            at: Duration::from_secs(secs),
            view: Arc::new(view),
        };
        let history = [at(1, view(&["a@n1"], &["n1"])), at(5, view(&[], &["n1"]))];
        let has_pod = |view: &View| !view.pods.is_empty();
        assert_eq!(
            first(&history, Duration::from_secs(3), has_pod),
            Some(Duration::from_secs(3))
        );
        assert_eq!(first(&history, Duration::from_secs(6), has_pod), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_never_comes_is_an_error_that_names_it() {
        let timeline = Timeline::start();
        let some = stream::iter([
            Ok(Update::Pod(Change::Done)),
            Ok(Update::Node(Change::Done)),
        ]);
        let error = timeline
            .record(some.chain(stream::pending()))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("endpointslices, replicasets, deployments"),
            "{error}"
        );
        assert!(!error.contains("pods"), "{error}");
    }
}
