//! SIGINT and SIGTERM: the first lets requests in flight finish, the second
//! ends at once.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::{exit::Exit, output};
use crate::interrupt::Interrupt;

/// Starts to listen. Without a handler the signals keep their default: the end.
pub(super) fn install() -> Interrupt {
    let interrupt = Interrupt::default();
    let asked = interrupt.clone();
    if let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                }
                if asked.is_set() {
                    std::process::exit(Exit::Interrupted as i32);
                }
                output::line(
                    "interrupted: what is under way is finished, nothing new is started (once more to stop at once)",
                );
                asked.set();
            }
        });
    }
    interrupt
}

/// The work's result, or `None` if it was interrupted. Only for work that changes nothing.
pub(super) async fn or_interrupted<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        result = work => Some(result),
        () = interrupt.asked() => None,
    }
}
