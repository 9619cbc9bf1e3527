//! What cosign signed before there were bundles: a JSON that names the image, whose signature is
//! an annotation (<https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>).

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};

const KIND: &str = "cosign container image signature";

#[derive(Serialize, Deserialize)]
pub(crate) struct SimplePayload {
    critical: Critical,
    /// Whatever else was said; nothing is taken from it.
    #[serde(default)]
    optional: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

impl SimplePayload {
    /// Names an image of a repository.
    pub(crate) fn new(repository: &str, image: &Digest) -> Self {
        Self {
            critical: Critical {
                identity: Identity {
                    docker_reference: repository.to_owned(),
                },
                image: Image {
                    docker_manifest_digest: image.to_string(),
                },
                kind: KIND.to_owned(),
            },
            optional: serde_json::Value::Null,
        }
    }

    /// Refuses a payload that is not about this image.
    pub(crate) fn check(payload: &[u8], image: &Digest) -> Result<(), String> {
        let payload: Self =
            serde_json::from_slice(payload).map_err(|error| format!("is malformed: {error}"))?;
        let signed = payload.critical.image.docker_manifest_digest;
        if payload.critical.kind != KIND || signed != image.to_string() {
            return Err(format!("is for {signed}"));
        }
        Ok(())
    }
}
