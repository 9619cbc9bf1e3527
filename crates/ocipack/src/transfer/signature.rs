//! Signatures of images in registries: attached as Sigstore bundles or, as cosign did before,
//! under a tag made of the image's digest. Both are found and checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::image::{Descriptor, Digest, ImageManifest, MediaType};
use serde::Serialize;
use serde_json::json;

use super::attach::{Attachment, put_blob};
use super::{Registry, Repository, TransferError};
use crate::build;
use crate::digest::Blob;
use crate::read::is_manifest;
use crate::reference::Reference;
use crate::registry::RegistryError;
use crate::sign::{BUNDLE_TYPE, Bundle, PublicKey, SigningKey, SimplePayload, Statement};

/// What all versions of the bundle's media type start with.
const BUNDLE_FAMILY: &str = "application/vnd.dev.sigstore.bundle";
const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";
const SIMPLE_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Bytes of a bundle or payload.
const MAX_SIGNATURE: u64 = 16 * 1024 * 1024;

/// How a signature lies in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A Sigstore bundle that refers to the image.
    Bundle,
    /// A payload under the tag `sha256-….sig`.
    Tag,
}

/// What a key's owner signed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// How it lies there.
    pub form: Form,
    /// The digest of the bundle's manifest, or of the payload.
    pub digest: String,
    /// The statement, if it is one about more than the image's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Statement>,
}

/// What was found of an image's signatures.
#[derive(Debug, Clone, Serialize)]
pub struct Signatures {
    /// The image's digest, which was asked for or which the tag has now.
    pub digest: String,
    /// Those by the key.
    pub signed: Vec<Signed>,
    /// Those by others, or that are damaged.
    pub rejected: Vec<String>,
}

impl Registry {
    /// Signs an image that is in a registry, or a statement about it. What the key has signed
    /// already is not signed again.
    ///
    /// # Errors
    /// The image is not there, the statement is about another, or the registry does not take it.
    pub async fn sign(
        &self,
        reference: &Reference,
        key: &SigningKey,
        statement: Option<&[u8]>,
        form: Form,
    ) -> Result<Signatures, TransferError> {
        let refuse = |problem: String| TransferError::Refused {
            image: reference.to_string(),
            problem,
        };
        let (image, _) = self.manifest(reference).await?;
        let pinned = reference.at(image.digest());
        let plain = Statement::signature(image.digest());
        let said = match statement {
            None => plain,
            Some(bytes) => Statement::from_json(bytes)
                .map_err(|error| refuse(format!("is not signed: {error}")))?,
        };
        if !said.is_about(image.digest()) {
            let problem = format!("is {}, which the statement is not about", image.digest());
            return Err(refuse(problem));
        }
        let predicate = (!said.is_signature()).then_some(said.predicate_type.as_str());
        let mut found = self.signatures(&pinned, key.public(), predicate).await?;
        let known = |one: &&Signed| {
            one.form == form && one.statement.as_ref().is_none_or(|other| *other == said)
        };
        let digest = match (found.signed.iter().find(known), form) {
            (Some(known), _) => known.digest.clone(),
            (None, Form::Tag) => self.sign_tag(&pinned, image.digest(), key).await?,
            (None, Form::Bundle) => {
                let encoded =
                    serde_json::to_vec(&said).map_err(|error| refuse(error.to_string()))?;
                // Somebody's own statement is signed as it was written.
                let bundle = Bundle::sign(statement.unwrap_or(&encoded), key)?;
                let attachment = Attachment {
                    artifact_type: BUNDLE_TYPE.to_owned(),
                    content: bundle
                        .to_json()
                        .map_err(|error| refuse(error.to_string()))?,
                    annotations: [
                        (CONTENT.to_owned(), "dsse-envelope".to_owned()),
                        (PREDICATE_TYPE.to_owned(), said.predicate_type.clone()),
                    ]
                    .into(),
                };
                self.attach(&pinned, &attachment).await?.to_string()
            }
        };
        found.signed = vec![Signed {
            form,
            digest,
            statement: predicate.is_some().then_some(said),
        }];
        Ok(found)
    }

    /// Finds what a key's owner signed of an image: plain signatures, or statements with this
    /// type of predicate.
    ///
    /// # Errors
    /// The image is not there, or the registry does not answer as it should.
    pub async fn signatures(
        &self,
        reference: &Reference,
        key: &PublicKey,
        predicate_type: Option<&str>,
    ) -> Result<Signatures, TransferError> {
        let (image, referrers) = self.referrers(reference).await?;
        let mut found = Signatures {
            digest: image.to_string(),
            signed: Vec::new(),
            rejected: Vec::new(),
        };
        for referrer in referrers {
            let kind = referrer.artifact_type.unwrap_or_default();
            if !kind.starts_with(BUNDLE_FAMILY) {
                continue;
            }
            let digest: Digest = referrer.digest.parse().map_err(|_| {
                RegistryError::content(reference.to_string(), "it lists a malformed digest")
            })?;
            let at = reference.at(&digest);
            let judged = match self.attached(&at).await {
                Ok(bundle) => judge(&bundle, key, &image, predicate_type),
                Err(error) => Err(Some(rubbish(error)?)),
            };
            match judged {
                Ok(statement) => found.signed.push(Signed {
                    form: Form::Bundle,
                    digest: referrer.digest,
                    statement: predicate_type.is_some().then_some(statement),
                }),
                Err(Some(problem)) => found
                    .rejected
                    .push(format!("bundle {} {problem}", referrer.digest)),
                Err(None) => {}
            }
        }
        if predicate_type.is_none() {
            self.tagged(&reference.at(&image), &image, key, &mut found)
                .await?;
        }
        Ok(found)
    }

