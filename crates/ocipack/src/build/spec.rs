//! What an image is made from, as a configuration file, the command line or a caller says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::epoch::Epoch;
use crate::compression::Compression;
use crate::platform::Platform;

/// The inputs of an image. Fill in what matters and take the rest from `ImageSpec::default()`;
/// everything is checked by [`ImageSpec::build`]. Field names in TOML are the same with dashes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ImageSpec {
    /// `[registry/]repository:tag`. It is written beside the image, not into it.
    pub name: Option<String>,
    /// For each platform the program that becomes `/bin/<its file name>`; at least one.
    pub binary: BTreeMap<Platform, PathBuf>,
    /// The command and its fixed arguments; the binary if not given.
    pub entrypoint: Option<Vec<String>>,
    /// Arguments that a pod's `args` replace.
    pub cmd: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Numeric `UID[:GID]`; `65532:65532` if not given.
    pub user: Option<String>,
    /// `PORT[/tcp|/udp|/sctp]` that the program listens on.
    pub port: Vec<String>,
    /// Labels of the image configuration.
    pub label: BTreeMap<String, String>,
    /// Annotations of the manifest and, with several platforms, of the image index too.
    pub annotation: BTreeMap<String, String>,
    /// The absolute directory in which the program starts.
    pub workdir: Option<String>,
    /// The signal that asks the program to end, such as `SIGINT`.
    pub stop_signal: Option<String>,
    /// Further files.
    pub file: Vec<ExtraFile>,
    /// The image whose layers lie below; its configuration holds where this spec is silent.
    pub base: Option<BaseSpec>,
    /// How the layer is compressed.
    pub compression: Compression,
    /// Takes binaries that need a loader or libraries, which `file` then has to bring.
    pub allow_dynamic: bool,
    /// The time in every time stamp.
    #[serde(skip)]
    pub epoch: Epoch,
}

/// A base image on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PathBuf")]
pub struct BaseSpec {
    /// A layout directory or an archive of one.
    pub path: PathBuf,
    /// Its name in a registry, which goes into `org.opencontainers.image.base.name`; what the
    /// layout calls it if not given.
    pub name: Option<String>,
}

impl From<PathBuf> for BaseSpec {
    fn from(path: PathBuf) -> Self {
        Self { path, name: None }
    }
}

/// A file to put into the image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraFile {
    /// The file on this machine.
    pub source: PathBuf,
    /// Its absolute path in the image.
    pub dest: String,
    /// Its permission bits in the image; 0644 if not given.
    #[serde(default)]
    pub mode: FileMode,
}

/// Permission bits, 0 to 0777: set-user-ID and the like have no place in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FileMode(pub(crate) u32);

impl Default for FileMode {
    fn default() -> Self {
        Self(0o644)
    }
}

impl std::str::FromStr for FileMode {
    type Err = String;

    /// Parses three octal digits, or four of which the first is 0.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text
            .strip_prefix('0')
            .filter(|rest| rest.len() == 3)
            .unwrap_or(text);
        if digits.len() == 3 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
            return u32::from_str_radix(digits, 8)
                .map(Self)
                .map_err(|error| error.to_string());
        }
        Err(format!(
            "mode {text:?} is not three octal digits, such as 0644"
        ))
    }
}

impl TryFrom<String> for FileMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_permission_bits_only() {
        assert_eq!("0644".parse(), Ok(FileMode(0o644)));
        assert_eq!("755".parse(), Ok(FileMode(0o755)));
        for bad in ["", "4755", "64", "0888", "rwx", "+644", "00644"] {
            assert!(bad.parse::<FileMode>().is_err(), "{bad:?} was taken");
        }
    }
}
