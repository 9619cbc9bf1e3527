//! From a spec to an image: input → layer → configuration → manifest → index.
//!
//! Every stage is a function of the one before it, so equal inputs are equal bytes.

mod config;
mod elf;
mod epoch;
mod layer;
mod manifest;
mod spec;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Config, Descriptor, Digest, MediaType};

pub use epoch::{Epoch, EpochError};
pub(crate) use layer::header;
pub(crate) use manifest::CONTAINERD_NAME;
pub use spec::{ExtraFile, FileMode, ImageSpec};

use crate::digest::Blob;
use crate::name::{Name, NameError};
use crate::platform::Platform;
use tree::Tree;

const BINARY_MODE: u32 = 0o755;
const ACCOUNT_MODE: u32 = 0o644;
/// The accounts that programs look up: root, and the default user.
const ACCOUNTS: [(&str, &str); 2] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
    ),
    ("/etc/group", "root:x:0:\nnonroot:x:65532:\n"),
];

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to pack.
    #[error("no binary was given; give at least one, as in --binary linux/amd64=PATH")]
    NoBinary,
    /// The name is malformed or lacks a tag.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A field of the spec has a bad value.
    #[error("{0}")]
    Spec(String),
    /// An input file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Input {
        /// The file on this machine.
        path: PathBuf,
        /// What reading it said.
        source: io::Error,
    },
    /// A binary does not fit its platform or is not static.
    #[error("{} {problem}", path.display())]
    Binary {
        /// The file on this machine.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A layer cannot be packed.
    #[error("cannot pack the layer of {platform}: {source}")]
    Layer {
        /// The image's platform.
        platform: Platform,
        /// What packing it said.
        source: io::Error,
    },
    /// A document cannot be made.
    #[error("cannot write the image's documents: {0}")]
    Document(#[from] oci_spec::OciSpecError),
    /// A document cannot be encoded.
    #[error("cannot encode the image's documents: {0}")]
    Json(#[from] serde_json::Error),
}

/// A built image, in memory; [`Built::write_layout`] and [`Built::write_archive`] put it on disk.
#[derive(Debug)]
pub struct Built {
    pub(crate) name: Option<Name>,
    pub(crate) epoch: Epoch,
    /// The descriptor in index.json.
    pub(crate) root: Descriptor,
    pub(crate) index: Blob,
    /// By digest: platforms can share them.
    pub(crate) blobs: BTreeMap<String, Blob>,
    pub(crate) images: Vec<PlatformImage>,
}

/// One platform's part of an image.
#[derive(Debug)]
pub(crate) struct PlatformImage {
    pub(crate) manifest: Descriptor,
    pub(crate) config: Digest,
    pub(crate) layers: Vec<Digest>,
}

impl Built {
    /// The digest by which the image is pulled: that of the manifest or, with several platforms,
    /// of the image index. It does not depend on the name.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.root.digest()
    }

    /// The full name, if one was given.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The sum of all blobs' sizes in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blobs.values().map(Blob::size).sum()
    }
}

impl ImageSpec {
    /// Builds the image.
    ///
    /// # Errors
    /// A bad value, an input that cannot be read, or a binary that is for another platform or
    /// dynamically linked. Nothing is written.
    pub fn build(&self) -> Result<Built, BuildError> {
        if self.binary.is_empty() {
            return Err(BuildError::NoBinary);
        }
        let name: Option<Name> = self.name.as_deref().map(str::parse).transpose()?;
        let run = config::run_parameters(self).map_err(BuildError::Spec)?;

        let mut blobs = BTreeMap::new();
        let mut images = Vec::new();
        for (platform, path) in &self.binary {
            images.push(self.build_platform(platform, path, &run, &mut blobs)?);
        }

        let root = if let [image] = &images[..] {
            image.manifest.clone()
        } else {
            let manifests = images.iter().map(|image| image.manifest.clone()).collect();
            let index = Blob::json(&manifest::index(manifests, &self.annotation))?;
            store(&mut blobs, MediaType::ImageIndex, index)
        };
        let index = Blob::json(&manifest::layout_index(root.clone(), name.as_ref()))?;
        Ok(Built {
            name,
            epoch: self.epoch,
            root,
            index,
            blobs,
            images,
        })
    }

    fn build_platform(
        &self,
        platform: &Platform,
        binary: &Path,
        run: &Config,
        blobs: &mut BTreeMap<String, Blob>,
    ) -> Result<PlatformImage, BuildError> {
        let (tree, binary_path) = self.tree(platform, binary)?;
        let layer = layer::pack(&tree, self.epoch).map_err(|source| BuildError::Layer {
            platform: platform.clone(),
            source,
        })?;

        let mut run = run.clone();
        if run.entrypoint().is_none() {
            run.set_entrypoint(Some(vec![binary_path]));
        }
        let config = Blob::json(&config::image(
            platform,
            run,
            &layer.diff_id,
            &self.epoch.rfc3339(),
        )?)?;

        let config = store(blobs, MediaType::ImageConfig, config);
        let layers = vec![store(blobs, MediaType::ImageLayerGzip, layer.blob)];
        let (config_digest, layer_digests) = (
            config.digest().clone(),
            layers.iter().map(|layer| layer.digest().clone()).collect(),
        );
        let manifest = Blob::json(&manifest::manifest(config, layers, &self.annotation)?)?;
        let mut manifest = store(blobs, MediaType::ImageManifest, manifest);
        manifest.set_platform(Some(platform.to_oci()));
        Ok(PlatformImage {
            manifest,
            config: config_digest,
            layers: layer_digests,
        })
    }

