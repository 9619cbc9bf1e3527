//! Platforms: `linux/ARCH[/VARIANT]` in Go's words, which are those of the image specification.

use std::fmt;
use std::str::FromStr;

use oci_spec::image;
use serde::Deserialize;

/// Architectures that are known, each with the variants that it may have.
const KNOWN: &[(&str, &[&str])] = &[
    ("386", &[]),
    ("amd64", &["v2", "v3", "v4"]),
    ("arm", &["v5", "v6", "v7"]),
    ("arm64", &["v8", "v9"]),
    ("loong64", &[]),
    ("ppc64le", &[]),
    ("riscv64", &[]),
    ("s390x", &[]),
];

/// A Linux platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Platform {
    architecture: String,
    variant: Option<String>,
}

/// A platform that was refused.
#[derive(Debug, thiserror::Error)]
#[error("platform {0:?} is not known; expected linux/ARCH[/VARIANT] with ARCH one of {known}", known = known_architectures())]
pub struct PlatformError(String);

impl Platform {
    /// `linux/amd64`.
    #[must_use]
    pub fn linux_amd64() -> Self {
        Self {
            architecture: "amd64".into(),
            variant: None,
        }
    }

    /// `linux/arm64`.
    #[must_use]
    pub fn linux_arm64() -> Self {
        Self {
            architecture: "arm64".into(),
            variant: None,
        }
    }

    /// Go's name of the architecture, such as `amd64`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The architecture's variant, such as `v7`, if one was given.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// Whether it is what an image says of itself. Where no variant is asked for, any will do.
    pub(crate) fn fits(
        &self,
        os: &image::Os,
        architecture: &image::Arch,
        variant: Option<&str>,
    ) -> bool {
        // Every arm64 is v8 unless it says otherwise, as containerd reads it.
        let normal = |variant| match (self.architecture.as_str(), variant) {
            ("arm64", None) => Some("v8"),
            (_, variant) => variant,
        };
        *os == image::Os::Linux
            && architecture.to_string() == self.architecture
            && (self.variant.is_none() || normal(self.variant()) == normal(variant))
    }

    pub(crate) fn to_oci(&self) -> image::Platform {
        let mut platform = image::Platform::default();
        platform.set_os(image::Os::Linux);
        platform.set_architecture(self.architecture.as_str().into());
        platform.set_variant(self.variant.clone());
        platform
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (architecture, variant) = match parts[..] {
            ["linux", architecture] => (architecture, None),
            ["linux", architecture, variant] => (architecture, Some(variant)),
            _ => return Err(PlatformError(text.to_owned())),
        };
        let known = KNOWN.iter().any(|(name, variants)| {
            *name == architecture && variant.is_none_or(|variant| variants.contains(&variant))
        });
        if !known {
            return Err(PlatformError(text.to_owned()));
        }
        Ok(Self {
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        })
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "linux/{}", self.architecture)?;
        self.variant
            .as_ref()
            .map_or(Ok(()), |variant| write!(formatter, "/{variant}"))
    }
}

fn known_architectures() -> String {
    KNOWN
        .iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_fits_what_is_at_least_as_precise() {
        let fits = |wanted: &str, found: &str| {
            let (wanted, found): (Platform, Platform) =
                (wanted.parse().unwrap(), found.parse().unwrap());
            let found = found.to_oci();
            wanted.fits(found.os(), found.architecture(), found.variant().as_deref())
        };
        for (wanted, found) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64"),
        ] {
            assert!(fits(wanted, found), "{wanted} {found}");
        }
        for (wanted, found) in [
            ("linux/amd64", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v6"),
            ("linux/amd64/v3", "linux/amd64"),
            ("linux/arm64/v9", "linux/arm64"),
        ] {
            assert!(!fits(wanted, found), "{wanted} {found}");
        }
    }

    #[test]
    fn platforms_are_read_and_written_alike() {
        for text in [
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/s390x",
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for bad in [
            "amd64",
            "linux",
            "windows/amd64",
            "linux/x86_64",
            "linux/amd64/v8",
            "linux/arm/v7/x",
            "",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad:?} was taken");
        }
    }
}
