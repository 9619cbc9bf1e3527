//! What refers to a manifest, such as its signatures: as the registry lists it or, where it keeps
//! no such list, as an index under a tag made of the digest
//! (distribution-spec, "Listing Referrers" and "Referrers Tag Schema").

use std::collections::BTreeMap;

use oci_spec::image::{Descriptor, Digest, ImageIndex, MediaType};
use reqwest::header::LINK;
use reqwest::{Method, Response};

use super::http::Call;
use super::{RegistryError, Repository};
use crate::build;
use crate::digest::Blob;
use crate::read::{MAX_DOCUMENT, is_index};

/// Referrers of one manifest that are looked at: anybody who may push can add some.
const MAX_REFERRERS: usize = 1000;
/// How often an index under a tag is written again that somebody else wrote at the same time.
const MAX_TURNS: usize = 10;

impl Repository<'_> {
    /// All that refers to a manifest.
    pub(crate) async fn referrers(
        &self,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        match self.listed(subject).await {
            // The registry keeps no list.
            Err(error) if matches!(error.status(), Some(404 | 405)) => {
                let mut referrers = self.tagged(subject).await?.unwrap_or_default();
                referrers.truncate(MAX_REFERRERS);
                Ok(referrers)
            }
            found => found,
        }
    }

    /// Puts a manifest that has a subject and makes it known as a referrer.
    pub(crate) async fn put_referrer(
        &self,
        descriptor: &Descriptor,
        document: &Blob,
        subject: &Digest,
    ) -> Result<(), RegistryError> {
        let target = descriptor.digest().to_string();
        if self.put_manifest(descriptor, document, &target).await? {
            return Ok(());
        }
        // Writers of one tag know nothing of each other: whoever was overwritten writes again.
        for _ in 0..MAX_TURNS {
            let mut referrers = self.tagged(subject).await?.unwrap_or_default();
            if contains(&referrers, descriptor) {
                return Ok(());
            }
            referrers.push(descriptor.clone());
            self.put_remaining(subject, referrers).await?;
        }
        Err(RegistryError::content(
            format!("{}:{}", self.display(), tag(subject)),
            format!(
                "others write it all the time; {target} is pushed, list it by running this again"
            ),
        ))
    }

    async fn listed(&self, subject: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let what = format!("list what refers to {subject} in {}", self.display());
        let mut url = self.url(&format!("referrers/{subject}"));
        let mut found: Vec<Descriptor> = Vec::new();
        loop {
            let call = Call::new(Method::GET, url, what.clone());
            let response = self.send(&call).await?;
            let next = next(&response);
            let bytes = self.document(response, &what).await?;
            let index: ImageIndex = serde_json::from_slice(&bytes).map_err(|error| {
                RegistryError::content(format!("cannot {what}"), error.to_string())
            })?;
            found.extend(index.manifests().iter().cloned());
            match next {
                Some(next) if !index.manifests().is_empty() && found.len() < MAX_REFERRERS => {
                    url = next;
                }
                _ => break,
            }
        }
        found.truncate(MAX_REFERRERS);
        Ok(found)
    }

    /// All that the index under the subject's tag lists, if there is one: it is written again.
    async fn tagged(&self, subject: &Digest) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let tag = tag(subject);
        let (descriptor, bytes) = match self.manifest(&tag).await {
            Err(error) if error.status() == Some(404) => return Ok(None),
            found => found?,
        };
        let refuse =
            |problem: String| RegistryError::content(format!("{}:{tag}", self.display()), problem);
        if !is_index(descriptor.media_type()) {
            let problem = format!("is of {}, no list of referrers", descriptor.media_type());
            return Err(refuse(problem));
        }
        let index: ImageIndex = serde_json::from_slice(&bytes)
            .map_err(|error| refuse(format!("is not a valid image index: {error}")))?;
        Ok(Some(index.manifests().clone()))
    }

    /// Puts the list; without what was deleted since, if the registry takes none with that in it.
    async fn put_remaining(
        &self,
        subject: &Digest,
        referrers: Vec<Descriptor>,
    ) -> Result<(), RegistryError> {
        let refused = match self.put_tagged(subject, referrers.clone()).await {
            Err(error) if matches!(error.status(), Some(400 | 404)) => error,
            done => return done,
        };
        let (count, mut left) = (referrers.len(), Vec::new());
        for descriptor in referrers {
            match self.manifest(descriptor.digest().as_ref()).await {
                Ok(_) => left.push(descriptor),
                Err(error) if error.status() == Some(404) => {}
                Err(error) => return Err(error),
            }
        }
        if left.len() == count {
            return Err(refused);
        }
        self.put_tagged(subject, left).await
    }

    async fn put_tagged(
        &self,
        subject: &Digest,
        referrers: Vec<Descriptor>,
    ) -> Result<(), RegistryError> {
        let count = referrers.len();
        let refuse = |problem: String| {
            RegistryError::content(format!("the list of referrers of {subject}"), problem)
        };
        let index = Blob::json(&build::index(referrers, &BTreeMap::new()))
            .map_err(|error| refuse(error.to_string()))?;
        if index.size() > MAX_DOCUMENT {
            return Err(refuse(format!(
                "would have {count} entries in {} bytes, over {MAX_DOCUMENT}; delete some first",
                index.size()
            )));
        }
        let descriptor = Descriptor::new(MediaType::ImageIndex, index.size(), index.digest.clone());
        self.put_manifest(&descriptor, &index, &tag(subject))
            .await?;
        Ok(())
    }
}

fn contains(referrers: &[Descriptor], descriptor: &Descriptor) -> bool {
    let mut digests = referrers.iter().map(Descriptor::digest);
    digests.any(|digest| digest == descriptor.digest())
}

/// `sha256-HEX`
fn tag(subject: &Digest) -> String {
    format!("{}-{}", subject.algorithm(), subject.digest())
}

/// Where the list goes on: `Link: <URL>; rel="next"`, on the same registry.
fn next(response: &Response) -> Option<String> {
    let link = response.headers().get(LINK)?.to_str().ok()?;
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    let url = response.url().join(address).ok()?;
    let own = url.origin() == response.url().origin();
    (own && relation.contains("rel=\"next\"")).then(|| url.into())
}
