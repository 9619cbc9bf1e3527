//! What an image consists of, for people and, with stable field names, for programs.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Config, ImageIndex};
use serde::Serialize;

use super::document::open_blob;
use super::image::Image;
use super::layer;
use super::name::shown;
use super::source::{ReadError, Source};
use super::tape::Member;

/// Entries listed of one layer; further ones are counted.
const MAX_LISTED: usize = 10_000;

/// An image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The full name, if there is one.
    pub name: Option<String>,
    /// The digest of the manifest or image index.
    pub digest: String,
    /// What the image index says of the image, if there is one.
    pub annotations: BTreeMap<String, String>,
    /// One for each platform.
    pub images: Vec<ImageSummary>,
}

/// One platform's image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSummary {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// The manifest's digest.
    pub digest: String,
    /// RFC 3339.
    pub created: Option<String>,
    /// The run parameters, in the image specification's form.
    pub config: Option<Config>,
    /// What the manifest says of the image.
    pub annotations: BTreeMap<String, String>,
    /// From the lowest to the topmost.
    pub layers: Vec<LayerSummary>,
}

/// One layer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerSummary {
    /// Of the stored bytes.
    pub digest: String,
    /// The layer's media type.
    pub media_type: String,
    /// Bytes as stored.
    pub size: u64,
    /// Bytes uncompressed; only known of a layer that is on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncompressed_size: Option<u64>,
    /// The first entries, in their order; only of a layer that is on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<EntrySummary>>,
    /// How many more there are.
    pub entries_omitted: u64,
}

/// One entry of a layer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntrySummary {
    /// The path, without a leading slash.
    pub path: String,
    /// `file`, `directory`, `symlink`, `hardlink` or `other`.
    pub kind: &'static str,
    /// Permission bits in octal, such as `0755`.
    pub mode: String,
    /// Bytes of content.
    pub size: u64,
    /// A link's target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

pub(super) fn inspect(source: &Source) -> Result<Summary, ReadError> {
    Ok(Summary {
        name: source.name()?.map(str::to_owned),
        digest: source.digest()?.to_string(),
        annotations: index_annotations(&source.bytes(source.root()?)?),
        images: source
            .images()?
            .iter()
            .map(|image| summarize(source, image))
            .collect::<Result<_, _>>()?,
    })
}

/// The annotations of an image index; none of another document.
pub(crate) fn index_annotations(document: &[u8]) -> BTreeMap<String, String> {
    // A manifest has no such list.
    let index: Option<ImageIndex> = serde_json::from_slice(document).ok();
    index.map_or_else(BTreeMap::new, |index| sorted(index.annotations().as_ref()))
}

/// Annotations in the order of their keys.
pub(crate) fn sorted(annotations: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    let pairs = annotations.into_iter().flatten();
    pairs
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn summarize(source: &Source, image: &Image) -> Result<ImageSummary, ReadError> {
    let mut layers = Vec::new();
    for descriptor in image.document.layers() {
        let damaged =
            |problem: String| source.damaged(format!("layer {} {problem}", descriptor.digest()));
        let format = image.format(descriptor).map_err(damaged)?;
        let blob = open_blob(&source.store, descriptor).map_err(damaged)?;
        let Some(format) = format else {
            layers.push(LayerSummary {
                digest: descriptor.digest().to_string(),
                media_type: descriptor.media_type().to_string(),
                size: descriptor.size(),
                uncompressed_size: None,
                entries: None,
                entries_omitted: 0,
            });
            continue;
        };
        let (mut entries, mut entries_omitted) = (Vec::new(), 0);
        let content = layer::read(blob, format, |member, _| {
            if entries.len() < MAX_LISTED {
                entries.push(entry(member));
            } else {
                entries_omitted += 1;
            }
            Ok(())
        })
        .and_then(|content| content.uncompressed);
        let (_, uncompressed_size) =
            content.map_err(|error| damaged(format!("is not a valid layer: {error}")))?;
        layers.push(LayerSummary {
            digest: descriptor.digest().to_string(),
            media_type: descriptor.media_type().to_string(),
            size: descriptor.size(),
            uncompressed_size: Some(uncompressed_size),
            entries: Some(entries),
            entries_omitted,
        });
    }
    let config = image.config.as_ref();
    Ok(ImageSummary {
        platform: image.platform(),
        digest: image.manifest.digest().to_string(),
        created: config.and_then(|config| config.created().clone()),
        config: config.and_then(|config| config.config().clone()),
        annotations: sorted(image.document.annotations().as_ref()),
        layers,
    })
}

fn entry(member: Member) -> EntrySummary {
    let kind = match member.kind.as_byte() {
        b'0' | 0 | b'7' => "file",
        b'5' => "directory",
        b'2' => "symlink",
        b'1' => "hardlink",
        _ => "other",
    };
    let target = member
        .link
        .filter(|_| matches!(kind, "symlink" | "hardlink"))
        .map(|target| shown(&target));
    EntrySummary {
        path: shown(&member.path),
        kind,
        mode: format!("{:04o}", member.mode),
        size: member.size,
        target,
    }
}
