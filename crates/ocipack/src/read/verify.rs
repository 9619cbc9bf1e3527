//! Verification: from index.json along every descriptor to the last entry of the last layer.
//!
//! It goes on after a finding, so that one run tells all of them.

use std::collections::HashSet;
use std::fmt;

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};
use serde::{Deserialize, Serialize};

use super::document::{open_blob, read_document};
use super::image::{is_attestation, is_config, is_index, is_manifest, platform};
use super::layer;
use super::name::shown;
use super::source::{Source, top_file};
use crate::compression::Format;
use crate::digest::{blob_path, digest_of};
use crate::write::DOCKER_MANIFEST;

/// Findings listed: a hostile image must not fill memory with them.
const MAX_PROBLEMS: usize = 100;
/// Image indexes within image indexes.
const MAX_DEPTH: usize = 4;

/// What verifying found.
#[derive(Debug, Default, Serialize)]
pub struct Verification {
    /// Empty if the image is what it says.
    pub problems: Vec<Problem>,
    /// How many blobs were checked.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The object that it is about, such as `layer sha256:…`.
    pub object: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Verification {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.object, self.problem)
    }
}

pub(super) fn verify(source: &Source) -> Verification {
    let mut verifier = Verifier {
        source,
        found: Verification::default(),
        seen: HashSet::new(),
        docker_forms: HashSet::new(),
    };
    verifier.index("index.json", &source.index, &MediaType::ImageIndex, 0);
    verifier.docker_manifest();
    verifier.found
}

struct Verifier<'a> {
    source: &'a Source,
    found: Verification,
    /// A blob that several descriptors point to is read once for each size and type claimed.
    seen: HashSet<(String, u64, String)>,
    /// The configuration and layers of each manifest, as docker's manifest.json names them.
    docker_forms: HashSet<(String, Vec<String>)>,
}

