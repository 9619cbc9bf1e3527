//! `ocipack verify`: an image against its own digests, against a registry, or against a key.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use ocipack::read::Source;
use ocipack::registry::Registry;
use ocipack::transfer::{Form, Location, Signatures};
use ocipack::{PublicKey, Reference};

use super::progress::Telling;
use super::transfer::{self, RegistryArgs};
use super::{Format, MISMATCH, Output, complain, printable, report};

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack verify web.tar
  ocipack verify web.tar --against ghcr.io/me/web:1
  ocipack verify ghcr.io/me/web:1 --key cosign.pub
  ocipack verify ghcr.io/me/web@sha256:… --key cosign.pub --predicate-type https://slsa.dev/provenance/v1 -o json

With --key the registry's signatures are checked: Sigstore bundles that refer to the image, and
cosign's older form under a tag. One by the key is enough; it may be in any number of others.
Nothing but the key is trusted, and no transparency log is asked.")]
pub(crate) struct VerifyArgs {
    /// A layout directory, an archive of one, or REPOSITORY:TAG or @DIGEST in a registry
    #[arg(value_name = "IMAGE")]
    image: Location,
    /// Fetch this image too and check that the registry holds the very same bytes
    #[arg(long, value_name = "REF", conflicts_with = "key")]
    against: Option<Reference>,
    /// Check that the owner of this public key signed the image, which is in a registry
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Look for a signed statement with this type of predicate instead
    #[arg(long, value_name = "URI", requires = "key")]
    predicate_type: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(arguments: &VerifyArgs) -> anyhow::Result<ExitCode> {
    match &arguments.key {
        Some(key) => signatures(arguments, key),
        None => bytes(arguments),
    }
}

fn bytes(arguments: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let image = &arguments.image;
    let fetched = transfer::fetch(image, arguments.registry.options())?;
    let source = Source::open(&fetched.path)?;
    let mut found = source.verify();
    if let Some(reference) = &arguments.against
        && found.is_ok()
    {
        let registry = Registry::new(arguments.registry.options())?;
        let telling = Telling::new(false);
        found = transfer::wait(registry.verify(&source, reference, &telling))??;
    }
    let both = match &arguments.against {
        Some(reference) => format!("{image}, {reference}"),
        None => image.to_string(),
    };
    let mut stdout = io::stdout();
    match arguments.output.output {
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&found)?)?,
        Format::Text if found.is_ok() => {
            writeln!(
                stdout,
                "{both}: {} blobs of {} bytes are as they should be",
                found.blobs, found.bytes
            )?;
        }
        Format::Text => report(&mut stdout, &found.problems)?,
    }
    if found.is_ok() {
        return Ok(ExitCode::SUCCESS);
    }
    let count = found.problems.len();
    complain(&match &arguments.against {
        Some(reference) => format!("{reference} is not {image} ({count} found); push it again"),
        None => format!("{both} is not what it says ({count} found); build or fetch it again"),
    });
    Ok(ExitCode::from(MISMATCH))
}

fn signatures(arguments: &VerifyArgs, key: &Path) -> anyhow::Result<ExitCode> {
    let Location::Remote(reference) = &arguments.image else {
        bail!(
            "{} is on this machine and its signatures are in a registry; give REPOSITORY:TAG or @DIGEST",
            arguments.image
        );
    };
    let text = fs::read_to_string(key);
    let text = text.with_context(|| format!("cannot read {}", key.display()));
    let public = text.and_then(|text| {
        PublicKey::from_pem(&text).with_context(|| format!("cannot use {}", key.display()))
    });
    // The whole of it on one line.
    let public = public.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let registry = Registry::new(arguments.registry.options())?;
    let predicate_type = arguments.predicate_type.as_deref();
    let found = transfer::wait(registry.signatures(reference, &public, predicate_type))??;
    let mut stdout = io::stdout();
    match arguments.output.output {
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&found)?)?,
        Format::Text => tell(&mut stdout, reference, key, &found)?,
    }
    if !found.signed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let what = predicate_type.map_or_else(
        || "no signature".to_owned(),
        |kind| format!("no statement {kind}"),
    );
    complain(&format!(
        "{reference} ({}) has {what} by {}, and {} that do not count",
        found.digest,
        key.display(),
        found.rejected.len()
    ));
    Ok(ExitCode::from(MISMATCH))
}

fn tell(
    out: &mut impl Write,
    reference: &Reference,
    key: &Path,
    found: &Signatures,
) -> io::Result<()> {
    for rejected in &found.rejected {
        writeln!(out, "{}", printable(rejected))?;
    }
    for signed in &found.signed {
        let form = match signed.form {
            Form::Bundle => "bundle",
            Form::Tag => "payload",
        };
        let image = reference.registry().to_owned() + "/" + reference.repository();
        writeln!(
            out,
            "{image}@{} is signed by {} ({form} {})",
            found.digest,
            key.display(),
            signed.digest
        )?;
    }
    Ok(())
}