    /// The tree of one platform's image and the binary's path in it.
    fn tree(&self, platform: &Platform, binary: &Path) -> Result<(Tree, String), BuildError> {
        let bytes = read_input(binary)?;
        elf::check(&bytes, platform, self.allow_dynamic).map_err(|problem| BuildError::Binary {
            path: binary.to_owned(),
            problem,
        })?;
        let file_name = binary
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| BuildError::Binary {
                path: binary.to_owned(),
                problem: "has a name that is not UTF-8; rename it".into(),
            })?;
        let binary_path = format!("/bin/{file_name}");

        let mut tree = Tree::default();
        tree.add(&binary_path, BINARY_MODE, bytes)
            .map_err(BuildError::Spec)?;
        for file in &self.file {
            tree.add(&file.dest, file.mode.0, read_input(&file.source)?)
                .map_err(BuildError::Spec)?;
        }
        // A file given for such a path takes its place.
        for (path, content) in ACCOUNTS
            .iter()
            .filter(|(path, _)| !self.file.iter().any(|file| file.dest == *path))
        {
            tree.add(path, ACCOUNT_MODE, content.as_bytes().to_vec())
                .map_err(BuildError::Spec)?;
        }
        Ok((tree, binary_path))
    }
}

fn read_input(path: &Path) -> Result<Vec<u8>, BuildError> {
    let read = || {
        // A device or a pipe may never end.
        if fs::metadata(path)?.is_file() {
            fs::read(path)
        } else {
            Err(io::Error::other("it is not a regular file"))
        }
    };
    read().map_err(|source| BuildError::Input {
        path: path.to_owned(),
        source,
    })
}

fn store(blobs: &mut BTreeMap<String, Blob>, media_type: MediaType, blob: Blob) -> Descriptor {
    let descriptor = manifest::descriptor(media_type, &blob);
    blobs.insert(blob.digest.to_string(), blob);
    descriptor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(directory: &Path) -> ImageSpec {
        let binary = directory.join("server");
        fs::write(&binary, elf::tests::static_program(62)).unwrap();
        let mut spec = ImageSpec {
            name: Some("web:1".into()),
            ..ImageSpec::default()
        };
        spec.binary.insert(Platform::linux_amd64(), binary);
        spec.env.insert("KEY".into(), "value".into());
        spec.label.insert("b".into(), "2".into());
        spec.label.insert("a".into(), "1".into());
        spec.port.push("5000".into());
        spec
    }

    /// Changes only when the layer's, an encoder's or a document's bytes do: every image that
    /// anyone builds then changes its digest too, which is worth a line in the release notes.
    #[test]
    fn the_digest_of_a_fixed_input_is_fixed() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let built = spec.build().unwrap();
        assert_eq!(
            built.digest().as_ref(),
            "sha256:0c0fa11de395662055bec09426cac6220735fe4d55b7fb613b5ff7c79aad0285"
        );

        let arm = directory.path().join("server-arm");
        fs::write(&arm, elf::tests::static_program(183)).unwrap();
        spec.binary.insert(Platform::linux_arm64(), arm);
        spec.epoch = "1700000000".parse().unwrap();
        assert_eq!(
            spec.build().unwrap().digest().as_ref(),
            "sha256:f00aa2359afd8081b866c7862ba5fa2eb7dc51c4470dc17fc5c3ba1841891b06"
        );
    }

    #[test]
    fn the_name_is_not_part_of_the_digest() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let built = spec.build().unwrap();
        spec.name = None;
        assert_eq!(spec.build().unwrap().digest(), built.digest());
        let index = String::from_utf8(built.index.bytes).unwrap();
        for key in [
            "org.opencontainers.image.ref.name",
            "io.containerd.image.name",
        ] {
            assert!(
                index.contains(&format!(r#""{key}":"docker.io/library/web:1""#)),
                "{index}"
            );
        }
        assert!(
            built
                .blobs
                .values()
                .all(|blob| !String::from_utf8_lossy(&blob.bytes).contains("web:1"))
        );
    }

    #[test]
    fn account_files_can_be_replaced_and_binaries_cannot() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let source = directory.path().join("passwd");
        fs::write(&source, "mine").unwrap();
        spec.file.push(ExtraFile {
            source: source.clone(),
            dest: "/etc/passwd".into(),
            mode: FileMode::default(),
        });
        assert!(spec.build().is_ok());
        spec.file.push(ExtraFile {
            source,
            dest: "/bin/server".into(),
            mode: FileMode::default(),
        });
        assert!(
            spec.build()
                .unwrap_err()
                .to_string()
                .contains("/bin/server is in the image already")
        );
    }
}
