//! Time and memory of one program, measured by a process of its own: the
//! kernel counts the memory of ended children together, so there is only one.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::run::Runner;

/// What one run of a program took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Taken {
    /// From start to end, in seconds.
    pub(super) seconds: f64,
    /// The most memory that it had at once, in KiB.
    pub(super) peak_kib: i64,
    /// Its exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// What it said on stderr.
    pub(super) said: String,
}

impl Taken {
    /// Fails unless the program ended with this code: what did not work took no time worth noting.
    pub(super) fn ended_with(&self, expected: i32, command: &Command) -> anyhow::Result<()> {
        if self.code == Some(expected) {
            return Ok(());
        }
        let said: Vec<_> = self.said.lines().rev().take(5).collect();
        bail!(
            "{} ended with {:?} instead of {expected}: {}",
            command.get_program().display(),
            self.code,
            said.join(" | ")
        )
    }
}

/// Runs a command below `xtask measured`.
pub(super) fn run(
    runner: &Runner,
    xtask: &Path,
    folder: &Path,
    command: &Command,
) -> anyhow::Result<Taken> {
    let report = folder.join("measured.json");
    let mut measuring = Command::new(xtask);
    measuring.arg("measured").arg(&report).arg("--");
    measuring
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => measuring.env(name, value),
            None => measuring.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        measuring.current_dir(directory);
    }
    runner.run(&mut measuring)?;
    let text = fs::read(&report).context("reading what was measured")?;
    serde_json::from_slice(&text).context("reading what was measured")
}

/// `xtask measured`: runs a command and writes what it took.
///
/// # Errors
/// When it cannot be started, or the report cannot be written.
pub fn measured(report: &Path, command: &[String]) -> anyhow::Result<ExitCode> {
    let (program, arguments) = command.split_first().context("a command to measure")?;
    let started = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .with_context(|| format!("running {program}"))?;
    let seconds = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("asking what the child used")?;
    let taken = Taken {
        seconds,
        peak_kib: usage.max_rss(),
        code: output.status.code(),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    fs::write(report, serde_json::to_vec(&taken)?)
        .with_context(|| format!("writing {}", report.display()))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_code_and_words_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        let script = "sleep 0.2; echo words >&2; exit 3";
        let command = ["sh", "-c", script].map(str::to_owned);
        measured(&report, &command).unwrap();
        let taken: Taken = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        assert!((0.2..30.0).contains(&taken.seconds), "{taken:?}");
        assert!(taken.peak_kib > 100, "{taken:?}");
        assert_eq!((taken.code, taken.said.as_str()), (Some(3), "words\n"));
    }
}
