//! Commands that the user gives: split into words as a shell would, run without one, never killed
//! half-way (half a power cut is no state to leave a machine in), and quoted when they fail.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
    time::timeout,
};

use crate::error::{Error, Result};

/// How long a command may take.
const LIMIT: Duration = Duration::from_mins(3);
/// How many lines of its output an error quotes.
const QUOTED_LINES: usize = 5;
/// How long the rest of its output may take once it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A command given by a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct UserCommand {
    /// The flag, for messages.
    pub flag: &'static str,
    /// The program and its arguments.
    pub words: Vec<String>,
}

impl UserCommand {
    /// Splits a command line into words.
    ///
    /// # Errors
    /// [`Error::Usage`] for an unclosed quote or no word at all.
    pub fn parse(flag: &'static str, text: &str) -> Result<Self> {
        let words = shell_words::split(text)
            .map_err(|error| Error::Usage(format!("{flag} {text}: {error}; close the quote")))?;
        if words.is_empty() {
            return Err(Error::Usage(format!(
                "{flag}: the command is empty; give a program and its arguments"
            )));
        }
        Ok(Self { flag, words })
    }

    /// Runs it with more arguments, to its end even when the returned future is dropped.
    ///
    /// # Errors
    /// [`Error::Command`] when it does not start, fails, or takes longer than three minutes.
    pub async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut words = self.words.clone();
        words.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let line = shell_words::join(&words);
        let failed = |cause| Error::Command {
            flag: self.flag.to_owned(),
            command: line.clone(),
            cause,
        };
        let running = tokio::spawn(run_to_end(words));
        match running.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(failed(cause)),
            Err(panic) => Err(failed(panic.to_string())),
        }
    }
}

async fn run_to_end(words: Vec<String>) -> Result<(), String> {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        // Ctrl-C in the terminal must not reach it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{error}; is {} there and executable?", words[0]))?;
    let output = Tail::default();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("no pipes to the process".to_owned());
    };
    let reading = tokio::spawn(futures::future::join(
        output.clone().keep(stdout),
        output.clone().keep(stderr),
    ));
    let ended = timeout(LIMIT, child.wait()).await;
    // No longer than this: what the command leaves running may keep its output open.
    let _ = timeout(LAST_WORDS, reading).await;
    match ended {
        Err(_) => Err(format!(
            "still running after {} s; it was left alone",
            LIMIT.as_secs()
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("{status}: {}", output.text())),
    }
}

/// The last lines of an output.
#[derive(Clone, Debug, Default)]
pub struct Tail(Arc<Mutex<Vec<String>>>);

impl Tail {
    /// Reads an output to its end, keeping its last lines.
    pub async fn keep(self, output: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.note(line);
        }
    }

    /// Adds a line; one that says the same as the last adds nothing.
    pub fn note(&self, line: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.last() == Some(&line) {
            return;
        }
        if kept.len() == QUOTED_LINES {
            kept.remove(0);
        }
        kept.push(line);
    }

    /// The lines on one.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() {
            "it said nothing".to_owned()
        } else {
            lines.join(" | ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let command = UserCommand::parse("--node-down", "klab --name 'my lab' node stop").unwrap();
        assert_eq!(command.words, ["klab", "--name", "my lab", "node", "stop"]);
        assert!(
            UserCommand::parse("--node-down", "a 'b")
                .unwrap_err()
                .to_string()
                .contains("--node-down a 'b")
        );
        assert!(UserCommand::parse("--node-down", "  ").is_err());
    }

    #[tokio::test]
    async fn a_failure_names_flag_command_and_status() {
        let command = UserCommand::parse("--node-down", "false").unwrap();
        let error = command.run(&["agent 1"]).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "--node-down `false 'agent 1'`: exit status: 1: it said nothing"
        );
        let command = UserCommand::parse("--node-up", "/nonexistent/x").unwrap();
        assert!(
            command
                .run(&[])
                .await
                .unwrap_err()
                .to_string()
                .contains("is /nonexistent/x there")
        );
    }

    #[tokio::test]
    async fn the_argument_is_one_word_whatever_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b; c");
        let command = UserCommand::parse("--node-up", "touch").unwrap();
        command.run(&[file.to_str().unwrap()]).await.unwrap();
        assert!(file.exists());
    }
}
