//! A directory of its own for each test, with binaries in it, and the command run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use tempfile::TempDir;

/// How long a command may take to get somewhere, on a busy machine too.
const LIMIT: Duration = Duration::from_mins(1);

pub(crate) const AMD64: u16 = 62;
pub(crate) const ARM64: u16 = 183;

pub(crate) struct Fixture {
    directory: TempDir,
}

impl Fixture {
    /// Holds `server` for amd64 and `server-arm` for arm64, both static.
    pub(crate) fn new() -> Self {
        let fixture = Self {
            directory: TempDir::new().unwrap(),
        };
        fs::write(fixture.path("server"), static_program(AMD64)).unwrap();
        fs::write(fixture.path("server-arm"), static_program(ARM64)).unwrap();
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocipack"));
        command
            .current_dir(self.directory.path())
            .env_remove("SOURCE_DATE_EPOCH");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Assert {
        self.command().args(arguments).assert()
    }

    /// Builds `server` as `web:1` and returns its digest.
    pub(crate) fn build(&self, output: &str) -> String {
        let run = self.run(&[
            "build",
            "--binary",
            "linux/amd64=server",
            "--name",
            "web:1",
            "-o",
            output,
        ]);
        stdout(&run.success()).trim().to_owned()
    }
}

/// Waits until a command that runs has come so far.
pub(crate) fn until(child: &mut Child, so_far: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so_far() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before");
        assert!(
            Instant::now() < deadline,
            "not within {} s",
            LIMIT.as_secs()
        );
        // The one place where these tests poll: another's files and terminal have no event.
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to a command that runs, and waits for its end; returns its exit code.
pub(crate) fn end(mut child: Child, signal: &str) -> Option<i32> {
    let id = child.id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-s", signal, &id]).status().unwrap().success());
    child.wait().unwrap().code()
}

/// The names in the fixture's directory that are ocipack's own, of what is on its way.
pub(crate) fn passing(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("ocipack-")).collect()
}

pub(crate) fn stdout(run: &Assert) -> String {
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

/// Asserts the exit code and one line on stderr that says each of `parts`.
pub(crate) fn assert_fails(run: Assert, code: i32, parts: &[&str]) {
    let run = run.code(code);
    let stderr = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("ocipack: error: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in {stderr}");
    }
}

/// The header of a static ELF-64 program without segments.
pub(crate) fn static_program(machine: u16) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend(2_u16.to_le_bytes()); // e_type: ET_EXEC
    file.extend(machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes()); // e_version
    file.extend([0; 28]); // e_entry, e_phoff, e_shoff, e_flags
    for half in [64_u16, 56, 0, 64, 0, 0] {
        file.extend(half.to_le_bytes()); // sizes and counts of the tables
    }
    file
}
