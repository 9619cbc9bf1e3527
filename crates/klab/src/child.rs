//! Starting a process of the cluster, and hearing from it once that it works.
//!
//! The child says one line on its standard output when it is ready, then lets
//! go of it; all else it has to say goes to its log. If it ends first, the
//! log's last lines are the reason.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

use crate::error::{Context, Error, Result};

/// Starts `command` with its standard error in `log`, and returns the line it
/// says when it is ready.
///
/// # Errors
/// When it cannot be started, or ends before it is ready: with its last words.
pub(crate) fn start_and_listen(mut command: Command, log: &Path, what: &str) -> Result<String> {
    let log_file = append(log)?;
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(log_file)
        .spawn()
        .system(format!("cannot start {what}"))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .system(format!("cannot hear {what}"))?;
    }
    let line = line.trim_end();
    if line.is_empty() {
        let _ = child.wait();
        return Err(Error::Component(format!(
            "{what} did not start: {}",
            last_lines(log, 3).trim_end()
        )));
    }
    Ok(line.to_owned())
}

/// Says that this process is ready, and lets go of its standard output.
///
/// # Errors
/// When nobody listens any more.
pub(crate) fn report_ready(line: &str) -> Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .system("cannot report that it works")?;
    let null = fs::OpenOptions::new()
        .write(true)
        .open("/dev/null")
        .file("cannot open", "/dev/null")?;
    nix::unistd::dup2_stdout(null).system("cannot let go of the standard output")
}

/// Opens a log for appending; only root may read it.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn append(log: &Path) -> Result<fs::File> {
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log)
        .file("cannot open", log)
}

/// The last `count` lines of a log, empty when there is none.
#[must_use]
pub(crate) fn last_lines(log: &Path, count: usize) -> String {
    let Ok(text) = fs::read(log) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_returned() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo 4711; exec sleep 0"]);
        let line = start_and_listen(command, &folder.path().join("log"), "it").unwrap();
        assert_eq!(line, "4711");
    }

    #[test]
    fn a_child_that_ends_early_gives_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no luck >&2; exit 3"]);
        let error =
            start_and_listen(command, &folder.path().join("log"), "the switch").unwrap_err();
        assert_eq!(error.to_string(), "the switch did not start: no luck");
    }
}
