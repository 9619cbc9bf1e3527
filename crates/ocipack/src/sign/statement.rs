//! Statements about an image, in the form of in-toto
//! (<https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>).

use std::collections::BTreeMap;

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TYPE: &str = "https://in-toto.io/Statement/v1";
/// Older tools still write this one.
const TYPE_BEFORE: &str = "https://in-toto.io/Statement/v0.1";
/// The predicate by which cosign says "I signed this" and nothing else.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// A statement that was refused.
#[derive(Debug, thiserror::Error)]
#[error("it is no statement about an image: {0}")]
pub struct StatementError(String);

/// What somebody says about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    /// Which predicate, as a URI.
    pub predicate_type: String,
    /// The predicate.
    #[serde(default)]
    pub predicate: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Subject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// A statement about an image.
    #[must_use]
    pub fn new(name: Option<&str>, image: &Digest, predicate_type: &str, predicate: Value) -> Self {
        let digest = (image.algorithm().to_string(), image.digest().to_owned());
        Self {
            kind: TYPE.to_owned(),
            subject: vec![Subject {
                name: name.map(str::to_owned),
                digest: [digest].into(),
            }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The plain signature of an image.
    pub(crate) fn signature(image: &Digest) -> Self {
        Self::new(None, image, SIGNATURE, json!({}))
    }

    /// Whether it is a plain signature.
    pub(crate) fn is_signature(&self) -> bool {
        self.predicate_type == SIGNATURE
    }

    /// Reads a statement.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, StatementError> {
        let statement: Self =
            serde_json::from_slice(bytes).map_err(|error| StatementError(error.to_string()))?;
        if ![TYPE, TYPE_BEFORE].contains(&statement.kind.as_str()) {
            let problem = format!("its _type is {:?}, not {TYPE}", statement.kind);
            return Err(StatementError(problem));
        }
        Ok(statement)
    }

    /// Whether it is about this image.
    #[must_use]
    pub fn is_about(&self, image: &Digest) -> bool {
        let (algorithm, digest) = (image.algorithm().to_string(), image.digest());
        let mut subjects = self.subject.iter();
        subjects.any(|subject| subject.digest.get(&algorithm).map(String::as_str) == Some(digest))
    }
}
