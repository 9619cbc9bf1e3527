//! What Cargo knows of a crate and the program does not say: its checksum and its licence.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::{SbomError, SbomOptions};

/// By name and version.
#[derive(Default)]
pub(super) struct Cargo {
    checksums: Option<BTreeMap<(String, String), Option<String>>>,
    licences: BTreeMap<(String, String), String>,
    lock: String,
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    version: String,
    license: Option<String>,
}

impl Cargo {
    pub(super) fn read(options: &SbomOptions<'_>) -> Result<Self, SbomError> {
        let mut cargo = Self::default();
        if let Some(path) = options.cargo_lock {
            let lock: Lock =
                toml::from_str(&text(path)?).map_err(|error| refuse(path, error.message()))?;
            let packages = lock.package.into_iter();
            let packages = packages.map(|one| ((one.name, one.version), one.checksum));
            cargo.checksums = Some(packages.collect());
            cargo.lock = path.display().to_string();
        }
        if let Some(path) = options.cargo_metadata {
            let metadata: Metadata = serde_json::from_str(&text(path)?)
                .map_err(|error| refuse(path, &error.to_string()))?;
            let packages = metadata.packages.into_iter();
            cargo.licences = packages
                .filter_map(|one| Some(((one.name, one.version), expression(&one.license?))))
                .collect();
        }
        Ok(cargo)
    }

    /// The checksum of a crate, if there is a lock file and the crate is from a registry.
    ///
    /// # Errors
    /// The lock file does not know the crate: it is another program's.
    pub(super) fn checksum(&self, name: &str, version: &str) -> Result<Option<&str>, SbomError> {
        let Some(checksums) = &self.checksums else {
            return Ok(None);
        };
        let found = checksums.get(&(name.to_owned(), version.to_owned()));
        let found = found.ok_or_else(|| SbomError::Cargo {
            path: self.lock.clone(),
            problem: format!(
                "it has no {name} {version}, which the image's program is made of; give the lock file that it was built with"
            ),
        })?;
        Ok(found.as_deref())
    }

    pub(super) fn licence(&self, name: &str, version: &str) -> Option<&str> {
        let found = self.licences.get(&(name.to_owned(), version.to_owned()));
        found.map(String::as_str)
    }
}

/// Old crates put a slash where SPDX has OR
/// (<https://doc.rust-lang.org/cargo/reference/manifest.html#the-license-and-license-file-fields>).
fn expression(license: &str) -> String {
    let parts: Vec<&str> = license.split('/').map(str::trim).collect();
    parts.join(" OR ")
}

fn text(path: &Path) -> Result<String, SbomError> {
    fs::read_to_string(path).map_err(|error| refuse(path, &format!("cannot read it: {error}")))
}

fn refuse(path: &Path, problem: &str) -> SbomError {
    SbomError::Cargo {
        path: path.display().to_string(),
        problem: problem.to_owned(),
    }
}
