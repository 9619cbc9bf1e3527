//! In what two images differ: down to the file, its mode, date, owner or bytes, and to the field
//! of a configuration.

mod config;
mod tree;

use std::collections::BTreeMap;

use oci_spec::image::Descriptor;
use serde::Serialize;

use crate::compression::Format;
use crate::read::name::shown;
use crate::read::{Image, ReadError, Source};
use tree::{Entry, Tree};

/// Differences listed of one kind in one image; there may be as many as there are files.
const MAX_LISTED: usize = 10_000;

/// One difference between the images A and B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `os/architecture[/variant]`, if it is about one platform's image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// `file PATH`, `config`, `annotation`, `layer N`, `manifest` or `index`.
    pub object: String,
    /// Which of its properties, such as `mode` or `config.Env`.
    pub field: String,
    /// What it is in A; nothing if it is not there.
    pub a: Option<String>,
    /// What it is in B.
    pub b: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(platform) = &self.platform {
            write!(formatter, "{platform} ")?;
        }
        let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "(none)".into());
        let (a, b) = (shown(&self.a), shown(&self.b));
        write!(formatter, "{}: {}: {a} -> {b}", self.object, self.field)
    }
}

/// What is compared, and what was found.
struct Comparison {
    platform: Option<String>,
    found: Vec<Difference>,
}

/// Compares the one image of each source.
///
/// # Errors
/// One of them cannot be read or is damaged.
pub fn diff(a: &Source, b: &Source) -> Result<Vec<Difference>, ReadError> {
    if a.digest()? == b.digest()? {
        // One of them may not hold what its digest says.
        for source in [a, b] {
            check_bytes(source)?;
        }
        return Ok(Vec::new());
    }
    let (images_a, images_b) = (by_platform(a)?, by_platform(b)?);
    let mut whole = Comparison::new(None);
    for (platform, image) in &images_a {
        match images_b.get(platform) {
            None => whole.add("index", "platform", Some(platform.clone()), None),
            Some(other) if other.manifest.digest() != image.manifest.digest() => {
                let mut part = Comparison::new(Some(platform.clone()));
                part.images((a, image), (b, other))?;
                whole.found.append(&mut part.found);
            }
            Some(_) => {}
        }
    }
    for platform in images_b.keys() {
        if !images_a.contains_key(platform) {
            whole.add("index", "platform", None, Some(platform.clone()));
        }
    }
    let (root_a, root_b) = (a.bytes(a.root()?)?, b.bytes(b.root()?)?);
    let is_index = |root: &Descriptor| crate::read::is_index(root.media_type());
    if is_index(a.root()?) || is_index(b.root()?) {
        whole.documents(
            "index",
            &root_a,
            &root_b,
            &["manifests", "config", "layers"],
        );
    }
    if whole.found.is_empty() {
        // Nothing that means anything: the order of keys, or a field that is not known.
        let (a, b) = (a.digest()?.to_string(), b.digest()?.to_string());
        whole.add("manifest", "bytes", Some(a), Some(b));
    }
    Ok(whole.found)
}

fn check_bytes(source: &Source) -> Result<(), ReadError> {
    for descriptor in &source.graph(source.root()?)?.blobs {
        source.check(descriptor)?;
    }
    Ok(())
}

fn by_platform(source: &Source) -> Result<BTreeMap<String, Image>, ReadError> {
    let images = source.images()?.into_iter();
    Ok(images.map(|image| (image.platform(), image)).collect())
}

impl Comparison {
    fn new(platform: Option<String>) -> Self {
        Self {
            platform,
            found: Vec::new(),
        }
    }

    fn add(&mut self, object: &str, field: &str, a: Option<String>, b: Option<String>) {
        if a != b && self.found.len() < MAX_LISTED {
            self.found.push(Difference {
                platform: self.platform.clone(),
                object: object.to_owned(),
                field: field.to_owned(),
                a,
                b,
            });
        }
    }

    fn images(&mut self, a: (&Source, &Image), b: (&Source, &Image)) -> Result<(), ReadError> {
        let ((source_a, image_a), (source_b, image_b)) = (a, b);
        let bytes = |source: &Source, image: &Image| {
            let manifest = source.bytes(&image.manifest)?;
            let config = source.bytes(image.document.config())?;
            Ok::<_, ReadError>((manifest, config))
        };
        let (manifest_a, config_a) = bytes(source_a, image_a)?;
        let (manifest_b, config_b) = bytes(source_b, image_b)?;
        self.documents("manifest", &manifest_a, &manifest_b, &["config", "layers"]);
        self.documents("config", &config_a, &config_b, &["rootfs"]);

        let before = self.found.len();
        let tree_a = Tree::read(source_a, image_a)?;
        let tree_b = Tree::read(source_b, image_b)?;
        self.trees(&tree_a.entries, &tree_b.entries);
        let same_files = self.found.len() == before;
        self.layers((image_a, &tree_a), (image_b, &tree_b), same_files);
        Ok(())
    }

    fn trees(&mut self, a: &BTreeMap<String, Entry>, b: &BTreeMap<String, Entry>) {
        for (path, entry) in a {
            let object = format!("file /{}", shown(path));
            let Some(other) = b.get(path) else {
                self.add(&object, "presence", Some(entry.summary()), None);
                continue;
            };
            for ((field, left), (_, right)) in entry.fields().into_iter().zip(other.fields()) {
                self.add(&object, field, left, right);
            }
        }
        for (path, entry) in b.iter().filter(|(path, _)| !a.contains_key(*path)) {
            self.add(
                &format!("file /{}", shown(path)),
                "presence",
                None,
                Some(entry.summary()),
            );
        }
    }

    fn layers(&mut self, a: (&Image, &Tree), b: (&Image, &Tree), same_files: bool) {
        let ((image_a, tree_a), (image_b, tree_b)) = (a, b);
        let (layers_a, layers_b) = (image_a.document.layers(), image_b.document.layers());
        if layers_a.len() != layers_b.len() {
            let (a, b) = (layers_a.len().to_string(), layers_b.len().to_string());
            self.add("manifest", "number of layers", Some(a), Some(b));
            return;
        }
        for (number, (a, b)) in layers_a.iter().zip(layers_b).enumerate() {
            let object = format!("layer {}", number + 1);
            let format = |media_type| Format::of(media_type).ok().map(|format| format.to_string());
            self.add(
                &object,
                "compression",
                format(a.media_type()),
                format(b.media_type()),
            );
            let (diff_a, diff_b) = (&tree_a.diff_ids[number], &tree_b.diff_ids[number]);
            if diff_a != diff_b && same_files {
                let what = if matches!(image_a.format(a), Ok(None)) {
                    "content"
                } else {
                    "bytes of the tar (its files are equal: their order, headers or padding)"
                };
                self.add(&object, what, Some(diff_a.clone()), Some(diff_b.clone()));
            }
            if diff_a == diff_b && a.media_type() == b.media_type() {
                let what = "compressed bytes (equal when uncompressed: another encoder or level)";
                let (a, b) = (a.digest().to_string(), b.digest().to_string());
                self.add(&object, what, Some(a), Some(b));
            }
        }
    }
}
