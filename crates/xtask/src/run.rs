//! Running things: stages with their durations, children with their signals.

mod child;
mod signals;
mod stages;

pub use child::Runner;
pub use signals::Interrupted;
pub use stages::{Log, Stage, run_all, tear_down};

use std::io::Write;

/// Prints a line of progress to stderr.
///
/// A terminal that went away must not end the run before its teardown, so a
/// failed write is not an error here.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints a part of the answer to stdout; a closed pipe is not an error.
pub fn answer(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
