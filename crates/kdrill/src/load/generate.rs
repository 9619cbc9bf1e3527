//! The generator: an open loop. A request is due every `1/rate` seconds whether or not the ones
//! before it have been answered, and its latency counts from when it was due; a slow server cannot
//! slow the questions down and so hide its slowness (coordinated omission).

use std::{
    io::{self, Write},
    os::unix::process::parent_id,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use clap::ValueEnum;

use super::{
    aim::{Aim, NameService},
    pool::Pool,
    ports::SourcePorts,
    record::{Failure, Line, Record},
    request::{Answer, send},
};
use crate::error::Result;

/// How long results are held back to be written together.
const BATCH: Duration = Duration::from_millis(50);
/// Requests per second beyond which one process measures itself.
pub const HIGHEST_RATE: u32 = 20_000;

/// Which connections requests use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Connections {
    /// A fresh one for each request, as kube-proxy balances connections
    Fresh,
    /// Ones that are kept between requests
    Kept,
    /// By turns
    #[default]
    Both,
}

impl Connections {
    /// Whether a request uses a kept one.
    #[must_use]
    pub fn kept(self, seq: u64) -> bool {
        match self {
            Self::Fresh => false,
            Self::Kept => true,
            Self::Both => seq % 2 == 1,
        }
    }

    /// The word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Kept => "kept",
            Self::Both => "both",
        }
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `http://<host>:<port>/<path>`.
    pub target: String,
    /// Who is asked for the target's host, for each fresh connection anew; this machine, and only
    /// once, where absent.
    pub names: Option<NameService>,
    /// Requests due in each second.
    pub rate: u32,
    /// Which connections requests use.
    pub connections: Connections,
    /// How long a request may take from its start.
    pub timeout: Duration,
    /// Requests in flight at once; what falls due beyond is a failure of kind overload.
    pub max_in_flight: usize,
    /// The generator ends after this, whatever else happens.
    pub max_duration: Duration,
}

/// Makes requests until `stop` gives the reason to end, the parent process changes, the reader of
/// `out` goes away, or the duration is over; then waits for what is in flight.
///
/// # Errors
/// [`Error::Usage`](crate::error::Error::Usage) when the target is no HTTP URL or its host has no address.
pub async fn run(
    plan: &Plan,
    stop: impl Future<Output = &'static str>,
    out: impl Write,
) -> Result<()> {
    let aim = Aim::parse(&plan.target, plan.names.as_ref()).await?;
    let mut output = Output {
        out,
        lines: Vec::new(),
    };
    let (results, mut arrived) = mpsc::unbounded_channel();
    if output
        .push(&Line::Hello { rate: plan.rate })
        .and_then(|()| output.flush())
        .is_err()
    {
        return Ok(());
    }
    let epoch = Instant::now();

    let mut requests = 0;
    let reason = {
        let mut ended = std::pin::pin!(stopped(stop, epoch + plan.max_duration));
        let mut schedule = std::pin::pin!(schedule(plan, &aim, epoch, &results, &mut requests));
        let mut flush = interval(BATCH);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reason = &mut ended => break reason,
                () = &mut schedule => break "schedule over",
                _ = flush.tick() => if output.drain(&mut arrived).is_err() { return Ok(()) },
            }
        }
    };
    drop(results);
    // Every request in flight still holds a sender: the channel ends when the last has ended.
    while let Some(record) = arrived.recv().await {
        if output.push(&Line::Request(record)).is_err() {
            return Ok(());
        }
    }
    let end = Line::End {
        requests,
        reason: reason.to_owned(),
    };
    // A reader that went away wants no end either.
    let _ = output.push(&end).and_then(|()| output.flush());
    Ok(())
}

/// Starts each request when it is due.
async fn schedule(
    plan: &Plan,
    aim: &Aim,
    epoch: Instant,
    results: &mpsc::UnboundedSender<Record>,
    requests: &mut u64,
) {
    let slots = Arc::new(Semaphore::new(plan.max_in_flight));
    let ports = Arc::new(SourcePorts::new());
    let pool = Arc::new(Pool::default());
    loop {
        let due = due(*requests, plan.rate);
        sleep_until(epoch + due).await;
        let seq = *requests;
        *requests += 1;
        let (aim, limit, results) = (aim.clone(), plan.timeout, results.clone());
        let slot = Arc::clone(&slots).try_acquire_owned();
        let ports = Arc::clone(&ports);
        let pool = plan.connections.kept(seq).then(|| Arc::clone(&pool));
        let start = epoch.elapsed();
        let request = async move {
            let answer = match slot {
                Ok(_slot) => send(&aim, limit, &ports, pool.as_deref()).await,
                Err(_) => Failure::Overload.into(),
            };
            // The receiver is only gone when nobody reads any more.
            let record = Record {
                kept: pool.is_some(),
                ..record(seq, due, start, epoch.elapsed(), answer)
            };
            let _ = results.send(record);
        };
        tokio::spawn(request);
    }
}

/// When a request is due, after the first.
#[must_use]
pub fn due(seq: u64, rate: u32) -> Duration {
    let (rate, nanos) = (u64::from(rate), 1_000_000_000);
    Duration::from_secs(seq / rate) + Duration::from_nanos(seq % rate * nanos / rate)
}

fn record(seq: u64, due: Duration, start: Duration, end: Duration, answer: Answer) -> Record {
    let micros = |time: Duration| time.as_micros() as u64;
    let (pod, error) = match answer.result {
        Ok(pod) => (Some(pod), None),
        Err(failure) => (None, Some(failure)),
    };
    Record {
        seq,
        due_us: micros(due),
        start_us: micros(start),
        latency_us: micros(end.saturating_sub(due)),
        kept: false,
        pod,
        status: answer.status,
        error,
    }
}

/// Waits for the end of an input, whatever it says until then.
pub async fn closed(mut input: impl AsyncRead + Unpin) -> &'static str {
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    "standard input closed"
}

/// Waits for any reason to end.
async fn stopped(stop: impl Future<Output = &'static str>, hard_end: Instant) -> &'static str {
    let parent = parent_id();
    let orphaned = async {
        let mut look = interval(BATCH);
        while parent_id() == parent {
            look.tick().await;
        }
    };
    tokio::select! {
        reason = stop => reason,
        () = orphaned => "parent gone",
        () = sleep_until(hard_end) => "duration over",
    }
}

/// The lines, written in batches.
struct Output<W> {
    out: W,
    lines: Vec<u8>,
}

impl<W: Write> Output<W> {
    fn push(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.push(b'\n');
        Ok(())
    }

    fn drain(&mut self, arrived: &mut mpsc::UnboundedReceiver<Record>) -> io::Result<()> {
        while let Ok(record) = arrived.try_recv() {
            self.push(&Line::Request(record))?;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.lines)?;
        self.lines.clear();
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_evenly_and_exactly() {
        assert_eq!(due(0, 200), Duration::ZERO);
        assert_eq!(due(1, 200), Duration::from_millis(5));
        assert_eq!(due(3, 3), Duration::from_secs(1));
        assert_eq!(
            due(1_000_000_007, 1_000_000),
            Duration::from_micros(1_000_000_007)
        );
    }
}
