//! What a Cargo.toml says about a program, as the annotations of the image specification.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_toml::Manifest;
use oci_spec::image::{ANNOTATION_LICENSES, ANNOTATION_SOURCE, ANNOTATION_VERSION};

/// A Cargo.toml that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot take annotations from {}: {problem}", path.display())]
pub struct CargoError {
    path: PathBuf,
    problem: String,
}

/// `source`, `version` and `licenses` from a package's Cargo.toml, values of its workspace included
/// (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>).
///
/// # Errors
/// The file, or that of its workspace, cannot be read or is of no package.
pub fn annotations(manifest: &Path) -> Result<BTreeMap<String, String>, CargoError> {
    let refuse = |problem: String| CargoError {
        path: manifest.to_owned(),
        problem,
    };
    let read = Manifest::from_path(manifest).map_err(|error| refuse(error.to_string()))?;
    let package = read.package.ok_or_else(|| {
        refuse("it is of a workspace, not of a package; give the package's own".into())
    })?;
    let found = [
        (ANNOTATION_SOURCE, package.repository().map(str::to_owned)),
        (ANNOTATION_VERSION, Some(package.version().to_string())),
        (ANNOTATION_LICENSES, package.license().map(str::to_owned)),
    ];
    let given = |(key, value): (&str, Option<String>)| Some((key.to_owned(), value?));
    Ok(found.into_iter().filter_map(given).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_the_workspace_says_counts() {
        let folder = tempfile::tempdir().unwrap();
        let member = folder.path().join("member");
        fs::create_dir_all(member.join("src")).unwrap();
        let workspace =
            "[workspace]\nmembers = ['member']\n[workspace.package]\nversion = '1.2.3'\n";
        fs::write(folder.path().join("Cargo.toml"), workspace).unwrap();
        let package = "[package]\nname = 'p'\nversion.workspace = true\nlicense = 'MIT'\n";
        fs::write(member.join("Cargo.toml"), package).unwrap();
        let expected = [(ANNOTATION_VERSION, "1.2.3"), (ANNOTATION_LICENSES, "MIT")];
        assert_eq!(
            annotations(&member.join("Cargo.toml")).unwrap(),
            expected
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        );
        let error = annotations(&folder.path().join("Cargo.toml")).unwrap_err();
        assert!(error.to_string().contains("of a workspace"), "{error}");
    }
}
