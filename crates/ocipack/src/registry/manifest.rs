//! Manifests: small documents, under their digest and under tags.

use oci_spec::image::{Descriptor, Digest, MediaType};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};

use super::http::{Call, silent};
use super::{Registry, RegistryError, Repository};
use crate::digest::Blob;
use crate::read::{DOCKER_LIST, DOCKER_MANIFEST_TYPE, MAX_DOCUMENT};
use crate::reference::Reference;

/// The header by which a registry says that it lists a manifest with its subject.
const SUBJECT: &str = "oci-subject";
const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    DOCKER_LIST,
    DOCKER_MANIFEST_TYPE,
];

impl Registry {
    /// The manifest or image index of a reference, its digest checked where the reference has one.
    ///
    /// # Errors
    /// It is not there, or the registry does not answer as it should.
    pub async fn manifest(
        &self,
        reference: &Reference,
    ) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        let repository = self.repository(reference).await?;
        let target = reference.digest().map(ToString::to_string);
        let target = target.or_else(|| reference.tag().map(str::to_owned));
        let target = target.unwrap_or_default();
        match repository.manifest(&target).await {
            Err(error) if error.status() == Some(404) => {
                Err(RegistryError::Missing(reference.to_string()))
            }
            found => found,
        }
    }
}

impl Repository<'_> {
    /// A manifest by tag or digest.
    pub(crate) async fn manifest(
        &self,
        target: &str,
    ) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        let url = self.url(&format!("manifests/{target}"));
        let what = format!("get the manifest {target} of {}", self.display());
        let mut call = Call::new(Method::GET, url, what);
        for media_type in ACCEPTED {
            call = call.header(ACCEPT, media_type);
        }
        let mut attempts = super::retry::Attempts::new(self.registry.options.retries);
        loop {
            match self.manifest_once(&call, target).await {
                Ok(found) => return Ok(found),
                Err(error) => attempts.failed(error).await?,
            }
        }
    }

    async fn manifest_once(
        &self,
        call: &Call,
        target: &str,
    ) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        let response = self.send_once(call).await?;
        let refuse = |problem: String| {
            RegistryError::content(format!("manifest {target} of {}", self.display()), problem)
        };
        let media_type = response.headers().get(CONTENT_TYPE).cloned();
        let promised = response.headers().get("docker-content-digest").cloned();
        let bytes = self.document(response, &call.what).await?;
        let digest = Blob::new(bytes.clone()).digest;
        let asked = target.starts_with("sha256:").then_some(target);
        let promised = promised.as_ref().and_then(|digest| digest.to_str().ok());
        for expected in [asked, promised].into_iter().flatten() {
            if expected.starts_with("sha256:") && expected != digest.as_ref() {
                return Err(refuse(format!(
                    "has the content of {digest}, not of {expected}"
                )));
            }
        }
        // The document itself knows best; the oldest forms do not say.
        let own = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let own = own
            .as_ref()
            .and_then(|document| document["mediaType"].as_str());
        let given = media_type.as_ref().and_then(|value| value.to_str().ok());
        let media_type = own.or(given).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let descriptor = Descriptor::new(MediaType::from(media_type), bytes.len() as u64, digest);
        Ok((descriptor, bytes))
    }

    /// Reads an answer that is a document, however long it claims to be.
    pub(super) async fn document(
        &self,
        mut response: Response,
        what: &str,
    ) -> Result<Vec<u8>, RegistryError> {
        let limit = self.registry.options.timeout;
        let mut bytes = Vec::new();
        loop {
            let piece = tokio::time::timeout(limit, response.chunk());
            let piece = piece.await.map_err(|_| silent(what, limit))?;
            let piece = piece.map_err(|error| RegistryError::transport(what, error))?;
            let Some(piece) = piece else {
                return Ok(bytes);
            };
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > MAX_DOCUMENT {
                let problem = format!("the answer is over {MAX_DOCUMENT} bytes long");
                return Err(RegistryError::content(format!("cannot {what}"), problem));
            }
        }
    }

    /// Puts a manifest under its digest or under a tag; whether the registry lists it with what
    /// it refers to.
    pub(crate) async fn put_manifest(
        &self,
        descriptor: &Descriptor,
        document: &Blob,
        target: &str,
    ) -> Result<bool, RegistryError> {
        let url = self.url(&format!("manifests/{target}"));
        let what = format!("put the manifest {target} into {}", self.display());
        let media_type = descriptor.media_type().to_string();
        let (content, size) = (document.content.clone(), document.size());
        let call = Call::new(Method::PUT, url, what).body(&media_type, content, 0, size);
        let response = self.send(&call).await?;
        let stored = response.headers().get("docker-content-digest");
        let stored: Option<Digest> = stored
            .and_then(|digest| digest.to_str().ok())
            .and_then(|digest| digest.parse().ok());
        if let Some(stored) = stored
            && stored != *descriptor.digest()
        {
            let what = format!("manifest {target} of {}", self.display());
            let problem = format!("was stored as {stored}, not as {}", descriptor.digest());
            return Err(RegistryError::content(what, problem));
        }
        Ok(response.headers().contains_key(SUBJECT))
    }
}
