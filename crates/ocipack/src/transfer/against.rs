//! Whether a registry holds the very bytes of a local image: all of them are fetched and hashed.

use std::io::{self, Seek, SeekFrom, Write};

use oci_spec::image::Descriptor;

use super::{Progress, Registry, Repository, TransferError};
use crate::read::{Problem, Source, Verification};
use crate::reference::Reference;
use crate::registry::RegistryError;

impl Registry {
    /// Compares a registry's image with a local one, byte by byte.
    ///
    /// # Errors
    /// Either cannot be read at all; what differs or is missing is in the answer.
    pub async fn verify(
        &self,
        local: &Source,
        reference: &Reference,
        progress: &dyn Progress,
    ) -> Result<Verification, TransferError> {
        let mut found = Verification::default();
        let root = local.root()?;
        let (remote, _) = self.manifest(reference).await?;
        if remote.digest() != root.digest() {
            found.add(
                &reference.to_string(),
                format!("is {}, not {}", remote.digest(), root.digest()),
            );
            return Ok(found);
        }
        let graph = local.graph(root)?;
        let repository = self.repository(reference).await?;
        let (blobs, bytes) = super::origin::total(&graph);
        progress.total(blobs, bytes);
        for (descriptor, _) in &graph.documents {
            let target = descriptor.digest().to_string();
            note(
                &mut found,
                descriptor,
                repository.manifest(&target).await.map(drop),
            )?;
        }
        for descriptor in &graph.blobs {
            let answer = fetch(&repository, descriptor, progress).await;
            note(&mut found, descriptor, answer)?;
        }
        Ok(found)
    }
}

async fn fetch(
    repository: &Repository<'_>,
    descriptor: &Descriptor,
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let moved = |bytes| progress.moved(bytes);
    repository.download(descriptor, &mut Nowhere, &moved).await
}

/// A blob that is missing or wrong is a finding; a registry that does not answer is an error.
fn note(
    found: &mut Verification,
    descriptor: &Descriptor,
    answer: Result<(), RegistryError>,
) -> Result<(), RegistryError> {
    found.blobs += 1;
    found.bytes += descriptor.size();
    let object = format!("blob {}", descriptor.digest());
    match answer {
        Ok(()) => {}
        Err(error) if error.status() == Some(404) => found.add(&object, "is missing".into()),
        Err(RegistryError::Content { problem, .. }) => found.add(&object, problem),
        Err(error) => return Err(error),
    }
    Ok(())
}

impl Verification {
    fn add(&mut self, object: &str, problem: String) {
        self.problems.push(Problem {
            object: object.to_owned(),
            problem,
        });
    }
}

/// Takes bytes that are only hashed.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}
