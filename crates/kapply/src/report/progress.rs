//! A wait while it lasts, on stderr: a live table on a terminal, a line per
//! change elsewhere.

use std::{collections::HashMap, io::IsTerminal as _, time::Duration};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{text::subject, waited};
use crate::{
    resolve::Target,
    wait::{State, Waited},
};

/// More rows than this do not fit a terminal; the others take the places of those that get ready.
const MAX_ROWS: usize = 15;
/// Longer names push the message off the screen.
const MAX_NAME: usize = 56;

/// Shows statuses as they change.
#[derive(Debug)]
pub struct Progress {
    table: Option<Table>,
}

#[derive(Debug)]
struct Table {
    screen: MultiProgress,
    head: ProgressBar,
    rows: HashMap<String, ProgressBar>,
    name_width: usize,
    ready: HashMap<String, bool>,
    all: usize,
}

impl Progress {
    /// A table for these targets, if stderr is a terminal.
    #[must_use]
    pub fn new(targets: &[Target]) -> Self {
        Self {
            table: std::io::stderr().is_terminal().then(|| Table::new(targets)),
        }
    }

    /// Shows a status that has changed.
    pub fn show(&mut self, target: &Target, waited: &Waited) {
        let subject = subject(target);
        match &mut self.table {
            Some(table) => table.show(&subject, waited),
            None => eprintln!("kapply: {subject}: {}", waited::state(waited)),
        }
    }

    /// Takes the table away; the results say the rest.
    pub fn clear(&self) {
        if let Some(table) = &self.table {
            // A terminal that has gone needs no clearing.
            let _ = table.screen.clear();
        }
    }
}

impl Table {
    fn new(targets: &[Target]) -> Self {
        let names = targets.iter().map(|target| subject(target).chars().count());
        let width = names.max().unwrap_or_default().min(MAX_NAME);
        let screen = MultiProgress::new();
        let head = screen.add(ProgressBar::new_spinner());
        head.set_style(template("{wide_msg} {elapsed}"));
        head.enable_steady_tick(Duration::from_millis(500));
        Self {
            screen,
            head,
            rows: HashMap::new(),
            name_width: width,
            ready: HashMap::new(),
            all: targets.len(),
        }
    }

    fn show(&mut self, subject: &str, waited: &Waited) {
        let state = waited.status.state;
        self.ready.insert(subject.to_owned(), state == State::Ready);
        let ready = self.ready.values().filter(|ready| **ready).count();
        self.head
            .set_message(format!("{ready} of {} ready", self.all));
        if state == State::Ready {
            if let Some(row) = self.rows.remove(subject) {
                row.finish_and_clear();
                self.screen.remove(&row);
            }
            return;
        }
        if !self.rows.contains_key(subject) && self.rows.len() < MAX_ROWS {
            let row = self.screen.add(ProgressBar::new_spinner());
            let width = self.name_width;
            row.set_style(template(&format!(
                "{{spinner}} {{prefix:{width}!}} {{elapsed:>5}}  {{wide_msg}}"
            )));
            row.set_prefix(subject.to_owned());
            row.enable_steady_tick(Duration::from_millis(120));
            self.rows.insert(subject.to_owned(), row);
        }
        if let Some(row) = self.rows.get(subject) {
            let text = waited::state(waited);
            let coloured = match state {
                State::Failed => style(text).for_stderr().red().to_string(),
                _ => text,
            };
            row.set_message(coloured);
        }
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
