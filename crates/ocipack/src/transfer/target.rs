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
use crate::registry::{Gate, Upload};
use crate::write::{Layout, LayoutWriter, parent};

/// Pushes an image that is checked meanwhile: what a registry gets to see of a damaged one is an
/// upload that is given up.
pub(super) async fn push(
    registry: &Registry,
    origin: &Origin<'_>,
    graph: &Graph,
    references: &[&Reference],
    tally: &Tally<'_>,
) -> Result<(), TransferError> {
    let (keeper, gate) = Gate::shut();
    let check = async {
        let checked = origin.checked(graph).await;
        if checked.is_ok() {
            keeper.open();
        } else {
            drop(keeper);
        }
        // Uploads that are under way are not dropped for it: they end by themselves.
        Ok(checked)
    };
    let send = send(registry, origin, graph, references, &gate, tally);
    let (checked, ()) = futures::try_join!(check, send)?;
    checked
}

/// Uploads blobs, then manifests by digest, everywhere; then tags, everywhere. It ends early where
/// the gate stays shut.
async fn send(
    registry: &Registry,
    origin: &Origin<'_>,
    graph: &Graph,
    references: &[&Reference],
    gate: &Gate,
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
            async move { deliver(origin, descriptor, repository, mounts, gate, tally).await }
        };
        stream::iter(graph.blobs.iter().map(upload))
            .buffer_unordered(registry.options().jobs.max(1))
            .try_collect::<Vec<()>>()
            .await?;
        if !gate.passed().await {
            return Ok(());
        }
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
    gate: &Gate,
    tally: &Tally<'_>,
) -> Result<(), TransferError> {
    let how = match deliver_one(origin, descriptor, repository, mounts, gate, tally).await? {
        None => return Ok(()),
        Some(Upload::Uploaded) => Moved::Copied,
        Some(Upload::Exists) => Moved::Exists,
        Some(Upload::Mounted) => Moved::Mounted,
    };
    tally.blob(descriptor.digest(), descriptor.size(), how);
    Ok(())
}

/// None where the gate stays shut.
async fn deliver_one(
    origin: &Origin<'_>,
    descriptor: &Descriptor,
    repository: &Repository<'_>,
    mounts: &[String],
    gate: &Gate,
    tally: &Tally<'_>,
) -> Result<Option<Upload>, TransferError> {
    if repository.has_blob(descriptor.digest()).await? {
        return Ok(Some(Upload::Exists));
    }
    // A mount is a change at once.
    if !mounts.is_empty() && !gate.passed().await {
        return Ok(None);
    }
    for from in mounts {
        if repository.mount(descriptor.digest(), from).await? {
            return Ok(Some(Upload::Mounted));
        }
    }
    let blob = origin.blob(descriptor, &std::env::temp_dir()).await?;
    let progress = tally.progress;
    let uploaded = repository
        .upload(&blob, gate, &|bytes| progress.moved(bytes))
        .await?;
    Ok(uploaded.then_some(Upload::Uploaded))
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
