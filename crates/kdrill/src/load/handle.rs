//! kdrill's end of the load: starts the generator in the cluster's network, keeps every request on
//! the timeline's clock, and lets drills wait for what the requests show.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncRead,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    aim::NameService,
    generate::Connections,
    job::{self, JobOrder, RunningJob},
    process::{self, Process},
    received::{Progress, Received, Sample, listen},
};
use crate::{
    command::{Tail, UserCommand},
    error::{Error, Result},
    live::Recent,
    timeline::recorder::Timeline,
};

/// How long the generator may take to start.
const START: Duration = Duration::from_secs(15);
/// How long its last words may take beyond the time a request may take.
const END: Duration = Duration::from_secs(5);
/// The generator ends itself after this, should everything else fail.
const HARD_END: Duration = Duration::from_hours(4);

/// What load to make.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where requests go.
    pub target: String,
    /// Who is asked for the target's host, if it is a name.
    pub names: Option<NameService>,
    /// Requests due in each second.
    pub rate: u32,
    /// Which connections they use.
    pub connections: Connections,
    /// How long each may take.
    pub timeout: Duration,
    /// Requests in flight at once.
    pub max_in_flight: usize,
    /// Where the generator runs.
    pub place: Place,
}

impl LoadOptions {
    /// The usual load: two seconds for a request, and room for all that fall due meanwhile.
    #[must_use]
    pub fn to(target: impl Into<String>, rate: u32) -> Self {
        let timeout = Duration::from_secs(2);
        Self {
            target: target.into(),
            names: None,
            rate,
            connections: Connections::default(),
            timeout,
            max_in_flight: 2 * rate as usize * timeout.as_secs() as usize + 64,
            place: Place::Here,
        }
    }
}

/// Where the generator runs.
#[derive(Clone, Debug)]
pub enum Place {
    /// On this machine.
    Here,
    /// Behind the command that runs another command in the cluster's network.
    Via(UserCommand),
    /// In a pod.
    Job(JobOrder),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => out.write_str("this machine"),
            Self::Via(via) => write!(out, "behind {}", shell_words::join(&via.words)),
            Self::Job(order) => write!(out, "a job of image {}", order.image),
        }
    }
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    options: LoadOptions,
    program: PathBuf,
    command: String,
    /// The node that it runs on, where that is known.
    node: Option<String>,
    timeline: Arc<Timeline>,
    received: Arc<Mutex<Received>>,
    progress: watch::Receiver<Progress>,
    running: tokio::sync::Mutex<Option<(Carrier, JoinHandle<()>)>>,
}

/// What carries the generator.
#[derive(Debug)]
enum Carrier {
    Process(Process),
    Job(RunningJob),
}

impl Load {
    /// Starts the generator where the options say and waits for its first line.
    ///
    /// # Errors
    /// [`Error::Load`] when it does not start within 15 s, a Job's pod within a minute.
    pub async fn start(
        options: LoadOptions,
        program: &Path,
        timeline: &Arc<Timeline>,
    ) -> Result<Self> {
        let arguments = arguments(&options);
        let words = match &options.place {
            Place::Here => process::words(None, program, &arguments),
            Place::Via(via) => process::words(Some(via), program, &arguments),
            Place::Job(order) => job::words(order, &arguments),
        };
        let command = shell_words::join(&words);
        let failed = |cause| Error::Load {
            command: command.clone(),
            cause,
        };
        let errors = Tail::default();
        let (carrier, output, node): (_, Box<dyn AsyncRead + Send + Unpin>, _) =
            if let Place::Job(order) = &options.place {
                let (job, output) = order.start(&arguments, &errors).await.map_err(failed)?;
                let node = job.node.clone();
                (Carrier::Job(job), Box::new(output), Some(node))
            } else {
                let (process, output) = process::start(&words, &errors).map_err(failed)?;
                (Carrier::Process(process), Box::new(output), None)
            };

        let received = Arc::new(Mutex::new(Received::default()));
        let (sender, progress) = watch::channel(Progress::default());
        let (greet, greeted) = oneshot::channel();
        let reader = tokio::spawn(listen(
            output,
            Arc::clone(timeline),
            Arc::clone(&received),
            sender,
            greet,
            errors.clone(),
        ));
        let load = Self {
            options,
            program: program.to_owned(),
            command: command.clone(),
            node,
            timeline: Arc::clone(timeline),
            received,
            progress,
            running: tokio::sync::Mutex::new(Some((carrier, reader))),
        };
        let cause = match timeout(START, greeted).await {
            Ok(Ok(())) => return Ok(load),
            Ok(Err(_)) => "it ended before its first line".to_owned(),
            Err(_) => format!("no first line within {} s", START.as_secs()),
        };
        load.stop().await;
        Err(failed(format!("{cause}: {}", errors.text())))
    }

    /// Starts another load by the same means.
    ///
    /// # Errors
    /// As [`Load::start`].
    pub async fn another(&self, options: LoadOptions) -> Result<Self> {
        Self::start(options, &self.program, &self.timeline).await
    }

    /// The node that the generator runs on, if it is a pod.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
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

    /// The requests of the last moments, counted.
    #[must_use]
    pub fn recent(&self) -> Recent {
        let received = self.lock();
        Recent::count(&received.samples, received.failed, self.timeline.now())
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

    /// How many of the requests due in each second use fresh connections.
    #[must_use]
    pub fn fresh_rate(&self) -> u32 {
        match self.options.connections {
            Connections::Fresh => self.options.rate,
            Connections::Kept => 0,
            Connections::Both => self.options.rate.div_ceil(2),
        }
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
        let Some((mut carrier, reader)) = self.running.lock().await.take() else {
            return;
        };
        match &mut carrier {
            Carrier::Process(process) => process.ask_to_end(),
            Carrier::Job(job) => job.ask_to_end().await,
        }
        let abort = reader.abort_handle();
        if timeout(self.options.timeout + END, reader).await.is_err() {
            abort.abort();
        }
        if let Carrier::Process(process) = carrier {
            process.gone().await;
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
    let mut flags = vec![
        ("--target", options.target.clone()),
        ("--rate", options.rate.to_string()),
        ("--connections", options.connections.word().to_owned()),
        ("--timeout", format!("{}ms", options.timeout.as_millis())),
        ("--max-in-flight", options.max_in_flight.to_string()),
        ("--max-duration", format!("{}s", HARD_END.as_secs())),
    ];
    if let Some(names) = &options.names {
        flags.push(("--name-server", names.server.to_string()));
        let search = names.search.iter().cloned();
        flags.extend(search.map(|domain| ("--search", domain)));
    }
    std::iter::once("load".to_owned())
        .chain(
            flags
                .into_iter()
                .flat_map(|(flag, value)| [flag.to_owned(), value]),
        )
        .collect()
}
