//! A signed statement as a Sigstore bundle, version 0.3: a DSSE envelope and which key made it
//! (<https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto>,
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{KeyError, PublicKey, SigningKey, Statement};

/// The media type of the bundle, and the type of the artifact that it is in.
pub(crate) const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
}

/// What else a bundle can bring (certificates, entries of logs) is for keys that come with it;
/// here the key is known before.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
}

#[derive(Serialize, Deserialize)]
struct Hint {
    #[serde(default)]
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
}

impl Bundle {
    /// Signs a statement.
    pub(crate) fn sign(statement: &[u8], key: &SigningKey) -> Result<Self, KeyError> {
        let signature = key.sign(&encoding(PAYLOAD_TYPE, statement))?;
        Ok(Self {
            media_type: BUNDLE_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(Hint {
                    hint: key.public().hint(),
                }),
            },
            dsse_envelope: Some(Envelope {
                payload: STANDARD.encode(statement),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signature {
                    sig: STANDARD.encode(signature),
                }],
            }),
        })
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The statement in a bundle that the key's owner signed.
    pub(crate) fn open(bundle: &[u8], key: &PublicKey) -> Result<Statement, String> {
        let bundle: Self =
            serde_json::from_slice(bundle).map_err(|error| format!("is no bundle: {error}"))?;
        if bundle.media_type != BUNDLE_TYPE {
            return Err(format!("is of {:?}, not {BUNDLE_TYPE}", bundle.media_type));
        }
        let envelope = bundle.dsse_envelope.ok_or("has no signed statement")?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(format!("has a payload of {:?}", envelope.payload_type));
        }
        let decode = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|_| "is not base64".to_owned())
        };
        let payload = decode(&envelope.payload)?;
        let message = encoding(PAYLOAD_TYPE, &payload);
        let mut signatures = envelope.signatures.iter();
        if !signatures.any(|one| decode(&one.sig).is_ok_and(|one| key.verify(&message, &one))) {
            return Err("is not signed by this key".into());
        }
        Statement::from_json(&payload).map_err(|error| error.to_string())
    }
}

/// What is signed: the payload with its type and their lengths.
fn encoding(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owners_words_are_taken() {
        let pair = |password: &[u8]| {
            let (private, public) = SigningKey::generate(password).unwrap();
            (SigningKey::from_pem(&private, password).unwrap(), public)
        };
        let ((key, public), (_, stranger)) = (pair(b"a"), pair(b"b"));
        let image = crate::digest::Blob::new(b"image".to_vec()).digest;
        let other = crate::digest::Blob::new(b"other".to_vec()).digest;
        let statement = serde_json::to_vec(&Statement::signature(&image)).unwrap();
        let bundle = Bundle::sign(&statement, &key).unwrap().to_json().unwrap();
        let found = Bundle::open(&bundle, &public).unwrap();
        assert!(found.is_signature() && found.is_about(&image) && !found.is_about(&other));
        let error = Bundle::open(&bundle, &stranger).unwrap_err();
        assert_eq!(error, "is not signed by this key");

        // Another image's digest in the same envelope.
        let text = String::from_utf8(bundle).unwrap();
        let forged = serde_json::to_vec(&Statement::signature(&other)).unwrap();
        let forged = text.replace(&STANDARD.encode(&statement), &STANDARD.encode(forged));
        assert_ne!(forged, text);
        assert!(Bundle::open(forged.as_bytes(), &public).is_err());
        assert!(Bundle::open(b"{}", &public).is_err());
    }

    #[test]
    fn the_encoding_is_that_of_dsse() {
        // The example of the protocol's text.
        assert_eq!(
            encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
