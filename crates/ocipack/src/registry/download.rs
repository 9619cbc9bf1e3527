//! A blob out of a repository: of the promised length and digest, or not at all.

use std::io::{Seek, Write};

use oci_spec::image::Descriptor;
use reqwest::header::RANGE;
use reqwest::{Method, Response};

use super::http::{Call, silent};
use super::retry::Attempts;
use super::{Registry, RegistryError, Repository};
use crate::digest::Hashing;
use crate::reference::Reference;

/// How often bytes that were wrong are fetched anew: a cache on the way may have them.
const MAX_WRONG: usize = 2;

impl Registry {
    /// A small blob of a reference's repository, such as a configuration or an artifact's file.
    ///
    /// # Errors
    /// It is over `limit` bytes, is not there, or is not what its descriptor says.
    pub async fn blob(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        if descriptor.size() > limit {
            let what = format!("blob {} of {reference}", descriptor.digest());
            let problem = format!("is {} bytes long, over {limit}", descriptor.size());
            return Err(RegistryError::content(what, problem));
        }
        let repository = self.repository(reference).await?;
        let mut bytes = std::io::Cursor::new(Vec::new());
        repository.download(descriptor, &mut bytes, &|_| {}).await?;
        Ok(bytes.into_inner())
    }
}

impl Repository<'_> {
    /// Writes a blob to `out`, from its start on; `moved` is told of bytes.
    pub(crate) async fn download(
        &self,
        descriptor: &Descriptor,
        out: &mut (impl Write + Seek + Send),
        moved: &dyn Fn(u64),
    ) -> Result<(), RegistryError> {
        let mut wrong = 0;
        loop {
            let what = format!("keep blob {}", descriptor.digest());
            let local = |source| RegistryError::Io { what, source };
            out.rewind().map_err(local)?;
            let mut hashing = Hashing::new(&mut *out);
            self.receive(descriptor, &mut hashing, moved).await?;
            let (found, _) = hashing.finish();
            if found == *descriptor.digest() {
                return Ok(());
            }
            wrong += 1;
            if wrong == MAX_WRONG {
                let what = format!("blob {} of {}", descriptor.digest(), self.display());
                let problem = format!("the registry sent the content of {found}, {wrong} times");
                return Err(RegistryError::content(what, problem));
            }
        }
    }

    /// Receives as many bytes as promised, going on after a cut.
    async fn receive<W: Write>(
        &self,
        descriptor: &Descriptor,
        out: &mut Hashing<W>,
        moved: &dyn Fn(u64),
    ) -> Result<(), RegistryError> {
        let mut attempts = Attempts::new(self.registry.options.retries);
        while out.count < descriptor.size() {
            let before = out.count;
            let result = self.receive_part(descriptor, out, moved).await;
            if out.count > before {
                attempts.progressed();
            }
            if let Err(error) = result {
                attempts.failed(error).await?;
            }
        }
        Ok(())
    }

    async fn receive_part<W: Write>(
        &self,
        descriptor: &Descriptor,
        out: &mut Hashing<W>,
        moved: &dyn Fn(u64),
    ) -> Result<(), RegistryError> {
        let url = self.url(&format!("blobs/{}", descriptor.digest()));
        let what = format!("get blob {} of {}", descriptor.digest(), self.display());
        let mut call = Call::new(Method::GET, url, what);
        if out.count > 0 {
            call = call.header(RANGE, &format!("bytes={}-", out.count));
        }
        let mut response = self.send_once(&call).await?;
        // A registry without ranges sends all of it again: what is here already is passed over.
        let mut skip = if response.status().as_u16() == 206 {
            0
        } else {
            out.count
        };
        let limit = self.registry.options.timeout;
        loop {
            let piece = tokio::time::timeout(limit, response.chunk());
            let piece = piece.await.map_err(|_| silent(&call.what, limit))?;
            let piece = piece.map_err(|error| RegistryError::transport(&call.what, error))?;
            let Some(piece) = piece else { break };
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            skip -= passed as u64;
            let fresh = &piece[passed..];
            if out.count + fresh.len() as u64 > descriptor.size() {
                return Err(too_long(self, descriptor, &response));
            }
            out.write_all(fresh).map_err(|source| RegistryError::Io {
                what: format!("blob {}", descriptor.digest()),
                source,
            })?;
            moved(fresh.len() as u64);
        }
        if out.count < descriptor.size() {
            return Err(RegistryError::Transport {
                what: call.what,
                problem: format!(
                    "it ended after {} of {} bytes",
                    out.count,
                    descriptor.size()
                ),
            });
        }
        Ok(())
    }
}

fn too_long(
    repository: &Repository<'_>,
    descriptor: &Descriptor,
    response: &Response,
) -> RegistryError {
    let what = format!("blob {} of {}", descriptor.digest(), repository.display());
    let status = response.status();
    let size = descriptor.size();
    RegistryError::content(
        what,
        format!("the registry sent more than its {size} bytes ({status})"),
    )
}
