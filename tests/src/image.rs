//! A folder of a test's own in which ocipack builds images.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{Ran, run, tool};

/// A folder with static programs for two machines, and the tool that packs them.
pub struct Workshop {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

impl Workshop {
    /// A new folder with `server` for amd64 and `server-arm` for arm64.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        fs::write(folder.path().join("server"), program(62)).expect("it can be written");
        fs::write(folder.path().join("server-arm"), program(183)).expect("it can be written");
        Self {
            folder,
            environment: Vec::new(),
        }
    }

    /// Sets a variable for every command that follows.
    pub fn set(&mut self, name: &str, value: impl AsRef<Path>) {
        let value = value.as_ref().display().to_string();
        self.environment.push((name.to_owned(), value));
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a login for a registry where Docker would.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn login(&mut self, registry: &str) {
        let docker = self.path("docker");
        fs::create_dir_all(&docker).expect("a folder can be made");
        // "planted-user:planted-password"
        let auth = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ=";
        let config = format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#);
        fs::write(docker.join("config.json"), config).expect("it can be written");
        self.set("DOCKER_CONFIG", docker);
    }

    /// ocipack in this folder, knowing no login but its own.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(tool("ocipack"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("XDG_RUNTIME_DIR")
            .env("DOCKER_CONFIG", self.path("no-docker"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs ocipack to its end.
    pub fn ocipack(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words), "")
    }

    /// Builds an image for amd64 with a file of `size` bytes that no encoder makes smaller;
    /// returns its digest.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn build(&self, output: &str, size: usize) -> String {
        fs::write(self.path("ballast"), noise(size)).expect("it can be written");
        let words = [
            "build",
            "--binary",
            "linux/amd64=server",
            "--name",
            "localhost/web:1",
            "--file",
            "ballast:/ballast",
            "--compression",
            "none",
            "-o",
            output,
        ];
        self.ocipack(&words).exits(0).stdout.trim().to_owned()
    }

    /// Builds an image for both machines.
    pub fn build_index(&self, output: &str, more: &[&str]) -> String {
        let words = [
            "build",
            "--binary",
            "linux/amd64=server",
            "--binary",
            "linux/arm64=server-arm",
            "--name",
            "localhost/web:1",
            "-o",
            output,
        ];
        let ran = self.ocipack(&[&words[..], more].concat());
        ran.exits(0).stdout.trim().to_owned()
    }
}

/// Bytes without order, always the same (xorshift64, Marsaglia 2003).
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The header of a static ELF-64 program without segments.
fn program(machine: u16) -> Vec<u8> {
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
