//! The helper that holds a cluster: it starts it, and removes it when its
//! standard input ends.

use std::{
    io::{BufReader, Read, Write},
    process::{Child, ChildStdin, Stdio},
    thread::{self, JoinHandle},
};

use super::program::{Program, reason};
use crate::{
    control::{hold::KEEP, status::Status},
    error::{Context, Error, Result},
};

#[derive(Debug)]
pub(super) struct Holder {
    child: Child,
    stdin: ChildStdin,
    /// What it says on standard error, until it ends.
    words: JoinHandle<String>,
}

impl Holder {
    /// Returns when the cluster has started.
    pub(super) fn start(program: &Program, options: &[String]) -> Result<(Self, Status)> {
        let mut child = program
            .command()
            .args(["up", "--hold", "--output=json"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .system("cannot start klab up")?;
        let (Some(stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::Helper("klab up has lost its streams".to_owned()));
        };
        let words = thread::spawn(move || {
            let mut words = String::new();
            let _ = stderr.read_to_string(&mut words);
            words
        });
        let holder = Self {
            child,
            stdin,
            words,
        };
        // The document ends where its last brace is; the stream stays open.
        let mut documents =
            serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter();
        match documents.next() {
            Some(Ok(status)) => Ok((holder, status)),
            // It ended, or says what we do not understand: then it is to end.
            _ => Err(holder
                .remove()
                .err()
                .unwrap_or_else(|| Error::Helper("klab up did not say how it went".to_owned()))),
        }
    }

    /// Waits until nothing is left of the cluster.
    pub(super) fn remove(self) -> Result<()> {
        self.end("")
    }

    /// Lets the cluster live on.
    pub(super) fn keep(self) -> Result<()> {
        self.end(KEEP)
    }

    fn end(mut self, word: &str) -> Result<()> {
        // If it has ended already, its status says so.
        let _ = self.stdin.write_all(word.as_bytes());
        drop(self.stdin);
        let status = self.child.wait().system("cannot wait for klab up")?;
        let words = self.words.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        Err(Error::Helper(format!(
            "klab up: {}",
            reason(&words, status)
        )))
    }
}
