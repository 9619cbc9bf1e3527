//! What the handle has heard from the generator: its lines become samples on the timeline's clock,
//! and progress that others wait for.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    sync::{oneshot, watch},
};

use super::{
    generate::due,
    record::{Failure, Line, Record},
};
use crate::{command::Tail, timeline::recorder::Timeline};

/// One request on the timeline's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When it was due, since the run's start.
    pub due: Duration,
    /// From then to its end.
    pub latency: Duration,
    /// How late it was started.
    pub late: Duration,
    /// It used a connection that was kept, or was to be kept.
    pub kept: bool,
    /// The pod that answered exactly, or how it failed.
    pub answer: Result<Arc<str>, Failure>,
}

/// How far the load has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// Every request due before this has ended.
    pub(super) settled: Duration,
    /// The latest moment at which a failed request was due.
    pub(super) last_failure: Option<Duration>,
    /// Set when the generator is gone, with the reason.
    pub(super) ended: Option<String>,
}

/// What one more request means for the progress.
pub(super) struct Step {
    settled: Duration,
    failure: Option<Duration>,
}

impl Step {
    fn note(self, progress: &watch::Sender<Progress>) {
        progress.send_modify(|progress| {
            progress.settled = self.settled;
            progress.last_failure = progress.last_failure.max(self.failure);
        });
    }
}

#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) samples: Vec<Sample>,
    pub(super) failed: u64,
    /// The pods that have answered.
    pub(super) pods: BTreeSet<Arc<str>>,
    /// Requests that ended before one that was due earlier.
    pub(super) ahead: BTreeSet<u64>,
    /// Every request with a smaller number has ended.
    pub(super) next: u64,
    /// When the generator started, on the timeline: at the latest.
    epoch: Duration,
    /// How many fell due, by the generator's last word.
    pub(super) announced: Option<u64>,
}

