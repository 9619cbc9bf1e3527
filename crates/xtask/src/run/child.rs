//! One child at a time, in a process group of its own.

use std::{
    cell::Cell,
    io::Read,
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use rustix::process::{PidfdFlags, pidfd_open};

use super::{
    say,
    signals::{Event, Interrupted, Signals},
};

/// How long an interrupted child may clean up before its group is killed.
const GRACE: Duration = Duration::from_secs(20);

/// Starts children, passes signals on to them, and remembers that one came.
#[derive(Debug)]
pub struct Runner {
    signals: Signals,
    interrupted: Cell<Option<Signal>>,
    tearing_down: Cell<bool>,
}

impl Runner {
    /// Takes over SIGINT, SIGTERM and SIGHUP; call it before any thread is started.
    ///
    /// # Errors
    /// When the kernel refuses the signalfd.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            signals: Signals::block()?,
            interrupted: Cell::new(None),
            tearing_down: Cell::new(false),
        })
    }

    /// From here on signals are noted and do not stop children.
    pub fn start_teardown(&self) {
        self.tearing_down.set(true);
    }

    /// Runs a command to its end; its output goes where ours goes.
    ///
    /// # Errors
    /// When it cannot start, does not exit with 0, or a signal came ([`Interrupted`]).
    pub fn run(&self, command: &mut Command) -> anyhow::Result<()> {
        let status = self.status(command)?;
        check(command, status)
    }

    /// Runs a command to its end and returns how it ended.
    ///
    /// # Errors
    /// When it cannot start, or a signal came ([`Interrupted`]).
    pub fn status(&self, command: &mut Command) -> anyhow::Result<ExitStatus> {
        let child = self.spawn(command)?;
        self.wait(child)
    }

    /// Runs a command to its end and returns its stdout, trimmed.
    ///
    /// # Errors
    /// As [`Runner::run`]; and when stdout is not UTF-8.
    pub fn output(&self, command: &mut Command) -> anyhow::Result<String> {
        let mut child = self.spawn(command.stdout(Stdio::piped()))?;
        let mut stdout = child.stdout.take().context("stdout is a pipe")?;
        let reader = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let status = self.wait(child)?;
        check(command, status)?;
        let text = reader
            .join()
            .map_err(|_| anyhow::anyhow!("the thread that reads `{}` panicked", shown(command)))?
            .with_context(|| format!("reading the output of `{}`", shown(command)))?;
        Ok(text.trim().to_owned())
    }

    /// An error if a signal came since the last child.
    ///
    /// # Errors
    /// [`Interrupted`], unless the teardown has begun.
    pub fn check_interrupted(&self) -> anyhow::Result<()> {
        while let Some(signal) = self.signals.pending()? {
            self.note(signal);
        }
        match self.interrupted.get() {
            Some(signal) if !self.tearing_down.get() => Err(Interrupted(signal).into()),
            _ => Ok(()),
        }
    }

    fn spawn(&self, command: &mut Command) -> anyhow::Result<Child> {
        self.check_interrupted()?;
        // Its own group: Ctrl-C on a terminal reaches it through us, once.
        command.stdin(Stdio::null()).process_group(0);
        self.signals
            .lifted(|| command.spawn())?
            .with_context(|| format!("starting `{}`", shown(command)))
    }

    fn wait(&self, mut child: Child) -> anyhow::Result<ExitStatus> {
        let pid = i32::try_from(child.id()).context("a pid")?;
        let group = Pid::from_raw(pid);
        let pidfd = rustix::process::Pid::from_raw(pid)
            .context("a child's pid is above 0")
            .and_then(|pid| {
                pidfd_open(pid, PidfdFlags::empty()).context("watching a child (pidfd_open)")
            })?;
        let mut deadline = None;
        loop {
            match self.signals.wait(pidfd.as_fd(), deadline)? {
                Event::ChildEnded => break,
                Event::Signal(signal) => {
                    self.note(signal);
                    if !self.tearing_down.get() {
                        // Not reaped yet, so the group's number is still this child's.
                        let _ = killpg(group, signal);
                        deadline.get_or_insert(Instant::now() + GRACE);
                    }
                }
                Event::Deadline => {
                    let _ = killpg(group, Signal::SIGKILL);
                    deadline = None;
                }
            }
        }
        if self.interrupted.get().is_some() && !self.tearing_down.get() {
            // What the child left running of its group must not meddle with the teardown.
            let _ = killpg(group, Signal::SIGKILL);
        }
        let status = child.wait().context("reaping a child")?;
        self.check_interrupted()?;
        Ok(status)
    }

    fn note(&self, signal: Signal) {
        if self.tearing_down.get() {
            say(&format!(
                "xtask: {signal}: still tearing down; this ends by itself"
            ));
        } else {
            say(&format!("xtask: {signal}: stopping"));
        }
        if self.interrupted.get().is_none() {
            self.interrupted.set(Some(signal));
        }
    }
}

fn check(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if status.success() {
        return Ok(());
    }
    // ExitStatus prints itself as "exit status: 1" or "signal: 9 (SIGKILL)".
    bail!(
        "`{}` failed ({status}); its own message is above",
        shown(command)
    )
}

/// A command as one would type it: short program name, arguments in quotes where needed.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![
        program
            .file_name()
            .unwrap_or(command.get_program())
            .to_string_lossy(),
    ];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    let quoted = words.iter().map(|word| {
        if word.is_empty() || word.contains([' ', '"', '$', '\'', '\n']) {
            format!("'{}'", word.replace('\'', r"'\''"))
        } else {
            word.to_string()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::pthread::{pthread_kill, pthread_self};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_the_command_and_the_status() {
        let runner = Runner::new().unwrap();
        let error = runner.run(&mut shell("exit 3")).unwrap_err().to_string();
        assert!(
            error.starts_with("`sh -c 'exit 3'` failed (exit status: 3)"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let runner = Runner::new().unwrap();
        let error = runner
            .run(&mut Command::new("/nonexistent/frob"))
            .unwrap_err();
        assert_eq!(error.to_string(), "starting `frob`");
    }

    #[test]
    fn output_is_trimmed() {
        let runner = Runner::new().unwrap();
        assert_eq!(
            runner.output(&mut shell("echo one; echo two")).unwrap(),
            "one\ntwo"
        );
    }

    #[test]
    fn a_signal_reaches_the_child_and_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (ready, proof) = (folder.path().join("ready"), folder.path().join("proof"));
        let runner = Runner::new().unwrap();
        let script = format!(
            "trap 'echo yes >{}; exit 7' TERM; : >{}; while :; do sleep 0.05; done",
            proof.display(),
            ready.display(),
        );
        // To this thread alone: the test runner's other threads do not expect a signal.
        let here = pthread_self();
        let sender = thread::spawn(move || {
            while !ready.exists() {
                thread::sleep(Duration::from_millis(5));
            }
            pthread_kill(here, Signal::SIGTERM).unwrap();
        });
        let error = runner.run(&mut shell(&script)).unwrap_err();
        sender.join().unwrap();
        let interrupted = error
            .downcast_ref::<Interrupted>()
            .expect("an Interrupted error");
        assert_eq!(interrupted.exit_code(), 143);
        assert_eq!(std::fs::read_to_string(proof).unwrap(), "yes\n");
        // Nothing else starts afterwards, except in the teardown.
        assert!(runner.run(&mut shell("true")).is_err());
        runner.start_teardown();
        runner.run(&mut shell("true")).unwrap();
    }
}
