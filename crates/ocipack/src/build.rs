//! From a spec to an image: input → layer → configuration → manifest → index.
//!
//! Every stage is a function of the one before it, so equal inputs are equal bytes.

mod artifact;
mod base;
mod below;
mod cargo;
mod config;
mod elf;
mod epoch;
mod error;
mod layer;
mod manifest;
mod spec;
mod tree;

use std::fs::{self, File};
use std::io;
use std::path::Path;

use object::read::ReadCache;
use oci_spec::image::{Config, Descriptor, Digest, MediaType};
use serde_json::Map;

pub use artifact::ArtifactSpec;
pub(crate) use artifact::{CONFIG_TYPE as ARTIFACT_CONFIG, CONTENT_TYPE as ARTIFACT_CONTENT};
pub use base::BaseError;
use base::{Base, BaseImage};
pub use cargo::{CargoError, annotations as cargo_annotations};
pub use epoch::{Epoch, EpochError};
pub use error::BuildError;
pub(crate) use manifest::{index, manifest, name_of, named};
pub use spec::{BaseSpec, ExtraFile, FileMode, ImageSpec};

use crate::content::{Content, Section};
use crate::digest::Blob;
use crate::name::Name;
use crate::platform::Platform;
use crate::write::{Blobs, DockerImage, Layout};
use layer::Layer;
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

/// A built image; [`Built::write_layout`] and [`Built::write_archive`] put it where it is wanted.
///
/// Its layers are in files without a name, which are gone when it is dropped.
#[derive(Debug)]
pub struct Built {
    pub(crate) layout: Layout,
    name: Option<Name>,
}

impl Built {
    /// The digest by which the image is pulled: that of the manifest or, with several platforms,
    /// of the image index. It does not depend on the name.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        self.layout.root.digest()
    }

    /// The full name, if one was given.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The sum of all blobs' sizes in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layout.blobs.0.values().map(Blob::size).sum()
    }
}

/// One platform's documents, as its layout names them.
struct PlatformImage {
    manifest: Descriptor,
    docker: DockerImage,
}

impl ImageSpec {
    /// Builds the image; its layers go to nameless files in the directory for temporary files.
    ///
    /// # Errors
    /// A bad value, an input that cannot be read, a base image without one of the platforms, or
    /// a binary that is for another platform or dynamically linked. Nothing is left behind.
    pub fn build(&self) -> Result<Built, BuildError> {
        self.build_in(&std::env::temp_dir())
    }

    /// As [`ImageSpec::build`], with the nameless files in `scratch`, which has to have room
    /// for the compressed layers.
    ///
    /// # Errors
    /// As [`ImageSpec::build`].
    pub fn build_in(&self, scratch: &Path) -> Result<Built, BuildError> {
        if self.binary.is_empty() {
            return Err(BuildError::NoBinary);
        }
        let name: Option<Name> = self.name.as_deref().map(str::parse).transpose()?;
        let run = config::run_parameters(self).map_err(BuildError::Spec)?;
        let base = self.base.as_ref().map(Base::open).transpose()?;

        let mut blobs = Blobs::default();
        let mut images = Vec::new();
        for (platform, path) in &self.binary {
            let mut below = base.as_ref().map(|base| base.image(platform)).transpose()?;
            let folders = below
                .as_mut()
                .map(|below| std::mem::take(&mut below.folders));
            let tree = folders.map_or_else(Tree::default, Tree::upon);
            let layer = self.pack(tree, platform, path, scratch)?;
            images.push(self.add_platform(&mut blobs, platform, &run, below, layer)?);
        }

        let (root, docker) = if let [image] = &images[..] {
            (image.manifest.clone(), Some(image.docker.clone()))
        } else {
            let manifests = images.into_iter().map(|image| image.manifest).collect();
            let index = Blob::json(&manifest::index(manifests, &self.annotation))?;
            (blobs.add(MediaType::ImageIndex, index), None)
        };
        let full = name.as_ref().map(ToString::to_string);
        let layout = Layout {
            root: manifest::named(root, full.as_deref()),
            blobs,
            docker,
            epoch: self.epoch,
        };
        Ok(Built { layout, name })
    }

    /// One platform's layer and the binary's path in it.
    fn pack(
        &self,
        tree: Tree,
        platform: &Platform,
        binary: &Path,
        scratch: &Path,
    ) -> Result<(Layer, String), BuildError> {
        let (tree, binary_path) = self.tree(tree, platform, binary)?;
        let layer = layer::pack(&tree, self.epoch, self.compression, scratch);
        let layer = layer.map_err(|source| BuildError::Layer {
            platform: platform.clone(),
            folder: scratch.to_owned(),
            source,
        })?;
        Ok((layer, binary_path))
    }

