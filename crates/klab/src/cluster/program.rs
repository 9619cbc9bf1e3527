//! The program `klab`, for a process that is not klab itself.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use crate::error::{Context, Error, Result};

/// The environment variable that names the program.
const VARIABLE: &str = "KLAB";
const NAME: &str = "klab";

/// The program, and the cluster that it is told of.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    state: Option<PathBuf>,
    cluster: String,
}

impl Program {
    pub(super) fn find(
        given: Option<PathBuf>,
        state: Option<PathBuf>,
        cluster: String,
    ) -> Result<Self> {
        let path = given
            .or_else(|| env::var_os(VARIABLE).map(PathBuf::from))
            .or_else(beside)
            .or_else(on_path)
            .ok_or_else(missing)?;
        check_version(&path)?;
        Ok(Self {
            path,
            state,
            cluster,
        })
    }

    /// `klab --name CLUSTER`, to be told more.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("--quiet").arg("--name").arg(&self.cluster);
        if let Some(state) = &self.state {
            command.arg("--state").arg(state);
        }
        command
    }

    /// The command as one would type it.
    pub(super) fn shown(&self, words: &str) -> String {
        let state = self.state.as_ref();
        let state = state.map_or_else(String::new, |path| format!("--state {} ", path.display()));
        format!(
            "{} {state}--name {} {words}",
            self.path.display(),
            self.cluster
        )
    }
}

/// Cargo puts tests into `deps`, programs above it, and examples beside that.
fn beside() -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    let own = test.parent()?;
    let above = own.parent().unwrap_or(own);
    let folders = [own, above, &above.join("examples")];
    first(folders.into_iter().map(Path::to_owned))
}

fn on_path() -> Option<PathBuf> {
    first(env::split_paths(&env::var_os("PATH")?))
}

fn first(folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders
        .map(|folder| folder.join(NAME))
        .find(|path| path.is_file())
}

fn missing() -> Error {
    Error::Helper(format!(
        "the program klab is neither beside this one nor on the PATH; make it with an example that \
         calls klab::cli::main, or name it in {VARIABLE}"
    ))
}

/// What library and program say to each other is the same in the same version only.
fn check_version(path: &Path) -> Result<()> {
    let mut ask = Command::new(path);
    ask.arg("--version");
    let version = run(ask)?;
    let wanted = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    if version.trim() == wanted {
        return Ok(());
    }
    Err(Error::Helper(format!(
        "{} is {:?}, and this library needs {wanted:?}; install that one, or name it in {VARIABLE}",
        path.display(),
        version.trim()
    )))
}

/// Runs a klab command to its end, and returns what it printed.
pub(super) fn run(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .system(format!("cannot run {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    Err(Error::Helper(format!(
        "klab {}: {}",
        words.join(" "),
        reason(&String::from_utf8_lossy(&output.stderr), output.status)
    )))
}

/// What a klab command that failed said.
pub(super) fn reason(stderr: &str, status: ExitStatus) -> String {
    let words = stderr.trim();
    if words.is_empty() {
        return status.to_string();
    }
    words
        .strip_prefix("klab: error: ")
        .unwrap_or(words)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join(NAME);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = script(folder.path(), "echo klab 0.0.0");
        let error = Program::find(Some(path), None, "t".to_owned()).unwrap_err();
        assert!(error.to_string().contains("\"klab 0.0.0\""), "{error}");
    }

    #[test]
    fn a_failure_is_told_in_klabs_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(script(
            folder.path(),
            "echo klab: error: no luck >&2; exit 1",
        ));
        command.args(["node", "stop", "x"]);
        let error = run(command).unwrap_err().to_string();
        assert_eq!(error, "klab node stop x: no luck");
    }
}