/// Reads the generator's lines until they end.
pub(super) async fn listen(
    stdout: impl AsyncRead + Unpin,
    timeline: Arc<Timeline>,
    received: Arc<Mutex<Received>>,
    progress: watch::Sender<Progress>,
    greet: oneshot::Sender<()>,
    errors: Tail,
) {
    let mut lines = BufReader::new(stdout).lines();
    let mut greet = Some(greet);
    let mut clock = None;
    let mut reason = "its output ended early".to_owned();
    while let Ok(Some(text)) = lines.next_line().await {
        match (serde_json::from_str(&text), clock) {
            (Ok(Line::Hello { rate }), None) => {
                clock = Some(rate);
                lock(&received).epoch = timeline.now();
                // Load::start may have given up; then the child is being killed.
                let _ = greet.take().map(|greet| greet.send(()));
            }
            // A log that is read again from its beginning.
            (Ok(Line::Hello { .. }), Some(_)) => {}
            (Ok(Line::Request(record)), Some(rate)) => {
                let step = lock(&received).take(&record, rate, timeline.now());
                // Only now: whoever waits for progress looks at what was received meanwhile.
                if let Some(step) = step {
                    step.note(&progress);
                }
            }
            (
                Ok(Line::End {
                    requests,
                    reason: why,
                }),
                Some(_),
            ) => {
                lock(&received).announced = Some(requests);
                reason = why;
            }
            _ => {
                reason = format!("its output is not that of `kdrill load`: {text}");
                break;
            }
        }
    }
    let reason = format!("{reason}; on standard error: {}", errors.text());
    progress.send_modify(|progress| progress.ended = Some(reason));
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Received {
    /// Takes one request in, told of at the moment `now`.
    fn take(&mut self, record: &Record, rate: u32, now: Duration) -> Option<Step> {
        self.set_clock(record, now);
        let epoch = self.epoch;
        if record.seq < self.next || !self.ahead.insert(record.seq) {
            return None;
        }
        while self.ahead.remove(&self.next) {
            self.next += 1;
        }
        let due_at = epoch + Duration::from_micros(record.due_us);
        let answer = match (&record.pod, record.error) {
            (Some(pod), None) => Ok(self.name(pod)),
            (_, failure) => Err(failure.unwrap_or(Failure::BadBody)),
        };
        let failed = answer.is_err();
        self.failed += u64::from(failed);
        self.samples.push(Sample {
            due: due_at,
            latency: Duration::from_micros(record.latency_us),
            late: Duration::from_micros(record.start_us.saturating_sub(record.due_us)),
            kept: record.kept,
            answer,
        });
        Some(Step {
            settled: epoch + due(self.next, rate),
            failure: failed.then_some(due_at),
        })
    }

    /// Nobody hears of a request before it has ended: the generator cannot have started later than
    /// that allows. Its first line alone would not do, for a log brings it late.
    fn set_clock(&mut self, record: &Record, now: Duration) {
        let ended = Duration::from_micros(record.due_us + record.latency_us);
        let latest = now.saturating_sub(ended);
        let Some(too_late) = self
            .epoch
            .checked_sub(latest)
            .filter(|late| !late.is_zero())
        else {
            return;
        };
        self.epoch = latest;
        for sample in &mut self.samples {
            sample.due = sample.due.saturating_sub(too_late);
        }
    }

    /// One allocation for each pod's name.
    fn name(&mut self, pod: &str) -> Arc<str> {
        if let Some(known) = self.pods.get(pod) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(pod);
        self.pods.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// A request due at `due` ms that a pod answered after `latency` ms.
    pub(crate) fn ok(due: u64, pod: &str, latency: u64) -> Sample {
        Sample {
            due: Duration::from_millis(due),
            latency: Duration::from_millis(latency),
            late: Duration::ZERO,
            kept: false,
            answer: Ok(Arc::from(pod)),
        }
    }

    /// A request due at `due` ms that failed at once.
    pub(crate) fn failed(due: u64, failure: Failure) -> Sample {
        Sample {
            due: Duration::from_millis(due),
            latency: Duration::ZERO,
            late: Duration::ZERO,
            kept: false,
            answer: Err(failure),
        }
    }

    fn record(seq: u64, error: Option<Failure>) -> Record {
        Record {
            seq,
            due_us: seq * 100_000,
            start_us: seq * 100_000,
            latency_us: 1000,
            kept: false,
            pod: error.is_none().then(|| "a".to_owned()),
            status: None,
            error,
        }
    }

    #[test]
    fn settled_waits_for_the_slowest_and_counts_each_request_once() {
        let progress = watch::Sender::new(Progress::default());
        let mut received = Received {
            epoch: Duration::from_secs(5),
            ..Received::default()
        };
        let take = |received: &mut Received, record: &Record| {
            if let Some(step) = received.take(record, 10, Duration::from_mins(1)) {
                step.note(&progress);
            }
        };
        take(&mut received, &record(0, None));
        take(&mut received, &record(2, Some(Failure::Timeout)));
        assert_eq!(progress.borrow().settled, Duration::from_millis(5100));
        assert_eq!(
            progress.borrow().last_failure,
            Some(Duration::from_millis(5200))
        );
        take(&mut received, &record(1, None));
        take(&mut received, &record(1, None));
        assert_eq!(progress.borrow().settled, Duration::from_millis(5300));
        assert_eq!((received.samples.len(), received.failed), (3, 1));
    }

    #[test]
    fn the_clock_is_that_of_the_line_that_came_soonest() {
        let at = Duration::from_millis;
        let mut received = Received {
            epoch: at(5000),
            ..Received::default()
        };
        // Request 0 ends 1 ms after the start, request 1 after 101 ms.
        received.take(&record(0, None), 10, at(5000));
        assert_eq!(received.samples[0].due, at(4999));
        received.take(&record(1, None), 10, at(5001));
        let due: Vec<_> = received.samples.iter().map(|sample| sample.due).collect();
        assert_eq!(due, [at(4900), at(5000)]);
        received.take(&record(2, None), 10, at(9000));
        assert_eq!(received.samples[2].due, at(5100));
    }

    /// Those who wait hold the channel's lock and may look at what was received: if the reader held
    /// them the other way round, both would stand still for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_was_received_can_be_looked_at_while_progress_is_held() {
        let (mut generator, output) = tokio::io::duplex(4096);
        let received = Arc::new(Mutex::new(Received::default()));
        let (sender, progress) = watch::channel(Progress::default());
        let (greet, greeted) = oneshot::channel();
        let (timeline, shared) = (Timeline::start(), Arc::clone(&received));
        tokio::spawn(async move {
            listen(output, timeline, shared, sender, greet, Tail::default()).await;
        });
        for line in [Line::Hello { rate: 10 }, Line::Request(record(0, None))] {
            let text = serde_json::to_string(&line).unwrap() + "\n";
            let held = progress.borrow();
            generator.write_all(text.as_bytes()).await.unwrap();
            if matches!(line, Line::Request(_)) {
                let deadline = Instant::now() + Duration::from_secs(20);
                while received
                    .try_lock()
                    .map_or(0, |received| received.samples.len())
                    == 0
                {
                    assert!(
                        Instant::now() < deadline,
                        "the reader holds what was received"
                    );
                    std::thread::yield_now();
                }
            }
            drop(held);
        }
        greeted.await.unwrap();
    }
}
