//! Which tool takes care of a set. A tool must not change another tool's set
//! (KEP-3659), so sets change hands only when both sides are told.

use std::{fmt, str::FromStr};

/// `NAME/VERSION`; kubectl compares only the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tooling {
    /// The tool, such as `kubectl`.
    pub name: String,
    /// Its version, such as `v1.35.4`; may be empty in what others wrote.
    pub version: String,
}

impl Tooling {
    /// This program.
    #[must_use]
    pub fn own() -> Self {
        Self {
            name: "kapply".to_owned(),
            version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Whether it is some version of this program.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.name == Self::own().name
    }
}

impl FromStr for Tooling {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The name may have slashes itself; the version has none.
        let (name, version) = text.rsplit_once('/').unwrap_or((text, ""));
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
        })
    }
}

impl fmt::Display for Tooling {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        if self.version.is_empty() {
            return Ok(());
        }
        write!(out, "/{}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_counts() {
        let Ok(other) = "kapply/v99.0.0-rc.1".parse::<Tooling>();
        assert!(other.is_own());
        let Ok(nested) = "example.com/tool/v1".parse::<Tooling>();
        assert_eq!(
            (nested.name.as_str(), nested.version.as_str()),
            ("example.com/tool", "v1")
        );
        let Ok(bare) = "helm".parse::<Tooling>();
        assert_eq!((bare.to_string().as_str(), bare.is_own()), ("helm", false));
    }
}
