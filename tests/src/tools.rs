//! The built tools.

use std::path::PathBuf;

use assert_cmd::{Command, assert::Assert};
use xtask::repo::Repo;

/// One of the workspace's tools, as built for this run.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn tool(name: &str) -> Command {
    Command::new(tool_path(name))
}

/// Where that tool is.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn tool_path(name: &str) -> PathBuf {
    // Test binaries lie in target/debug/deps, the tools one folder above.
    let path = Repo::find().expect("the workspace").tool(name);
    assert!(
        path.is_file(),
        "{} is not built; run the suites with: cargo xtask test",
        path.display()
    );
    path
}

/// What a command that ended wrote to stdout.
#[must_use]
pub fn stdout(ended: &Assert) -> String {
    String::from_utf8_lossy(&ended.get_output().stdout).into_owned()
}

/// How many lines of a command's stderr contain `text`.
#[must_use]
pub fn line_count(ended: &Assert, text: &str) -> usize {
    let stderr = String::from_utf8_lossy(&ended.get_output().stderr);
    stderr.lines().filter(|line| line.contains(text)).count()
}
