//! The generator as a process: on this machine, or behind a command that runs it elsewhere.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::command::{Tail, UserCommand};

/// How long a process may take to end after its output has.
const END: Duration = Duration::from_secs(5);

/// A generator that runs.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Closed to make the generator end; kdrill's own death closes it too.
    stdin: Option<ChildStdin>,
}

/// The words of the command line.
pub(super) fn words(
    via: Option<&UserCommand>,
    program: &Path,
    arguments: &[String],
) -> Vec<String> {
    let mut words = via.map(|via| via.words.clone()).unwrap_or_default();
    words.push(program.display().to_string());
    words.extend_from_slice(arguments);
    words
}

/// Starts it; gives it with its output, and says what it writes to standard error.
pub(super) fn start(words: &[String], errors: &Tail) -> Result<(Process, ChildStdout), String> {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        // Ctrl-C in the terminal is kdrill's to handle: the load goes on while it puts things back.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{error}; is {} there and executable?", words[0]))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("no pipes to the process".to_owned());
    };
    tokio::spawn(errors.clone().keep(stderr));
    let stdin = child.stdin.take();
    Ok((Process { child, stdin }, stdout))
}

impl Process {
    /// Asks it to end; its output ends when it has.
    pub(super) fn ask_to_end(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits until it is gone.
    pub(super) async fn gone(mut self) {
        if timeout(END, self.child.wait()).await.is_err() {
            // Dropping the child kills it; there is nobody to tell why that would fail.
            let _ = self.child.start_kill();
        }
    }
}
