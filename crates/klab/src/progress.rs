//! What klab says while it works: a live line on a terminal, plain lines elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Says on standard error what goes on.
#[derive(Debug, Clone)]
pub struct Progress {
    live: bool,
    quiet: bool,
}

impl Progress {
    /// Live where standard error is a terminal.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        Self {
            live: std::io::stderr().is_terminal(),
            quiet,
        }
    }

    /// Says one line. A terminal that went away ends nothing.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "klab: {line}");
        }
    }

    /// Begins something that takes a while.
    #[must_use]
    pub fn step(&self, what: &str) -> Step {
        let bar = if self.live && !self.quiet {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            Some(bar)
        } else {
            None
        };
        Step {
            what: what.to_owned(),
            bar,
            progress: self.clone(),
        }
    }
}

/// Something that takes a while.
#[derive(Debug)]
pub struct Step {
    what: String,
    bar: Option<ProgressBar>,
    progress: Progress,
}

impl Step {
    /// What it is at just now; only a terminal shows it.
    pub fn detail(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(detail.to_owned());
        }
    }

    /// It is done, with this result.
    pub fn done(self, result: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.say(&format!("{}: {result}", self.what));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
