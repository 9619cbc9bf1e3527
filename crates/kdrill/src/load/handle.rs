//! kdrill's end of the load: starts the generator in the cluster's network, keeps every request on
//! the timeline's clock, and lets drills wait for what the requests show.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    generate::due,
    record::{Failure, Line, Record},
};
use crate::{
    command::{Tail, UserCommand},
    error::{Error, Result},
    timeline::recorder::Timeline,
};

/// How long the generator may take to start.
const START: Duration = Duration::from_secs(15);
/// How long it may take to end beyond the time a request may take.
const END: Duration = Duration::from_secs(5);
/// The generator ends itself after this, should everything else fail.
const HARD_END: Duration = Duration::from_hours(4);

/// What load to make.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where requests go.
    pub target: String,
    /// Requests due in each second.
    pub rate: u32,
    /// How long each may take.
    pub timeout: Duration,
    /// Requests in flight at once.
    pub max_in_flight: usize,
    /// The command that runs another command in the cluster's network; empty for this machine's.
    pub via: Option<UserCommand>,
}

impl LoadOptions {
    /// The usual load: two seconds for a request, and room for all that fall due meanwhile.
    #[must_use]
    pub fn to(target: impl Into<String>, rate: u32) -> Self {
        let timeout = Duration::from_secs(2);
        Self {
            target: target.into(),
            rate,
            timeout,
            max_in_flight: 2 * rate as usize * timeout.as_secs() as usize + 64,
            via: None,
        }
    }
}

/// One request on the timeline's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When it was due, since the run's start.
    pub due: Duration,
    /// From then to its end.
    pub latency: Duration,
    /// The pod that answered exactly, or how it failed.
    pub answer: Result<Arc<str>, Failure>,
}

/// How far the load has come.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Every request due before this has ended.
    settled: Duration,
    /// The latest moment at which a failed request was due.
    last_failure: Option<Duration>,
    /// Set when the generator is gone, with the reason.
    ended: Option<String>,
}

/// What one more request means for the progress.
struct Step {
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
struct Received {
    samples: Vec<Sample>,
    failed: u64,
    /// The pods that have answered.
    pods: BTreeSet<Arc<str>>,
    /// Requests that ended before one that was due earlier.
    ahead: BTreeSet<u64>,
    /// Every request with a smaller number has ended.
    next: u64,
    /// How many fell due, by the generator's last word.
    announced: Option<u64>,
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    options: LoadOptions,
    command: String,
    timeline: Arc<Timeline>,
    received: Arc<Mutex<Received>>,
    progress: watch::Receiver<Progress>,
    /// Closed to make the generator end; kdrill's own death closes it too.
    stdin: Mutex<Option<ChildStdin>>,
    reader: tokio::sync::Mutex<Option<(Child, JoinHandle<()>)>>,
}

impl Load {
    /// Starts `program load` behind the prefix and waits for its first line.
    ///
    /// # Errors
    /// [`Error::Load`] when it does not start within 15 s.
    pub async fn start(
        options: LoadOptions,
        program: &Path,
        timeline: &Arc<Timeline>,
    ) -> Result<Self> {
        let mut words: Vec<String> = options
            .via
            .as_ref()
            .map(|via| via.words.clone())
            .unwrap_or_default();
        words.push(program.display().to_string());
        words.extend(arguments(&options));
        let command = shell_words::join(&words);
        let failed = |cause| Error::Load {
            command: command.clone(),
            cause,
        };

        let mut child = Command::new(&words[0])
            .args(&words[1..])
            // Ctrl-C in the terminal is kdrill's to handle: the load goes on while it puts things back.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("{error}; is {} there and executable?", words[0])))?;
        let stdin = child.stdin.take();
        let errors = Tail::default();
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed("no pipes to the process".to_owned()));
        };
        tokio::spawn(errors.clone().keep(stderr));

