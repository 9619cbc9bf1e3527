//! What is asked of a registry: `[registry/]repository` with a tag, a digest or both.

pub(crate) mod grammar;

use std::fmt;
use std::str::FromStr;

use oci_spec::image::Digest;

/// A full reference, such as `ghcr.io/me/web:1` or `docker.io/library/web@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A reference that was refused.
#[derive(Debug, thiserror::Error)]
#[error("image reference {text:?}: {problem}")]
pub struct ReferenceError {
    text: String,
    problem: String,
}

impl Reference {
    /// The registry's host, with its port if it has one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if there is one; beside a digest it is only a remark.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if there is one.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository at a digest.
    #[must_use]
    pub fn at(&self, digest: &Digest) -> Self {
        Self {
            registry: self.registry.clone(),
            repository: self.repository.clone(),
            tag: None,
            digest: Some(digest.clone()),
        }
    }

    /// Whether both are of one repository.
    pub(crate) fn shares_repository(&self, other: &Self) -> bool {
        (&self.registry, &self.repository) == (&other.registry, &other.repository)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Parses a reference; a missing registry is filled in as containerd and Docker do.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let refuse = |problem: String| ReferenceError {
            text: text.to_owned(),
            problem,
        };
        let parts = grammar::parse(text)
            .map_err(|error| refuse(format!("{error}; expected [registry/]repository:tag")))?;
        let digest = parts.digest.map(|digest| {
            let sha256 = digest.starts_with("sha256:");
            let parsed = Digest::from_str(digest).ok().filter(|_| sha256);
            parsed.ok_or_else(|| refuse(format!("{digest} is not a sha256 digest")))
        });
        let digest = digest.transpose()?;
        // A reference that says neither would move by itself.
        if parts.tag.is_none() && digest.is_none() {
            return Err(refuse(
                "has neither tag nor digest; write repository:tag or repository@sha256:…".into(),
            ));
        }
        Ok(Self {
            registry: parts.registry.to_owned(),
            repository: parts.repository,
            tag: parts.tag.map(str::to_owned),
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_full_and_precise() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let at = format!("docker.io/library/web@{digest}");
        for (text, full) in [
            ("web:1", "docker.io/library/web:1"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("web:latest", "docker.io/library/web:latest"),
            (&at, &at),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), full);
        }
        let both: Reference = format!("web:1@{digest}").parse().unwrap();
        assert_eq!(
            (both.tag(), both.digest().unwrap().as_ref()),
            (Some("1"), &*digest)
        );
        let sha512 = format!("web@sha512:{}", "a".repeat(128));
        for bad in [
            "",
            "web",
            "localhost:5000/web",
            "layout/",
            "./web",
            "Web:1",
            &sha512,
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?} was taken");
        }
    }
}
