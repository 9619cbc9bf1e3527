//! Image names: the distribution specification's grammar, in containerd's normal form.

use std::fmt;
use std::str::FromStr;

use crate::reference::grammar;

/// A full `registry/repository:tag`, such as `docker.io/library/web:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// A name that was refused.
#[derive(Debug, thiserror::Error)]
#[error("image name {name:?}: {problem}")]
pub struct NameError {
    name: String,
    problem: String,
}

impl FromStr for Name {
    type Err = NameError;

    /// Parses `[registry/]repository:tag`; what is missing before the tag is filled in as
    /// containerd and Docker do (`web:1` is `docker.io/library/web:1`).
    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |problem: String| NameError {
            name: text.to_owned(),
            problem,
        };
        let parts = grammar::parse(text)
            .map_err(|error| refuse(format!("{error}; expected [registry/]repository:tag")))?;
        if parts.digest.is_some() {
            return Err(refuse(
                "a name has a tag, not a digest: the digest is what building yields".into(),
            ));
        }
        let Some(tag) = parts.tag else {
            // A name that moves by itself is no name to deploy.
            return Err(refuse("has no tag; write repository:tag".into()));
        };
        Ok(Self(format!(
            "{}/{}:{tag}",
            parts.registry, parts.repository
        )))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized_as_containerd_does() {
        for (short, full) in [
            ("web:1", "docker.io/library/web:1"),
            ("me/web:1", "docker.io/me/web:1"),
            ("index.docker.io/web:1", "docker.io/library/web:1"),
            ("localhost/web:1", "localhost/web:1"),
            ("localhost:5000/web:v1.2_x", "localhost:5000/web:v1.2_x"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("web:latest", "docker.io/library/web:latest"),
        ] {
            assert_eq!(short.parse::<Name>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn names_that_could_be_misread_are_refused() {
        let digest = format!("web:1@sha256:{}", "a".repeat(64));
        for bad in [
            "",
            "web",
            "localhost:5000/web",
            "Web:1",
            "web:",
            "web: 1",
            ":1",
            "web:1/",
            "a//b:1",
            &digest,
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken");
        }
    }
}
