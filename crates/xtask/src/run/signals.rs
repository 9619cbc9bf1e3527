//! Signals as data: they are read where a child is awaited, so teardown always runs.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

/// The user, or the machine, asked for an end.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted by {0}")]
pub struct Interrupted(pub Signal);

impl Interrupted {
    /// 128 + the signal's number, as shells have it.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        128_u8.saturating_add(u8::try_from(self.0 as i32).unwrap_or(0))
    }
}

/// What ended a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody asks this program to end.
    Signal(Signal),
    /// The child is dead and can be reaped.
    ChildEnded,
    /// The deadline passed first.
    Deadline,
}

/// The signals that ask this program to end.
#[derive(Debug)]
pub(super) struct Signals {
    set: SigSet,
    fd: SignalFd,
    /// Set by a handler, for signals that come while they are not blocked.
    handled: Vec<(Signal, Arc<AtomicBool>)>,
}

impl Signals {
    /// Blocks the signals for this thread and all it starts later, children
    /// too unless they are started in [`Signals::lifted`].
    pub(super) fn block() -> anyhow::Result<Self> {
        let status =
            fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
        let ignored = ignored_signals(&status);
        let mut set = SigSet::empty();
        let mut handled = Vec::new();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // nohup and `&` in scripts ignore signals on purpose; a blocked one would still arrive.
            if ignored & (1 << (signal as u32 - 1)) == 0 {
                let flag = Arc::new(AtomicBool::new(false));
                signal_hook::flag::register(signal as i32, Arc::clone(&flag))
                    .context("handling signals")?;
                handled.push((signal, flag));
                set.add(signal);
            }
        }
        set.thread_block().context("blocking signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&set, flags).context("making a signalfd")?;
        Ok(Self { set, fd, handled })
    }

    /// Does something with the signals not blocked, so that a child started there gets them: a
    /// child inherits the mask, but not the handlers that keep signals from ending us meanwhile.
    pub(super) fn lifted<T>(&self, work: impl FnOnce() -> T) -> anyhow::Result<T> {
        self.set.thread_unblock().context("unblocking signals")?;
        let done = work();
        self.set.thread_block().context("blocking signals")?;
        Ok(done)
    }

    /// Whether a signal came already.
    pub(super) fn pending(&self) -> anyhow::Result<Option<Signal>> {
        let came = |(_, flag): &&(Signal, Arc<AtomicBool>)| flag.swap(false, Ordering::SeqCst);
        if let Some((signal, _)) = self.handled.iter().find(came) {
            return Ok(Some(*signal));
        }
        let Some(info) = self.fd.read_signal().context("reading a signal")? else {
            return Ok(None);
        };
        let number = i32::try_from(info.ssi_signo).context("a signal's number")?;
        Ok(Some(Signal::try_from(number)?))
    }

    /// Waits for a signal, for the end of the child behind `pidfd`, or for `deadline`.
    pub(super) fn wait(
        &self,
        pidfd: BorrowedFd<'_>,
        deadline: Option<Instant>,
    ) -> anyhow::Result<Event> {
        loop {
            if let Some(signal) = self.pending()? {
                return Ok(Event::Signal(signal));
            }
            let timeout = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => PollTimeout::NONE,
                Some(Duration::ZERO) => return Ok(Event::Deadline),
                // Rounded up: poll counts whole milliseconds, and 0 would spin.
                Some(left) => PollTimeout::try_from(left + Duration::from_millis(1))
                    .unwrap_or(PollTimeout::MAX),
            };
            let mut fds = [
                PollFd::new(self.fd.as_fd(), PollFlags::POLLIN),
                PollFd::new(pidfd, PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) if fds[1].any() == Some(true) => return Ok(Event::ChildEnded),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("waiting for a child"),
            }
        }
    }
}

/// The set of ignored signals, bit N-1 for signal N (proc(5), `SigIgn`).
fn ignored_signals(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(Interrupted(Signal::SIGINT).exit_code(), 130);
        assert_eq!(Interrupted(Signal::SIGTERM).exit_code(), 143);
        assert_eq!(Interrupted(Signal::SIGHUP).exit_code(), 129);
    }

    #[test]
    fn reads_the_mask_of_ignored_signals() {
        // SIGHUP is 1, SIGPIPE is 13.
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        let ignored = ignored_signals(status);
        assert_eq!(ignored & 1, 1);
        assert_eq!(ignored & (1 << 12), 1 << 12);
        assert_eq!(ignored & (1 << (Signal::SIGINT as u32 - 1)), 0);
    }
}
