//! A real registry for one test: the distribution project's, which klab gives its clusters, or,
//! where it matters what a registry can, one of another kind.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Shared, registry_programs, run, tool};

/// The bcrypt form of "planted-password", which the registry's htpasswd files need.
const PASSWORD_HASH: &str = "$2a$05$zi6W/2TBgHT0oMQxer6AE.fyHB/6IxQXyE60o/hA26pGu1hYyc7Cu";
const START: Duration = Duration::from_secs(30);

/// The distribution project's registry, which klab built.
///
/// # Panics
/// When klab does not say where.
pub fn registry_program() -> PathBuf {
    let path = ["runtime", "path", "registry"];
    let folder = run(Command::new(tool("klab")).args(path), "").exits(0);
    Path::new(folder.stdout.trim()).join("registry")
}

/// A running registry with nothing in it; it stops when dropped.
pub struct Registry {
    /// Where it listens, on the loopback.
    pub address: SocketAddr,
    child: Child,
    folder: TempDir,
}

/// What a registry asks of its clients.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Only "planted-user" with "planted-password" is let in.
    pub login: bool,
    /// A certificate and its key, in PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Registry {
    /// Starts one that lets everybody in.
    pub fn start() -> Self {
        Self::guarded(&Guard::default())
    }

    /// Starts one.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn guarded(guard: &Guard) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").expect("the loopback has ports");
        let address = free.local_addr().expect("it is bound");
        drop(free);
        let config = folder.path().join("config.yml");
        fs::write(&config, configuration(folder.path(), address, guard))
            .expect("it can be written");
        let log = File::create(folder.path().join("log")).expect("it can be written");
        let child = Command::new(registry_program())
            .arg("serve")
            .arg(&config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the registry can be started");
        let mut registry = Self {
            address,
            child,
            folder,
        };
        registry.wait();
        registry
    }

    /// Starts one that lists referrers, which the distribution project's does not.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_referrers() -> Self {
        let mut child = Command::new(registry_programs().join("referrers"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the registry can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("it says where it listens");
        Self {
            address: line.trim().parse().expect("it says where it listens"),
            child,
            folder: TempDir::new().expect("a folder can be made"),
        }
    }

    fn wait(&mut self) {
        Shared::eventually("a registry that listens", START, || {
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none(),
                "the registry ended ({ended:?}): {}",
                fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            );
            TcpStream::connect(self.address).ok()
        });
    }

    /// The names of a repository's tags, as its storage has them.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let tags = format!("data/docker/registry/v2/repositories/{repository}/_manifests/tags");
        let list = fs::read_dir(self.folder.path().join(tags))
            .into_iter()
            .flatten();
        let names = list.flatten().map(|tag| tag.file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Every file in its storage: blobs, links to them, and what uploads have sent. Not the
    /// states of hashes, which the distribution project's leaves of an upload that was cancelled
    /// until it clears its uploads away.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().join("data")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let to = if path.is_dir() {
                    &mut folders
                } else {
                    &mut files
                };
                to.push(path);
            }
        }
        files.retain(|file| {
            !file
                .components()
                .any(|part| part.as_os_str() == "hashstates")
        });
        files
    }

    /// `HOST:PORT/REPOSITORY`
    pub fn repository(&self, repository: &str) -> String {
        format!("{}/{repository}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configuration(folder: &Path, address: SocketAddr, guard: &Guard) -> String {
    let folder = folder.display();
    let mut config = format!(
        "version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
http:
  addr: {address}
  secret: a-test
"
    );
    if let Some((certificate, key)) = &guard.tls {
        let (certificate, key) = (certificate.display(), key.display());
        let tls = format!("  tls: {{certificate: {certificate}, key: {key}}}\n");
        config.push_str(&tls);
    }
    if guard.login {
        let file = format!("{folder}/htpasswd");
        fs::write(&file, format!("planted-user:{PASSWORD_HASH}\n")).expect("it can be written");
        let auth = format!("auth:\n  htpasswd: {{realm: test, path: {file}}}\n");
        config.push_str(&auth);
    }
    config
}