impl Verifier<'_> {
    fn index(&mut self, object: &str, index: &ImageIndex, media_type: &MediaType, depth: usize) {
        self.header(
            object,
            index.schema_version(),
            index.media_type().as_ref(),
            media_type,
        );
        if index.manifests().is_empty() {
            self.problem(object, "lists no image");
        }
        for descriptor in index.manifests() {
            match descriptor.media_type() {
                index if is_index(index) => {
                    let object = format!("image index {}", descriptor.digest());
                    if depth >= MAX_DEPTH {
                        self.problem(&object, "is an index in an index in an index, too deep");
                    } else if let Some(index) = self.document::<ImageIndex>(&object, descriptor) {
                        self.index(&object, &index, descriptor.media_type(), depth + 1);
                    }
                }
                manifest if is_manifest(manifest) => self.manifest(descriptor),
                other => {
                    let problem = format!(
                        "lists {} of media type {other}, not an image",
                        descriptor.digest()
                    );
                    self.problem(object, problem);
                }
            }
        }
    }

    fn manifest(&mut self, descriptor: &Descriptor) {
        let object = format!("manifest {}", descriptor.digest());
        let Some(manifest) = self.document::<ImageManifest>(&object, descriptor) else {
            return;
        };
        self.header(
            &object,
            manifest.schema_version(),
            manifest.media_type().as_ref(),
            descriptor.media_type(),
        );
        if !is_config(manifest.config().media_type()) || is_attestation(descriptor) {
            // An artifact: what its blobs are is its own affair, that they are there is not.
            for blob in manifest.layers().iter().chain([manifest.config()]) {
                self.opaque(blob);
            }
            return;
        }
        self.docker_forms.insert((
            blob_path(manifest.config().digest()),
            manifest
                .layers()
                .iter()
                .map(|layer| blob_path(layer.digest()))
                .collect(),
        ));

        let config_object = format!("configuration {}", manifest.config().digest());
        let config: Option<ImageConfiguration> = self.document(&config_object, manifest.config());
        let diff_ids = config
            .as_ref()
            .map(|config| config.rootfs().diff_ids().as_slice());
        if let Some(diff_ids) = diff_ids
            && diff_ids.len() != manifest.layers().len()
        {
            let problem = format!(
                "has {} diff_ids for {} layers",
                diff_ids.len(),
                manifest.layers().len()
            );
            self.problem(&config_object, problem);
        }
        if let (Some(config), Some(promised)) = (&config, descriptor.platform()) {
            let variant = promised
                .variant()
                .as_ref()
                .map(|variant| format!("/{variant}"))
                .unwrap_or_default();
            let promised = format!("{}/{}{variant}", promised.os(), promised.architecture());
            if platform(config) != promised {
                self.problem(
                    &config_object,
                    format!("is for {}, its index says {promised}", platform(config)),
                );
            }
        }
        for (number, layer) in manifest.layers().iter().enumerate() {
            self.layer(
                layer,
                diff_ids.and_then(|ids| ids.get(number)).map(String::as_str),
            );
        }
    }

    fn opaque(&mut self, descriptor: &Descriptor) {
        let object = format!("blob {}", descriptor.digest());
        if !self.first_sight(descriptor, "") {
            return;
        }
        match open_blob(&self.source.store, descriptor).map(digest_of) {
            Err(problem) => self.problem(&object, problem),
            Ok(Err(error)) => self.problem(&object, format!("cannot be read: {error}")),
            Ok(Ok(found)) if found != *descriptor.digest() => {
                self.problem(&object, format!("has the content of {found}"));
            }
            Ok(Ok(_)) => {}
        }
    }

    fn layer(&mut self, descriptor: &Descriptor, diff_id: Option<&str>) {
        let object = format!("layer {}", descriptor.digest());
        if !self.first_sight(descriptor, diff_id.unwrap_or_default()) {
            return;
        }
        let opened = Format::of(descriptor.media_type())
            .and_then(|format| Ok((format, open_blob(&self.source.store, descriptor)?)));
        let (format, blob) = match opened {
            Ok(opened) => opened,
            Err(problem) => return self.problem(&object, problem),
        };
        let mut entry_problems = Vec::new();
        let content = layer::read(blob, format, |member, _| {
            if let Some(problem) = layer::entry_problem(&member)
                && entry_problems.len() < MAX_PROBLEMS
            {
                let path = shown(&member.path);
                entry_problems.push(format!("has the entry {path:?}, which {problem}"));
            }
            Ok(())
        });
        let content = match content {
            Ok(content) => content,
            Err(error) => return self.problem(&object, format!("cannot be read: {error}")),
        };
        if content.digest != *descriptor.digest() {
            // Whatever else is wrong with it follows from this.
            return self.problem(&object, format!("has the content of {}", content.digest));
        }
        match content.uncompressed {
            Err(error) => self.problem(&object, format!("is not a valid layer: {error}")),
            Ok((found, _)) => {
                if let Some(diff_id) = diff_id
                    && found.as_ref() != diff_id
                {
                    self.problem(
                        &object,
                        format!("is {found} uncompressed, its configuration says {diff_id}"),
                    );
                }
            }
        }
        for problem in entry_problems {
            self.problem(&object, problem);
        }
    }

    /// `docker load` reads manifest.json instead of index.json: it must lead to the same image.
    fn docker_manifest(&mut self) {
        match self.source.store.file(DOCKER_MANIFEST) {
            Ok(None) => return,
            Ok(Some(_)) => {}
            Err(error) => return self.problem(DOCKER_MANIFEST, format!("cannot be read: {error}")),
        }
        let entries: Vec<DockerEntry> = match top_file(&self.source.store, DOCKER_MANIFEST) {
            Ok(entries) => entries,
            Err(problem) => return self.problem("archive:", problem),
        };
        let name = self.source.name().ok().flatten().map(str::to_owned);
        for entry in entries {
            if !self.docker_forms.contains(&(entry.config, entry.layers)) {
                self.problem(DOCKER_MANIFEST, "leads to another image than index.json");
            }
            for tag in entry.repo_tags.into_iter().flatten() {
                // Where it is several images, or Docker's own short form, there is nothing to compare.
                let same = |name: &str| {
                    tag.parse()
                        .map(|tag: crate::Name| tag.to_string())
                        .is_ok_and(|tag| tag == name)
                };
                if name
                    .as_deref()
                    .is_some_and(|name| name.contains('/') && !same(name))
                {
                    self.problem(
                        DOCKER_MANIFEST,
                        format!("names it {tag:?}, index.json does not"),
                    );
                }
            }
        }
    }

    fn header(
        &mut self,
        object: &str,
        version: u32,
        media_type: Option<&MediaType>,
        expected: &MediaType,
    ) {
        if version != 2 {
            self.problem(object, format!("has schemaVersion {version}, not 2"));
        }
        if let Some(found) = media_type
            && found != expected
        {
            self.problem(
                object,
                format!("says it has media type {found}, not {expected}"),
            );
        }
    }

    /// The document of a descriptor that was not seen yet, if it is sound.
    fn document<T: serde::de::DeserializeOwned>(
        &mut self,
        object: &str,
        descriptor: &Descriptor,
    ) -> Option<T> {
        if !self.first_sight(descriptor, "") {
            return None;
        }
        match read_document(&self.source.store, descriptor) {
            Ok(document) => Some(document),
            Err(problem) => {
                self.problem(object, problem);
                None
            }
        }
    }

    fn first_sight(&mut self, descriptor: &Descriptor, promise: &str) -> bool {
        let claim = format!("{} {promise}", descriptor.media_type());
        let first = self
            .seen
            .insert((descriptor.digest().to_string(), descriptor.size(), claim));
        if first {
            self.found.blobs += 1;
            self.found.bytes = self.found.bytes.saturating_add(descriptor.size());
        }
        first
    }

    fn problem(&mut self, object: &str, problem: impl Into<String>) {
        if self.found.problems.len() < MAX_PROBLEMS {
            self.found.problems.push(Problem {
                object: object.to_owned(),
                problem: problem.into(),
            });
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    #[serde(default)]
    layers: Vec<String>,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}
