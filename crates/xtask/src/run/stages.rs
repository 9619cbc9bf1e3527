//! A command as a list of stages, each named and timed.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{Interrupted, say};

/// One named step of a command that works on `C`.
#[derive(Debug)]
pub struct Stage<C> {
    /// What the step does, as shown before it and in the table.
    pub name: &'static str,
    /// The step itself.
    pub run: fn(&mut C) -> anyhow::Result<()>,
}

/// The stages that ran, in order.
#[derive(Debug, Default)]
pub struct Log {
    rows: Vec<(String, Duration, bool)>,
}

/// Runs stages in order up to the first that fails.
///
/// # Errors
/// The failed stage's error, with the stage's name before it.
pub fn run_all<C>(stages: &[Stage<C>], context: &mut C, log: &mut Log) -> anyhow::Result<()> {
    stages
        .iter()
        .try_for_each(|stage| run_one(stage, context, log))
}

/// Runs every stage, also after one failed.
///
/// # Errors
/// The first error; later ones are printed.
pub fn tear_down<C>(stages: &[Stage<C>], context: &mut C, log: &mut Log) -> anyhow::Result<()> {
    let mut first = Ok(());
    for stage in stages {
        let result = run_one(stage, context, log);
        if first.is_ok() {
            first = result;
        } else if let Err(error) = result {
            say(&format!("xtask: error: {error:#}"));
        }
    }
    first
}

fn run_one<C>(stage: &Stage<C>, context: &mut C, log: &mut Log) -> anyhow::Result<()> {
    say(&format!("==> {}", stage.name));
    let start = Instant::now();
    let result = (stage.run)(context);
    let took = start.elapsed();
    log.rows.push((stage.name.to_owned(), took, result.is_ok()));
    match result {
        Ok(()) => {
            say(&format!("    {} ({})", stage.name, seconds(took)));
            Ok(())
        }
        // An interruption is nobody's failure and keeps its own exit code.
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => Err(error).context(stage.name),
    }
}

impl Log {
    /// The table of stages and durations, with their sum.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut table = String::new();
        for (name, took, ok) in &self.rows {
            let outcome = if *ok { "ok" } else { "FAILED" };
            // Writing to a String cannot fail.
            let _ = writeln!(table, "{name:<width$}  {:>9}  {outcome}", seconds(*took));
        }
        let total = self.rows.iter().map(|(_, took, _)| *took).sum();
        let _ = write!(table, "{:<width$}  {:>9}", "total", seconds(total));
        table
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Stage<Vec<u8>> = Stage {
        name: "fine",
        run: |seen| {
            seen.push(1);
            Ok(())
        },
    };
    const BAD: Stage<Vec<u8>> = Stage {
        name: "bad",
        run: |seen| {
            seen.push(2);
            anyhow::bail!("broke")
        },
    };

    #[test]
    fn the_first_failure_ends_the_run_and_is_named() {
        let (mut seen, mut log) = (Vec::new(), Log::default());
        let error = run_all(&[OK, BAD, OK], &mut seen, &mut log).unwrap_err();
        assert_eq!(format!("{error:#}"), "bad: broke");
        assert_eq!(seen, [1, 2]);
    }

    #[test]
    fn teardown_goes_on_after_a_failure_and_reports_it() {
        let (mut seen, mut log) = (Vec::new(), Log::default());
        let error = tear_down(&[BAD, OK], &mut seen, &mut log).unwrap_err();
        assert_eq!(format!("{error:#}"), "bad: broke");
        assert_eq!(seen, [2, 1]);
    }

    #[test]
    fn the_table_names_every_stage_and_ends_with_the_total() {
        let log = Log {
            rows: vec![
                ("fmt".to_owned(), Duration::from_millis(1500), true),
                ("clippy".to_owned(), Duration::from_millis(500), false),
            ],
        };
        assert_eq!(
            log.table(),
            "fmt         1.5 s  ok\nclippy      0.5 s  FAILED\ntotal       2.0 s"
        );
    }
}
