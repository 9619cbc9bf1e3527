//! From a folder of Kubernetes manifests to an artifact that Flux and others take: its media types
//! around a tar of the files (<https://fluxcd.io/flux/cheatsheets/oci-artifacts/>).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::MediaType;

use super::epoch::Epoch;
use super::error::BuildError;
use super::layer;
use super::manifest;
use super::tree::Tree;
use super::{Built, open_input};
use crate::compression::Compression;
use crate::digest::Blob;
use crate::write::{Blobs, Layout};

/// The configuration of an artifact of manifests; it is empty.
pub(crate) const CONFIG_TYPE: &str = "application/vnd.cncf.flux.config.v1+json";
/// Its one layer.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const CREATED: &str = "org.opencontainers.image.created";
const MODE: u32 = 0o644;

/// The inputs of an artifact of Kubernetes manifests.
#[derive(Debug, Clone, Default)]
pub struct ArtifactSpec {
    /// A file, or a folder with all that is in it except names that start with a dot.
    pub source: PathBuf,
    /// Annotations, such as `org.opencontainers.image.source` and `.revision`, which Flux shows.
    pub annotation: BTreeMap<String, String>,
    /// The time in every time stamp.
    pub epoch: Epoch,
}

impl ArtifactSpec {
    /// Builds the artifact: equal files are equal bytes, whatever their modes and dates.
    ///
    /// # Errors
    /// There is no file, a file cannot be read, or something is neither file nor folder.
    pub fn build_in(&self, scratch: &Path) -> Result<Built, BuildError> {
        let mut tree = Tree::default();
        let metadata = fs::metadata(&self.source).map_err(|error| input(&self.source, error))?;
        if metadata.is_dir() {
            add_folder(&mut tree, &self.source, "")?;
        } else {
            add_file(&mut tree, &self.source, "")?;
        }
        if tree.nodes().next().is_none() {
            let path = self.source.display();
            return Err(BuildError::Spec(format!(
                "{path} has no file in it; give the folder with the manifests"
            )));
        }
        let layer = layer::pack(&tree, self.epoch, Compression::default(), scratch);
        let layer = layer.map_err(|source| BuildError::Artifact {
            path: self.source.clone(),
            folder: scratch.to_owned(),
            source,
        })?;
        let mut blobs = Blobs::default();
        let config = blobs.add(CONFIG_TYPE.into(), Blob::new(b"{}".to_vec()));
        let content = blobs.add(CONTENT_TYPE.into(), layer.blob);
        let mut annotations = self.annotation.clone();
        annotations
            .entry(CREATED.to_owned())
            .or_insert_with(|| self.epoch.rfc3339());
        let document = manifest::manifest(config, vec![content], &annotations)?;
        let root = blobs.add(MediaType::ImageManifest, Blob::json(&document)?);
        Ok(Built {
            layout: Layout {
                root,
                blobs,
                docker: None,
                epoch: self.epoch,
            },
            name: None,
        })
    }
}

fn add_folder(tree: &mut Tree, folder: &Path, inside: &str) -> Result<(), BuildError> {
    let list = || fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>();
    for entry in list().map_err(|error| input(folder, error))? {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(|error| input(&path, error))?;
        if kind.is_dir() {
            let inside = format!("{inside}/{}", name(&path)?);
            add_folder(tree, &path, &inside)?;
        } else if kind.is_file() {
            add_file(tree, &path, inside)?;
        } else {
            let path = path.display();
            return Err(BuildError::Spec(format!(
                "{path} is a link or no file at all; an artifact holds files and folders only"
            )));
        }
    }
    Ok(())
}

fn add_file(tree: &mut Tree, path: &Path, inside: &str) -> Result<(), BuildError> {
    let (_, content) = open_input(path)?;
    tree.add(&format!("{inside}/{}", name(path)?), MODE, content)
        .map_err(BuildError::Spec)
}

fn name(path: &Path) -> Result<&str, BuildError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| {
        BuildError::Spec(format!(
            "{} has a name that is not UTF-8; rename it",
            path.display()
        ))
    })
}

fn input(path: &Path, source: io::Error) -> BuildError {
    BuildError::Input {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn digest(source: &Path) -> Result<String, BuildError> {
        let spec = ArtifactSpec {
            source: source.to_owned(),
            ..ArtifactSpec::default()
        };
        Ok(spec.build_in(&std::env::temp_dir())?.digest().to_string())
    }

    #[test]
    fn only_paths_and_bytes_of_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("base")).unwrap();
        fs::write(path.join("base/a.yaml"), "a: 1\n").unwrap();
        fs::write(path.join("b.yaml"), "b: 1\n").unwrap();
        let first = digest(path).unwrap();
        // Fixed, so that a change of an encoder is noticed here too.
        assert_eq!(
            first,
            "sha256:981f001f6ccb2c29f41064aacbd3ee127270496c0a9e973e23324e602ae24206"
        );
        fs::create_dir(path.join(".git")).unwrap();
        fs::write(path.join(".git/config"), "x").unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path.join("b.yaml"), mode).unwrap();
        assert_eq!(digest(path).unwrap(), first);
        fs::write(path.join("b.yaml"), "b: 2\n").unwrap();
        assert_ne!(digest(path).unwrap(), first);
    }

    #[test]
    fn links_and_emptiness_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = digest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has no file in it"), "{error}");
        symlink("/etc/passwd", folder.path().join("a.yaml")).unwrap();
        let error = digest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a.yaml is a link"), "{error}");
        assert!(digest(&folder.path().join("missing")).is_err());
    }
}
