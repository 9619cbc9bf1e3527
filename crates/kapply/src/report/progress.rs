//! A wait while it lasts, on stderr: a live line per object on a terminal, a
//! line per change elsewhere.

use std::{collections::HashMap, io::IsTerminal as _, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::subject;
use crate::{
    resolve::Target,
    wait::{State, Status},
};

/// More live lines than this do not fit a terminal; the rest is shown at the end.
const MAX_LINES: usize = 15;

/// Shows statuses as they change.
#[derive(Debug)]
pub struct Progress {
    terminal: Option<MultiProgress>,
    lines: HashMap<String, ProgressBar>,
}

impl Default for Progress {
    fn default() -> Self {
        let terminal = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self {
            terminal,
            lines: HashMap::new(),
        }
    }
}

impl Progress {
    /// Shows a status that has changed.
    pub fn show(&mut self, target: &Target, status: &Status) {
        let subject = subject(target);
        let text = match (status.state, status.message.as_str()) {
            (State::Ready, "") => "ready".to_owned(),
            (State::Ready, message) => format!("ready: {message}"),
            (State::Failed, message) => format!("failed: {message}"),
            (State::Pending, message) => message.to_owned(),
        };
        let Some(terminal) = &self.terminal else {
            eprintln!("kapply: {subject}: {text}");
            return;
        };
        if let Some(line) = self.lines.get(&subject) {
            line.set_message(format!("{subject}: {text}"));
            if status.state != State::Pending {
                line.finish();
            }
        } else if status.state == State::Pending && self.lines.len() < MAX_LINES {
            let line = terminal.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(120));
            line.set_message(format!("{subject}: {text}"));
            self.lines.insert(subject, line);
        }
    }

    /// Takes the live lines away; the results say the rest.
    pub fn clear(&self) {
        for line in self.lines.values() {
            line.finish_and_clear();
        }
    }
}
