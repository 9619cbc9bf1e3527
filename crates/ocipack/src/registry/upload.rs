//! A blob into a repository: found there, taken over from another repository, or uploaded in
//! parts, of which one that was cut goes on where the registry says that it ended
//! (distribution-spec, "Pushing blobs").

use oci_spec::image::Digest;
use reqwest::header::{CONTENT_RANGE, LOCATION, RANGE};
use reqwest::{Method, Response, Url};

use super::http::Call;
use super::retry::Attempts;
use super::{Gate, RegistryError, Repository};
use crate::content::Content;
use crate::digest::Blob;

/// How often an upload that the registry forgot is begun anew.
const MAX_SESSIONS: usize = 3;
const OCTETS: &str = "application/octet-stream";

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    Uploaded,
    Exists,
    Mounted,
}

/// Where the next bytes go.
struct Session {
    location: String,
    offset: u64,
    /// The whole rest in one request, for a registry that takes no parts.
    whole: bool,
}

impl Repository<'_> {
    /// Whether a blob is there.
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"));
        let what = format!("look for blob {digest} in {}", self.display());
        match self.send(&Call::new(Method::HEAD, url, what)).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a blob over from another repository of the registry, if it has it and lets us.
    pub(crate) async fn mount(&self, digest: &Digest, from: &str) -> Result<bool, RegistryError> {
        if from == self.name {
            return Ok(false);
        }
        let url = self.url(&format!("blobs/uploads/?mount={digest}&from={from}"));
        let what = format!("mount blob {digest} of {from} into {}", self.display());
        match self.send(&Call::new(Method::POST, url, what)).await {
            Ok(response) if response.status().as_u16() == 201 => Ok(true),
            Ok(response) => {
                // It began an upload instead, which the ordinary one would leave behind.
                if let Ok(location) = self.location(&response) {
                    self.cancel(location).await;
                }
                Ok(false)
            }
            // A repository that is not there, or not for us: upload it then.
            Err(error) if matches!(error.status(), Some(400..=405)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads a blob; `moved` is told of each part's bytes. False if the gate stays shut, with
    /// nothing left of the upload.
    pub(crate) async fn upload(
        &self,
        blob: &Blob,
        gate: &Gate,
        moved: &dyn Fn(u64),
    ) -> Result<bool, RegistryError> {
        let mut attempts = Attempts::new(self.registry.options.retries);
        let mut whole = false;
        for _ in 0..MAX_SESSIONS {
            let mut session = self.begin(&blob.digest).await?;
            session.whole = whole;
            let filled = self.fill(&mut session, blob, gate, &mut attempts, moved);
            match filled.await? {
                Filled::Done => return Ok(true),
                Filled::Barred => {
                    self.cancel(session.location).await;
                    return Ok(false);
                }
                Filled::Forgotten => {}
                Filled::NoParts => whole = true,
            }
        }
        let what = format!("blob {} into {}", blob.digest, self.display());
        Err(RegistryError::content(
            what,
            "the registry forgot the upload again and again; is its storage sound?",
        ))
    }

    async fn begin(&self, digest: &Digest) -> Result<Session, RegistryError> {
        let url = self.url("blobs/uploads/");
        let what = format!("begin to upload blob {digest} into {}", self.display());
        let response = self.send(&Call::new(Method::POST, url, what)).await?;
        Ok(Session {
            location: self.location(&response)?,
            offset: 0,
            whole: false,
        })
    }

    async fn fill(
        &self,
        session: &mut Session,
        blob: &Blob,
        gate: &Gate,
        attempts: &mut Attempts,
        moved: &dyn Fn(u64),
    ) -> Result<Filled, RegistryError> {
        let size = blob.size();
        loop {
            let before = session.offset;
            if gate.is_shut_for_good() || (before >= size && !gate.passed().await) {
                return Ok(Filled::Barred);
            }
            let step = if before < size {
                self.patch(session, &blob.digest, &blob.content).await
            } else {
                self.close(session, &blob.digest).await
            };
            let error = match step {
                Ok(()) if before >= size => return Ok(Filled::Done),
                Ok(()) => {
                    moved(session.offset - before);
                    attempts.progressed();
                    continue;
                }
                Err(error) => error,
            };
            match error.status() {
                // The upload is unknown, or has another length than was thought.
                Some(404) => return Ok(Filled::Forgotten),
                Some(400 | 405 | 416) if before > 0 && before < size && !session.whole => {
                    return Ok(Filled::NoParts);
                }
                _ => {}
            }
            attempts.failed(error).await?;
            // The answer may be what was lost, and the blob complete.
            if before >= size && self.has_blob(&blob.digest).await? {
                return Ok(Filled::Done);
            }
            if !self.resume(session, &blob.digest, size).await? {
                return Ok(Filled::Forgotten);
            }
            if session.offset > before {
                moved(session.offset - before);
                attempts.progressed();
            }
        }
    }

    /// Sends the next part.
    async fn patch(
        &self,
        session: &mut Session,
        digest: &Digest,
        content: &Content,
    ) -> Result<(), RegistryError> {
        let left = content.size() - session.offset;
        let length = if session.whole {
            left
        } else {
            left.min(self.registry.options.chunk)
        };
        let what = format!("upload blob {digest} into {}", self.display());
        let mut call = Call::new(Method::PATCH, session.location.clone(), what).body(
            OCTETS,
            content.clone(),
            session.offset,
            length,
        );
        if length < content.size() {
            let range = format!("{}-{}", session.offset, session.offset + length - 1);
            call = call.header(CONTENT_RANGE, &range);
        }
        let response = self.send_once(&call).await?;
        session.location = self.location(&response)?;
        session.offset += length;
        Ok(())
    }

    /// Makes a blob of what was sent; the registry checks the digest.
    async fn close(&self, session: &Session, digest: &Digest) -> Result<(), RegistryError> {
        let what = format!("finish the upload of blob {digest} into {}", self.display());
        let mut url = Url::parse(&session.location)
            .map_err(|error| RegistryError::content(&what, error.to_string()))?;
        url.query_pairs_mut().append_pair("digest", digest.as_ref());
        let call = Call::new(Method::PUT, url.into(), what);
        self.send_once(&call).await.map(drop)
    }

    /// Asks where an upload stands; false if the registry does not know it any more.
    async fn resume(
        &self,
        session: &mut Session,
        digest: &Digest,
        size: u64,
    ) -> Result<bool, RegistryError> {
        let what = format!("go on with blob {digest} in {}", self.display());
        let call = Call::new(Method::GET, session.location.clone(), what);
        let response = match self.send(&call).await {
            Ok(response) => response,
            Err(error) if matches!(error.status(), Some(400 | 404 | 405 | 416)) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        session.location = self.location(&response)?;
        session.offset = received(&response);
        // More than there is: something else wrote to it.
        Ok(session.offset <= size)
    }

    /// Gives an upload up. A registry that cannot do that forgets it some day.
    async fn cancel(&self, location: String) {
        let what = format!("cancel an upload into {}", self.display());
        let call = Call::new(Method::DELETE, location, what);
        let _ = self.send_once(&call).await;
    }

    fn location(&self, response: &Response) -> Result<String, RegistryError> {
        let refuse = |problem: String| RegistryError::content(self.display(), problem);
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        let location = location
            .ok_or_else(|| refuse("the registry does not say where to upload to".into()))?;
        let url = response.url().join(location).map_err(|error| {
            refuse(format!(
                "the registry names the upload {location:?}: {error}"
            ))
        })?;
        if self.origin.starts_with("https:") && url.scheme() != "https" {
            return Err(refuse("the registry wants the upload in plain text".into()));
        }
        Ok(url.into())
    }
}

enum Filled {
    Done,
    Barred,
    Forgotten,
    NoParts,
}

/// How many bytes the registry has: `Range: 0-LAST`, where 0-0 is of an upload without any too.
fn received(response: &Response) -> u64 {
    let range = response.headers().get(RANGE);
    let range = range
        .and_then(|range| range.to_str().ok())
        .unwrap_or_default();
    let last = range.trim_start_matches("bytes=").strip_prefix("0-");
    match last.and_then(|last| last.parse::<u64>().ok()) {
        // A single byte is not worth telling apart from none: it would be, were it wrong.
        None | Some(0) => 0,
        Some(last) => last + 1,
    }
}
