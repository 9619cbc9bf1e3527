//! Waiting for what has no event of its own.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks until there is an answer, and panics with `what` when there is none in time.
///
/// # Panics
/// When `limit` passes.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
