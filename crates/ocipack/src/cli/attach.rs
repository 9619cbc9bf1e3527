//! `ocipack attach` and `ocipack referrers`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use ocipack::Reference;
use ocipack::registry::Registry;
use ocipack::transfer::{Attachment, Referrer};
use serde_json::Value;

use super::build::parse_pair;
use super::transfer::{self, RegistryArgs};
use super::{Format, Output, printable};

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack sbom web.tar > sbom.json && ocipack attach ghcr.io/me/web:1 sbom.json
  ocipack attach ghcr.io/me/web:1 report.txt --artifact-type text/plain

The file becomes an artifact that refers to the image, in a registry without the referrers API
listed under the tag sha256-…. The same file is attached once only.")]
pub(crate) struct AttachArgs {
    /// The image: [REGISTRY/]REPOSITORY:TAG or @DIGEST
    #[arg(value_name = "REF")]
    image: Reference,
    /// The file
    file: PathBuf,
    /// What it is [default: as an SBOM or an in-toto statement itself says]
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    /// An annotation of the artifact [repeatable]
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    annotation: Vec<(String, String)>,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack referrers ghcr.io/me/web:1
  ocipack referrers ghcr.io/me/web:1 --artifact-type application/vnd.cyclonedx+json --content")]
pub(crate) struct ReferrersArgs {
    /// The image: [REGISTRY/]REPOSITORY:TAG or @DIGEST
    #[arg(value_name = "REF")]
    image: Reference,
    /// Only what is of this type
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    /// Print the attached file instead; there has to be exactly one
    #[arg(long, conflicts_with = "output")]
    content: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(arguments: AttachArgs) -> anyhow::Result<()> {
    let path = &arguments.file;
    let content =
        fs::read(path).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    let artifact_type = match arguments.artifact_type {
        Some(given) if is_media_type(&given) => given,
        Some(other) => bail!("{other:?} is not a media type such as text/plain"),
        None => guess(&content)
            .ok_or_else(|| {
                anyhow!(
                    "{} is neither CycloneDX, SPDX nor in-toto in JSON; say what it is with --artifact-type",
                    path.display()
                )
            })?
            .to_owned(),
    };
    let registry = Registry::new(arguments.registry.options())?;
    let attachment = Attachment {
        artifact_type,
        content,
        annotations: arguments.annotation.into_iter().collect(),
    };
    let digest = transfer::wait(registry.attach(&arguments.image, &attachment))??;
    writeln!(io::stdout(), "{digest}")?;
    Ok(())
}

/// `TYPE/SUBTYPE` (RFC 6838, 4.2), which registries demand of an artifact's type.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let mut bytes = name.bytes();
        name.len() <= 127
            && bytes
                .next()
                .is_some_and(|first| first.is_ascii_alphanumeric())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// The media type of a document that names its own format.
fn guess(content: &[u8]) -> Option<&'static str> {
    let document: Value = serde_json::from_slice(content).ok()?;
    if document["bomFormat"] == "CycloneDX" {
        return Some("application/vnd.cyclonedx+json");
    }
    if document["spdxVersion"].is_string() {
        return Some("application/spdx+json");
    }
    let kind = document["_type"].as_str()?;
    kind.starts_with("https://in-toto.io/Statement/")
        .then_some("application/vnd.in-toto+json")
}

pub(crate) fn list(arguments: &ReferrersArgs) -> anyhow::Result<()> {
    let registry = Registry::new(arguments.registry.options())?;
    let (image, mut referrers) = transfer::wait(registry.referrers(&arguments.image))??;
    if arguments.artifact_type.is_some() {
        referrers.retain(|referrer| referrer.artifact_type == arguments.artifact_type);
    }
    let mut stdout = io::stdout();
    if arguments.content {
        let [referrer] = &referrers[..] else {
            bail!(
                "{} ({image}) has {} of what was asked for, and one is printed; list them without --content",
                arguments.image,
                referrers.len()
            );
        };
        let at = arguments.image.at(&referrer.digest.parse()?);
        stdout.write_all(&transfer::wait(registry.attached(&at))??)?;
        return Ok(());
    }
    match arguments.output.output {
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&referrers)?)?,
        Format::Text => referrers
            .iter()
            .try_for_each(|referrer| writeln!(stdout, "{}", printable(&line(referrer))))?,
    }
    Ok(())
}

fn line(referrer: &Referrer) -> String {
    let kind = referrer.artifact_type.as_deref().unwrap_or("(no type)");
    let annotations = referrer.annotations.iter();
    let annotations: Vec<String> = annotations
        .map(|(key, value)| format!(" {key}={value}"))
        .collect();
    format!("{} {kind}{}", referrer.digest, annotations.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_of_two_names() {
        for good in ["text/plain", "application/vnd.cyclonedx+json", "x-a/b.c-d"] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "", "text", "text/", "/plain", "a/b/c", "a / b", "a/b;c=d", ".a/b", "a/b\n",
        ] {
            assert!(!is_media_type(bad), "{bad:?}");
        }
    }

    #[test]
    fn documents_say_what_they_are() {
        for (text, kind) in [
            (
                r#"{"bomFormat":"CycloneDX"}"#,
                "application/vnd.cyclonedx+json",
            ),
            (r#"{"spdxVersion":"SPDX-2.3"}"#, "application/spdx+json"),
            (
                r#"{"_type":"https://in-toto.io/Statement/v1"}"#,
                "application/vnd.in-toto+json",
            ),
        ] {
            assert_eq!(guess(text.as_bytes()), Some(kind));
        }
        assert_eq!(guess(b"{}"), None);
        assert_eq!(guess(b"text"), None);
    }
}