    fn add_platform(
        &self,
        blobs: &mut Blobs,
        platform: &Platform,
        run: &Config,
        below: Option<BaseImage>,
        (layer, binary_path): (Layer, String),
    ) -> Result<PlatformImage, BuildError> {
        let mut annotations = self.annotation.clone();
        let (mut layers, mut base, mut dockers) = (Vec::new(), None, Map::new());
        if let Some(below) = below {
            // What the user says about the base is left as it is.
            for (key, value) in below.annotations {
                annotations.entry(key).or_insert(value);
            }
            for (media_type, blob) in below.layers {
                layers.push(blobs.add(media_type, blob));
            }
            base = Some(below.config);
            dockers = below.dockers;
        }
        let run = config::over(
            run,
            base.as_ref().and_then(|base| base.config().as_ref()),
            binary_path,
        );
        let created = self.epoch.rfc3339();
        let config = config::image(platform, run, base, &layer.diff_id, &created)?;
        let config = config::with_dockers(&config, dockers)?;
        let config = blobs.add(MediaType::ImageConfig, Blob::json(&config)?);
        layers.push(blobs.add(self.compression.format.media_type(), layer.blob));
        let docker = DockerImage {
            config: config.digest().clone(),
            layers: layers.iter().map(|layer| layer.digest().clone()).collect(),
        };
        let manifest = Blob::json(&manifest::manifest(config, layers, &annotations)?)?;
        let mut manifest = blobs.add(MediaType::ImageManifest, manifest);
        manifest.set_platform(Some(platform.to_oci()));
        Ok(PlatformImage { manifest, docker })
    }

    /// The tree of one platform's image and the binary's path in it.
    fn tree(
        &self,
        mut tree: Tree,
        platform: &Platform,
        binary: &Path,
    ) -> Result<(Tree, String), BuildError> {
        let (file, content) = open_input(binary)?;
        elf::check(&ReadCache::new(file), platform, self.allow_dynamic).map_err(|problem| {
            BuildError::Binary {
                path: binary.to_owned(),
                problem,
            }
        })?;
        let file_name = binary
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| BuildError::Binary {
                path: binary.to_owned(),
                problem: "has a name that is not UTF-8; rename it".into(),
            })?;
        let binary_path = format!("/bin/{file_name}");

        tree.add(&binary_path, BINARY_MODE, content)
            .map_err(BuildError::Spec)?;
        for file in &self.file {
            tree.add(&file.dest, file.mode.0, open_input(&file.source)?.1)
                .map_err(BuildError::Spec)?;
        }
        if self.base.is_some() {
            // The base has its own accounts.
            return Ok((tree, binary_path));
        }
        // A file given for such a path takes its place.
        for (path, content) in ACCOUNTS
            .iter()
            .filter(|(path, _)| !self.file.iter().any(|file| file.dest == *path))
        {
            tree.add(path, ACCOUNT_MODE, content.as_bytes().to_vec().into())
                .map_err(BuildError::Spec)?;
        }
        Ok((tree, binary_path))
    }
}

/// An input file, and its bytes as they are to be packed.
fn open_input(path: &Path) -> Result<(File, Content), BuildError> {
    let open = || {
        // Opening a pipe may wait for ever, and a device may never end.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let file = File::open(path)?;
        let section = Section::whole(file.try_clone()?)?;
        Ok((file, Content::Section(section)))
    };
    open().map_err(|source| BuildError::Input {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(blob: &Blob) -> String {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut blob.content.read_from(0), &mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

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
    /// It last changed when gzip's encoder became zlib-rs, in pieces, with level 3 for 9.
    #[test]
    fn the_digest_of_a_fixed_input_is_fixed() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let built = spec.build().unwrap();
        assert_eq!(
            built.digest().as_ref(),
            "sha256:53488a82f16efdd22eaf8bf58e88a773c5814b4119b78f0be8c623d932cdfe86"
        );

        let arm = directory.path().join("server-arm");
        fs::write(&arm, elf::tests::static_program(183)).unwrap();
        spec.binary.insert(Platform::linux_arm64(), arm);
        spec.epoch = "1700000000".parse().unwrap();
        assert_eq!(
            spec.build().unwrap().digest().as_ref(),
            "sha256:d041903db7c59ae734d3d1b5b8aa0be99150fa08f0bc6bfad2efa4ef96921813"
        );
    }

    /// As above, for the other encoders.
    #[test]
    fn the_digests_of_other_compressions_are_fixed() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let digests = ["none", "gzip:1", "zstd:3", "zstd:19"].map(|compression| {
            spec.compression = compression.parse().unwrap();
            spec.build().unwrap().digest().digest().to_owned()
        });
        let fixed = [
            "c87ed567e8927e2cf1c748895a8d8d86a9967d51a9794537169b53b811aa9e0c",
            "b766d98db64fcd157857e9f97d927a564b9f73bcc3700ace1fe8e7da5d3b3555",
            "4527de894b092ae45287e15fa169782c71754ac0cb59e2c26398a300078b6458",
            "108c18158449ade57f6692ae0c44c11cb6a6c0ed1a13bc931e855a31802c0d31",
        ];
        assert_eq!(digests, fixed);
    }

    #[test]
    fn where_a_layer_finds_no_room_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let spec = fixture(directory.path());
        let scratch = directory.path().join("server");
        let error = spec.build_in(&scratch).unwrap_err().to_string();
        let told = format!("linux/amd64 in {}: ", scratch.display());
        assert!(error.contains(&told), "{error}");
        let artifact = ArtifactSpec {
            source: scratch.clone(),
            ..ArtifactSpec::default()
        };
        let error = artifact.build_in(&scratch).unwrap_err().to_string();
        assert!(error.contains(&told["linux/amd64".len()..]), "{error}");
    }

    #[test]
    fn the_name_is_not_part_of_the_digest() {
        let directory = tempfile::tempdir().unwrap();
        let mut spec = fixture(directory.path());
        let built = spec.build().unwrap();
        spec.name = None;
        assert_eq!(spec.build().unwrap().digest(), built.digest());
        let index = text(&built.layout.index().unwrap());
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
                .layout
                .blobs
                .0
                .values()
                .all(|blob| !text(blob).contains("web:1"))
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
