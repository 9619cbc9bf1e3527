//! Handing an image to a container runtime through the runtime's own tool, once it is verified.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::passing;
use crate::read::{ReadError, Source, Verification};
use crate::write::Layout;

/// Who takes the image.
#[derive(Debug, Clone)]
pub enum Runtime {
    /// containerd, through its `ctr`.
    Containerd {
        /// containerd's socket.
        socket: PathBuf,
        /// The namespace; Kubernetes' is `k8s.io`.
        namespace: String,
        /// The tool, by path or as found in PATH.
        ctr: PathBuf,
    },
    /// Docker, through `docker load`.
    Docker,
    /// Podman, through `podman load`.
    Podman,
}

/// Why an image was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read, or is not one image.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not what it says; nothing was loaded.
    #[error("{} is damaged and was not loaded; build or fetch it again", path.display())]
    Damaged {
        /// The layout or archive.
        path: PathBuf,
        /// What was found.
        found: Verification,
    },
    /// containerd would make up a name.
    #[error("{} has no name to load it under; build it with --name", .0.display())]
    NoName(PathBuf),
    /// Docker's own archive format has no place for several platforms.
    #[error("{} has {count} platforms and docker load takes one; build it with a single --binary", path.display())]
    SeveralPlatforms {
        /// The layout.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The layout cannot be packed into an archive for the tool.
    #[error("cannot pack {} into a temporary archive: {source}", path.display())]
    Pack {
        /// The layout.
        path: PathBuf,
        /// What packing it said.
        source: io::Error,
    },
    /// The tool cannot be run.
    #[error("cannot run {}: {source}; is it installed and in PATH?", tool.display())]
    Start {
        /// The tool.
        tool: PathBuf,
        /// What starting it said.
        source: io::Error,
    },
    /// The tool failed.
    #[error("{} failed ({status}): {message}", tool.display())]
    Tool {
        /// The tool.
        tool: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last line that it wrote to stderr.
        message: String,
    },
}

/// Verifies an image and loads it; returns what the tool said on stdout. In containerd it gets
/// its name and, for whoever deploys by digest, the same repository's name with the digest.
///
/// # Errors
/// The image is damaged, has no name, or the tool cannot be run or fails.
pub fn load(source: &Source, runtime: &Runtime) -> Result<String, LoadError> {
    let digest = source.digest()?;
    let found = source.verify();
    if !found.is_ok() {
        return Err(LoadError::Damaged {
            path: source.path.clone(),
            found,
        });
    }
    let Some(name) = source.name()? else {
        return Err(LoadError::NoName(source.path.clone()));
    };
    let mut said = if source.is_archive() && !lacks_dockers_form(source, runtime)? {
        runtime.import(&source.path)?
    } else {
        // The tools read archives only.
        runtime.import(pack_layout(source, runtime)?.path())?
    };
    if matches!(runtime, Runtime::Containerd { .. }) {
        let pinned = format!("{}@{digest}", repository(name));
        // An image of today takes the place of one from an earlier load.
        said += &runtime.ctr(&["tag", "--force", name, &pinned])?;
    }
    Ok(said)
}

/// Whether Docker is to read an archive of one platform without what its classic store reads, as
/// other builders write them.
fn lacks_dockers_form(source: &Source, runtime: &Runtime) -> Result<bool, LoadError> {
    if !matches!(runtime, Runtime::Docker) {
        return Ok(false);
    }
    Ok(!source.has_docker_manifest() && source.images()?.len() == 1)
}

/// A name without its tag; a port is before the last slash.
fn repository(name: &str) -> &str {
    let start = name.rfind('/').unwrap_or(0);
    let tag = name[start..].find(':').map(|colon| start + colon);
    &name[..tag.unwrap_or(name.len())]
}

/// A temporary archive of a verified layout.
fn pack_layout(source: &Source, runtime: &Runtime) -> Result<tempfile::NamedTempFile, LoadError> {
    let layout = Layout::of(source)?;
    if matches!(runtime, Runtime::Docker) && layout.docker.is_none() {
        return Err(LoadError::SeveralPlatforms {
            path: source.path.clone(),
            count: source.images()?.len(),
        });
    }
    let pack = || {
        let mut archive = passing::make(|| {
            tempfile::Builder::new()
                .prefix("ocipack-")
                .suffix(".tar")
                .tempfile()
        })?;
        layout.pack(archive.as_file_mut())?;
        Ok(archive)
    };
    pack().map_err(|error| LoadError::Pack {
        path: source.path.clone(),
        source: error,
    })
}

impl Runtime {
    fn import(&self, archive: &Path) -> Result<String, LoadError> {
        match self {
            Self::Containerd { .. } => self.ctr(&["import".as_ref(), archive.as_os_str()]),
            Self::Docker => load_with("docker", archive),
            Self::Podman => load_with("podman", archive),
        }
    }

    /// Runs a command of `ctr images`.
    fn ctr(&self, words: &[impl AsRef<OsStr>]) -> Result<String, LoadError> {
        let Self::Containerd {
            socket,
            namespace,
            ctr,
        } = self
        else {
            return Ok(String::new());
        };
        // ctr takes a relative path for the host of an address.
        let socket = std::path::absolute(socket).unwrap_or_else(|_| socket.clone());
        let mut arguments: Vec<OsString> = vec![
            "-a".into(),
            socket.into(),
            "-n".into(),
            namespace.into(),
            "images".into(),
        ];
        arguments.extend(words.iter().map(OsString::from));
        run(ctr, arguments)
    }
}

fn load_with(tool: &str, archive: &Path) -> Result<String, LoadError> {
    let arguments = vec!["load".into(), "-i".into(), archive.into()];
    run(Path::new(tool), arguments)
}

fn run(tool: &Path, arguments: Vec<OsString>) -> Result<String, LoadError> {
    let output = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LoadError::Start {
            tool: tool.to_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let message = stderr
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing")
        .trim()
        .to_owned();
    Err(LoadError::Tool {
        tool: tool.to_owned(),
        status: output.status,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        for (name, without) in [
            ("localhost:5000/web:1", "localhost:5000/web"),
            ("docker.io/library/web:1", "docker.io/library/web"),
            ("localhost:5000/web", "localhost:5000/web"),
            ("web:1", "web"),
        ] {
            assert_eq!(repository(name), without);
        }
    }
}