    /// The signatures under the image's tag.
    async fn tagged(
        &self,
        reference: &Reference,
        image: &Digest,
        key: &PublicKey,
        found: &mut Signatures,
    ) -> Result<(), TransferError> {
        let repository = self.repository(reference).await?;
        let manifest = match tag_manifest(&repository, image).await.map_err(Into::into) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return Ok(()),
            Err(error) => {
                let problem = rubbish(error)?;
                found.rejected.push(format!("tag {} {problem}", tag(image)));
                return Ok(());
            }
        };
        for layer in manifest.layers() {
            let judged = match self.blob(reference, layer, MAX_SIGNATURE).await {
                Ok(payload) => judge_simple(layer, &payload, key, image),
                Err(error) => Err(rubbish(error.into())?),
            };
            match judged {
                Ok(()) => found.signed.push(Signed {
                    form: Form::Tag,
                    digest: layer.digest().to_string(),
                    statement: None,
                }),
                Err(problem) => found
                    .rejected
                    .push(format!("payload {} {problem}", layer.digest())),
            }
        }
        Ok(())
    }

    /// Adds a signature to those under the image's tag.
    async fn sign_tag(
        &self,
        reference: &Reference,
        image: &Digest,
        key: &SigningKey,
    ) -> Result<String, TransferError> {
        let malformed =
            |error: &dyn std::fmt::Display| RegistryError::content(tag(image), error.to_string());
        let repository = self.repository(reference).await?;
        let name = format!("{}/{}", reference.registry(), reference.repository());
        let payload = serde_json::to_vec(&SimplePayload::new(&name, image))
            .map_err(|error| malformed(&error))?;
        let signature = STANDARD.encode(key.sign(&payload)?);
        let payload = Blob::new(payload);
        let before = tag_manifest(&repository, image).await?;
        let mut layers = before.map_or_else(Vec::new, |manifest| manifest.layers().clone());
        let mut layer = Descriptor::new(
            MediaType::from(SIMPLE_TYPE),
            payload.size(),
            payload.digest.clone(),
        );
        layer.set_annotations(Some([(SIGNATURE.to_owned(), signature)].into()));
        layers.push(layer);
        let layer_digests: Vec<&Digest> = layers.iter().map(Descriptor::digest).collect();
        // It has the form of an image, because registries once took nothing else.
        let config = Blob::json(&json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": {"type": "layers", "diff_ids": layer_digests},
        }))
        .map_err(|error| malformed(&error))?;
        for blob in [&payload, &config] {
            put_blob(&repository, blob).await?;
        }
        let config = Descriptor::new(MediaType::ImageConfig, config.size(), config.digest.clone());
        let manifest = build::manifest(config, layers, &std::collections::BTreeMap::new())
            .map_err(|error| malformed(&error))?;
        let document = Blob::json(&manifest).map_err(|error| malformed(&error))?;
        let descriptor = Descriptor::new(
            MediaType::ImageManifest,
            document.size(),
            document.digest.clone(),
        );
        repository
            .put_manifest(&descriptor, &document, &tag(image))
            .await?;
        Ok(payload.digest.to_string())
    }
}

/// What is wrong with somebody's signature: rubbish, or what was deleted and is still listed, is no
/// reason not to look at the others.
///
/// # Errors
/// It is the registry that failed.
fn rubbish(error: TransferError) -> Result<String, TransferError> {
    match error {
        TransferError::Refused { problem, .. }
        | TransferError::Registry(RegistryError::Content { problem, .. }) => Ok(problem),
        TransferError::Registry(RegistryError::Missing(_)) => Ok("is missing".into()),
        TransferError::Registry(error) if error.status() == Some(404) => Ok("is missing".into()),
        error => Err(error),
    }
}

/// The statement in a bundle, if it is by the key and one that was asked for; what is wrong with
/// it, unless it is simply another one.
fn judge(
    bundle: &[u8],
    key: &PublicKey,
    image: &Digest,
    predicate_type: Option<&str>,
) -> Result<Statement, Option<String>> {
    let statement = Bundle::open(bundle, key).map_err(Some)?;
    if !statement.is_about(image) {
        return Err(Some("is about another image".into()));
    }
    let wanted = match predicate_type {
        None => statement.is_signature(),
        Some(wanted) => statement.predicate_type == wanted,
    };
    if wanted { Ok(statement) } else { Err(None) }
}

fn judge_simple(
    layer: &Descriptor,
    payload: &[u8],
    key: &PublicKey,
    image: &Digest,
) -> Result<(), String> {
    let annotations = layer.annotations().as_ref();
    let signature = annotations.and_then(|all| all.get(SIGNATURE));
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    let signature = signature.ok_or("has no signature")?;
    if !key.verify(payload, &signature) {
        return Err("is not signed by this key".into());
    }
    SimplePayload::check(payload, image)
}

async fn tag_manifest(
    repository: &Repository<'_>,
    image: &Digest,
) -> Result<Option<ImageManifest>, RegistryError> {
    let tag = tag(image);
    let (descriptor, bytes) = match repository.manifest(&tag).await {
        Err(error) if error.status() == Some(404) => return Ok(None),
        found => found?,
    };
    let what = format!("{}:{tag}", repository.display());
    if !is_manifest(descriptor.media_type()) {
        let problem = format!("is of {}, no signatures", descriptor.media_type());
        return Err(RegistryError::content(what, problem));
    }
    let manifest = serde_json::from_slice(&bytes);
    manifest
        .map(Some)
        .map_err(|error| RegistryError::content(what, error.to_string()))
}

/// `sha256-HEX.sig`
fn tag(image: &Digest) -> String {
    format!("{}-{}.sig", image.algorithm(), image.digest())
}