        let received = Arc::new(Mutex::new(Received::default()));
        let (sender, progress) = watch::channel(Progress::default());
        let (greet, greeted) = oneshot::channel();
        let reader = tokio::spawn(listen(
            stdout,
            Arc::clone(timeline),
            Arc::clone(&received),
            sender,
            greet,
            errors.clone(),
        ));
        match timeout(START, greeted).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => {
                return Err(failed(format!(
                    "it ended before its first line: {}",
                    errors.text()
                )));
            }
            Err(_) => {
                return Err(failed(format!(
                    "no first line within {} s: {}",
                    START.as_secs(),
                    errors.text()
                )));
            }
        }
        Ok(Self {
            options,
            command,
            timeline: Arc::clone(timeline),
            received,
            progress,
            stdin: Mutex::new(stdin),
            reader: tokio::sync::Mutex::new(Some((child, reader))),
        })
    }

    /// What load this is.
    #[must_use]
    pub fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// All requests that have ended so far.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.lock().samples.clone()
    }

    /// How many requests have ended, and how many of them failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let received = self.lock();
        (received.samples.len() as u64, received.failed)
    }

    /// The requests due from one moment until before another.
    #[must_use]
    pub fn between(&self, from: Duration, until: Duration) -> Vec<Sample> {
        self.lock()
            .samples
            .iter()
            .filter(|sample| (from..until).contains(&sample.due))
            .cloned()
            .collect()
    }

    /// Requests that fell due without their end being reported.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        let received = self.lock();
        let highest = received.ahead.last().map_or(received.next, |last| last + 1);
        let announced = received.announced.unwrap_or(highest).max(highest);
        announced.saturating_sub(received.samples.len() as u64)
    }

    /// Waits until every request due before `moment` has ended.
    ///
    /// # Errors
    /// [`Error::Load`] when the generator is gone or reports nothing for too long.
    pub async fn settled(&self, moment: Duration) -> Result<()> {
        let remaining = moment.saturating_sub(self.timeline.now());
        let limit = remaining + self.options.timeout + START;
        self.until(limit, |progress| progress.settled >= moment)
            .await?
            .then_some(())
            .ok_or_else(|| {
                self.error(format!(
                    "no results for {} s; is the machine overloaded?",
                    limit.as_secs()
                ))
            })
    }

    /// Waits until all requests due in a stretch of `length`, beginning no earlier than `from`,
    /// were answered. `false` when there was no such stretch within `limit`.
    ///
    /// # Errors
    /// [`Error::Load`] when the generator is gone.
    pub async fn steady(&self, from: Duration, length: Duration, limit: Duration) -> Result<bool> {
        self.until(limit, |progress| {
            let clean_since = progress
                .last_failure
                .map_or(from, |failure| failure.max(from));
            progress.settled >= clean_since + length
        })
        .await
    }

    /// Waits until each of these pods has answered. `false` when not all had within `limit`.
    ///
    /// # Errors
    /// [`Error::Load`] when the generator is gone.
    pub async fn answered_by(&self, pods: &BTreeSet<String>, limit: Duration) -> Result<bool> {
        self.until(limit, |_| {
            let received = self.lock();
            pods.iter().all(|pod| received.pods.contains(pod.as_str()))
        })
        .await
    }

    /// The condition is asked under the channel's lock; the only other it may take is that on what
    /// was received, which nobody holds while taking the channel's.
    async fn until(
        &self,
        limit: Duration,
        condition: impl FnMut(&Progress) -> bool,
    ) -> Result<bool> {
        let mut condition = condition;
        let mut progress = self.progress.clone();
        let waited = timeout(
            limit,
            progress.wait_for(|progress| condition(progress) || progress.ended.is_some()),
        )
        .await;
        match waited {
            Err(_) => Ok(false),
            Ok(Ok(state)) if condition(&state) => Ok(true),
            Ok(Ok(state)) => Err(self.error(state.ended.clone().unwrap_or_default())),
            Ok(Err(_)) => Err(self.error("its reader is gone".to_owned())),
        }
    }

    /// Ends the generator and waits for its last word. Safe to call twice.
    pub async fn stop(&self) {
        drop(
            self.stdin
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let Some((mut child, reader)) = self.reader.lock().await.take() else {
            return;
        };
        let abort = reader.abort_handle();
        if timeout(self.options.timeout + END, reader).await.is_err() {
            abort.abort();
        }
        if timeout(END, child.wait()).await.is_err() {
            // Dropping the child kills it; there is nobody to tell why that would fail.
            let _ = child.start_kill();
        }
    }

    fn error(&self, cause: String) -> Error {
        Error::Load {
            command: self.command.clone(),
            cause,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn arguments(options: &LoadOptions) -> Vec<String> {
    [
        ("--target", options.target.clone()),
        ("--rate", options.rate.to_string()),
        ("--timeout", format!("{}ms", options.timeout.as_millis())),
        ("--max-in-flight", options.max_in_flight.to_string()),
        ("--max-duration", format!("{}s", HARD_END.as_secs())),
    ]
    .into_iter()
    .fold(vec!["load".to_owned()], |mut words, (flag, value)| {
        words.extend([flag.to_owned(), value]);
        words
    })
}

/// Reads the generator's lines until they end.
async fn listen(
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
                clock = Some((timeline.now(), rate));
                // Load::start may have given up; then the child is being killed.
                let _ = greet.take().map(|greet| greet.send(()));
            }
            (Ok(Line::Request(record)), Some(clock)) => {
                let step = received
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take(&record, clock);
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
                received
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .announced = Some(requests);
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

impl Received {
    /// Takes one request in; `clock` is the generator's start on the timeline and its rate.
    fn take(&mut self, record: &Record, (epoch, rate): (Duration, u32)) -> Option<Step> {
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
            answer,
        });
        Some(Step {
            settled: epoch + due(self.next, rate),
            failure: failed.then_some(due_at),
        })
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
    use super::*;

    /// A request due at `due` ms that a pod answered after `latency` ms.
    pub(crate) fn ok(due: u64, pod: &str, latency: u64) -> Sample {
        Sample {
            due: Duration::from_millis(due),
            latency: Duration::from_millis(latency),
            answer: Ok(Arc::from(pod)),
        }
    }

    /// A request due at `due` ms that failed at once.
    pub(crate) fn failed(due: u64, failure: Failure) -> Sample {
        Sample {
            due: Duration::from_millis(due),
            latency: Duration::ZERO,
            answer: Err(failure),
        }
    }

    fn record(seq: u64, error: Option<Failure>) -> Record {
        Record {
            seq,
            due_us: seq * 100_000,
            start_us: seq * 100_000,
            latency_us: 1000,
            pod: error.is_none().then(|| "a".to_owned()),
            status: None,
            error,
        }
    }

    #[test]
    fn settled_waits_for_the_slowest_and_counts_each_request_once() {
        let progress = watch::Sender::new(Progress::default());
        let mut received = Received::default();
        let clock = (Duration::from_secs(5), 10);
        let take = |received: &mut Received, record: &Record| {
            if let Some(step) = received.take(record, clock) {
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
}
