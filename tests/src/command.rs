//! Running a tool and judging what it said.

use std::{
    fmt,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The tool called `name`, built beside this test.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    // target/<profile>/deps/<test>: the tools are two levels up.
    let folder = test.ancestors().nth(2).expect("a test lies in target/");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing; run the suites with: cargo xtask test",
        path.display()
    );
    path
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// The exit code, if no signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
}

/// Runs a command to its end, with `input` on its standard input.
///
/// # Panics
/// When it cannot be started.
pub fn run(command: &mut Command, input: &str) -> Ran {
    let line = format!("{command:?}");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
    let mut stdin = child.stdin.take().expect("it was piped");
    let input = input.to_owned();
    // Beside it: a child that writes before it has read everything must not wait for us.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("a child can be waited for");
    writer.join().expect("writing does not panic");
    Ran {
        line,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ran {
    /// Demands this exit code.
    ///
    /// # Panics
    /// When it is another, with everything that was said.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Demands that it failed with one clear message that names every one of `words`.
    ///
    /// # Panics
    /// When it does not, with everything that was said.
    #[track_caller]
    pub fn fails_naming(self, code: i32, words: &[&str]) -> Self {
        let ran = self.exits(code);
        for word in words {
            assert!(ran.stderr.contains(word), "no word of {word:?}: {ran}");
        }
        assert!(!ran.stderr.contains("panicked"), "{ran}");
        assert!(
            ran.stderr.lines().count() <= 12,
            "that is not one clear message: {ran}"
        );
        ran
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{line}\nexit code: {code:?}\nstdout:\n{stdout}\nstderr:\n{stderr}"
        )
    }
}
