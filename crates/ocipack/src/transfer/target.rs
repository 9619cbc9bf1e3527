//! Where an image goes: into repositories, or onto the disk.

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use oci_spec::image::Descriptor;

use super::origin::{self, Origin};
use super::{Moved, Registry, Repository, Tally, TransferError};
use crate::content::Content;
use crate::digest::Blob;
use crate::graph::Graph;
use crate::reference::Reference;
use crate::registry::Upload;
use crate::write::{Layout, LayoutWriter, parent};

/// Uploads blobs, then manifests by digest, everywhere; then tags, everywhere.
pub(super) async fn push(
    registry: &Registry,
    origin: &Origin<'_>,
    graph: &Graph,
    references: &[&Reference],
    tally: &Tally<'_>,
) -> Result<(), TransferError> {
    let mut places: Vec<&Reference> = Vec::new();
    for reference in references {
        if !places
            .iter()
            .any(|place| place.shares_repository(reference))
        {
            places.push(reference);
        }
    }
    let (blobs, bytes) = origin::total(graph);
    tally
        .progress
        .total(blobs * places.len(), bytes * places.len() as u64);
    for (number, place) in places.iter().enumerate() {
        let repository = registry.repository(place).await?;
        // What was just pushed to one repository need not be sent again for the next.
        let earlier = places[..number].iter().copied();
        let known = earlier
            .chain(origin.repository())
            .filter(|other| other.registry() == place.registry());
        let mut mounts: Vec<String> = known.map(|other| other.repository().to_owned()).collect();
        mounts.extend(registry.options().mount_from.iter().cloned());

        let upload = |descriptor| {
            let (repository, mounts) = (&repository, &mounts);
            async move { deliver(origin, descriptor, repository, mounts, tally).await }
        };
        stream::iter(graph.blobs.iter().map(upload))
            .buffer_unordered(registry.options().jobs.max(1))
            .try_collect::<Vec<()>>()
            .await?;
        for (descriptor, document) in &graph.documents {
            let target = descriptor.digest().to_string();
            repository
                .put_manifest(descriptor, document, &target)
                .await?;
        }
    }
    let root = graph.documents.last();
    for reference in references {
        if let (Some(tag), Some((descriptor, document))) = (reference.tag(), root) {
            let repository = registry.repository(reference).await?;
            repository.put_manifest(descriptor, document, tag).await?;
            tally.progress.tagged(reference);
        }
    }
    Ok(())
}

async fn deliver(
    origin: &Origin<'_>,
    descriptor: &Descriptor,
    repository: &Repository<'_>,
    mounts: &[String],
    tally: &Tally<'_>,
) -> Result<(), TransferError> {
    let how = deliver_one(origin, descriptor, repository, mounts, tally).await?;
    let how = match how {
        Upload::Uploaded => Moved::Copied,
        Upload::Exists => Moved::Exists,
        Upload::Mounted => Moved::Mounted,
    };
    tally.blob(descriptor.digest(), descriptor.size(), how);
    Ok(())
}

async fn deliver_one(
    origin: &Origin<'_>,
    descriptor: &Descriptor,
    repository: &Repository<'_>,
    mounts: &[String],
    tally: &Tally<'_>,
) -> Result<Upload, TransferError> {
    if repository.has_blob(descriptor.digest()).await? {
        return Ok(Upload::Exists);
    }
    for from in mounts {
        if repository.mount(descriptor.digest(), from).await? {
            return Ok(Upload::Mounted);
        }
    }
    let blob = origin.blob(descriptor, &std::env::temp_dir()).await?;
    let progress = tally.progress;
    repository
        .upload(&blob, &|bytes| progress.moved(bytes))
        .await?;
    Ok(Upload::Uploaded)
}

/// Writes the image as a layout or an archive.
pub(super) async fn pull(
    registry: &Registry,
    origin: &Origin<'_>,
    graph: &Graph,
    path: &Path,
    tally: &Tally<'_>,
) -> Result<(), TransferError> {
    let (blobs, bytes) = origin::total(graph);
    tally.progress.total(blobs, bytes);
    let archive = path.extension().is_some_and(|extension| extension == "tar");
    let writer = (!archive).then(|| LayoutWriter::begin(path)).transpose()?;
    let fetch = |descriptor| {
        let writer = writer.as_ref();
        async move { receive(origin, descriptor, writer, path, tally).await }
    };
    let fetched: Vec<Blob> = stream::iter(graph.blobs.iter().map(fetch))
        .buffer_unordered(registry.options().jobs.max(1))
        .try_collect()
        .await?;
    let mut layout = Layout::from_graph(graph);
    for blob in fetched {
        layout.blobs.insert(blob);
    }
    match writer {
        None => layout.write_archive(path)?,
        Some(writer) => {
            for blob in layout.blobs.0.values() {
                writer.put(blob)?;
            }
            writer.finish(&layout)?;
        }
    }
    Ok(())
}

async fn receive(
    origin: &Origin<'_>,
    descriptor: &Descriptor,
    writer: Option<&LayoutWriter>,
    path: &Path,
    tally: &Tally<'_>,
) -> Result<Blob, TransferError> {
    let digest = descriptor.digest();
    let mut how = Moved::Copied;
    let blob = match writer {
        Some(writer) if origin.is_remote() => {
            let keep = |source| TransferError::Scratch {
                path: path.to_owned(),
                source,
            };
            let section = if let Some(section) = writer.find(digest, descriptor.size()) {
                how = Moved::Exists;
                section
            } else {
                let mut file = writer.temporary().map_err(keep)?;
                let moved = |bytes| tally.progress.moved(bytes);
                origin.fetch(descriptor, file.as_file_mut(), &moved).await?;
                writer.keep(file, digest).map_err(keep)?
            };
            Blob {
                digest: digest.clone(),
                content: Content::Section(section),
            }
        }
        _ => origin.blob(descriptor, parent(path)).await?,
    };
    tally.blob(digest, descriptor.size(), how);
    Ok(blob)
}
