//! How a set is named: by people as `--applyset [RESOURCE[.GROUP]/]NAME`, and
//! on the cluster by an ID that is computed from the parent's full name.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The parent of a set as people write it: `NAME` is a Secret,
/// `configmap/NAME` and `RESOURCE.GROUP/NAME` are others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRef {
    /// Plural, singular or short name of the resource, perhaps with `.GROUP`.
    pub resource: String,
    /// Name of the parent object.
    pub name: String,
}

/// What a bare name is.
const DEFAULT_RESOURCE: &str = "secrets";

impl FromStr for SetRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (resource, name) = text.split_once('/').unwrap_or((DEFAULT_RESOURCE, text));
        if resource.is_empty() || name.is_empty() || name.contains('/') {
            return Err(
                "write NAME (a Secret) or RESOURCE[.GROUP]/NAME, such as configmap/shop".to_owned(),
            );
        }
        Ok(Self {
            resource: resource.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for SetRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.resource != DEFAULT_RESOURCE {
            write!(out, "{}/", self.resource)?;
        }
        out.write_str(&self.name)
    }
}

/// The ID of the set of a parent; the namespace of a parent of the cluster is
/// empty, and so is the core group.
pub(crate) fn id(name: &str, namespace: &str, kind: &str, group: &str) -> String {
    let digest = Sha256::digest(format!("{name}.{namespace}.{kind}.{group}"));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_kubectl() {
        // The first three stand in kubectl's own tests.
        for (parts, expected) in [
            (
                ["my-set", "test", "Secret", ""],
                "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1",
            ),
            (
                ["my-set", "", "ApplySet", "company.com"],
                "applyset-rhp1a-HVAVT_dFgyEygyA1BEB82HPp2o10UiFTpqtAs-v1",
            ),
            (
                ["simple", "test", "Secret", ""],
                "applyset-bjd1LnyQq0mtUu-riZCqjDQOmh0iNb9O2RcuT12WR0k-v1",
            ),
            (
                ["mySecret", "default", "Secret", ""],
                "applyset-YJRR8HGTJn9TCHD3WDTPSr_qm-InYSpszSpbW5UjqnA-v1",
            ),
            (
                ["myapp", "prod", "ConfigMap", ""],
                "applyset-ZwtQr32UvE5_NVdHSGi6xvWxR62_r_s-ss82ozrc-oM-v1",
            ),
        ] {
            let [name, namespace, kind, group] = parts;
            assert_eq!(id(name, namespace, kind, group), expected);
        }
    }

    #[test]
    fn references_are_read_and_written() {
        for text in ["shop", "configmap/shop", "applysets.company.com/shop"] {
            assert_eq!(text.parse::<SetRef>().unwrap().to_string(), text);
        }
        assert_eq!("shop".parse::<SetRef>().unwrap().resource, "secrets");
        for text in ["", "/shop", "configmap/", "a/b/c"] {
            assert!(text.parse::<SetRef>().is_err(), "{text}");
        }
    }
}
