//! SIGINT and SIGTERM, as something to wait for: an interrupted run still puts back and reports.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// The signals that end a run.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on the process is no longer ended by them.
    ///
    /// # Errors
    /// [`Error::Usage`] when the operating system refuses the handlers.
    pub fn listen() -> Result<Self> {
        let register = |kind| {
            signal(kind).map_err(|error| Error::Usage(format!("cannot handle signals: {error}")))
        };
        Ok(Self {
            interrupt: register(SignalKind::interrupt())?,
            terminate: register(SignalKind::terminate())?,
        })
    }

    /// The next one's name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
