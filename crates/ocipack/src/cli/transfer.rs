//! `ocipack push`, `pull` and `copy`: one way of moving images, with the flags that each needs.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use ocipack::registry::{Options, Registry};
use ocipack::transfer::{Location, Silent, Transferred};
use ocipack::{ArtifactSpec, Platform, Reference};

use super::Format;
use super::build::{self, parse_pair};
use super::progress::Telling;
use super::scratch;

/// How registries are talked to.
#[derive(Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArgs {
    /// Use HTTP; without it only a registry on the loopback may do without TLS
    #[arg(long)]
    plain_http: bool,
    /// How often a request is tried again that gets no further
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// Give up on a connection that is silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// How many blobs are moved at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
}

impl RegistryArgs {
    pub(crate) fn options(&self) -> Options {
        Options {
            plain_http: self.plain_http,
            retries: self.retries,
            timeout: Duration::from_secs(self.timeout),
            jobs: self.jobs.into(),
            ..Options::default()
        }
    }
}

/// Where the answer goes.
#[derive(Args)]
struct Answer {
    /// How to print the answer: the digest, or all of it
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    /// Write REPO@DIGEST of what was written to registries into a file, one for each line
    #[arg(long, value_name = "FILE")]
    image_refs: Option<PathBuf>,
    /// Say nothing on the way
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Args)]
struct Upload {
    /// Bytes of one request, such as 16M; a larger blob is uploaded in several
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_size)]
    chunk_size: u64,
    /// A repository of the same registry to take missing blobs over from [repeatable]
    #[arg(long, value_name = "REPOSITORY")]
    mount_from: Vec<String>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack push web.tar localhost:5000/web:1
  ocipack push layout/ ghcr.io/me/web:1.2.3 ghcr.io/me/web:1.2 --image-refs refs.txt
  ocipack push --artifact manifests/ ghcr.io/me/web-manifests:1

Blobs come first, then manifests by digest, then tags: no tag ever points to half an image.
A push that was cut goes on when it is run again. Logins are Docker's or Podman's.")]
pub(crate) struct PushArgs {
    /// An OCI layout directory or an archive of one; with --artifact a folder or a file
    #[arg(value_name = "LAYOUT|ARCHIVE")]
    image: PathBuf,
    /// Push Kubernetes manifests as an artifact, which `kapply apply -f oci://…` and Flux take
    #[arg(long)]
    artifact: bool,
    /// An annotation of the artifact [repeatable]
    #[arg(long, value_name = "K=V", requires = "artifact", value_parser = parse_pair)]
    annotation: Vec<(String, String)>,
    /// Where to push: [REGISTRY/]REPOSITORY:TAG or @DIGEST [repeatable]
    #[arg(required = true, value_name = "REF")]
    references: Vec<Reference>,
    #[command(flatten)]
    upload: Upload,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack pull registry.k8s.io/pause:3.10 pause.tar --platform linux/amd64
  ocipack pull ghcr.io/me/web@sha256:… layout/

Run again after a cut, a layout keeps the blobs that are whole.")]
pub(crate) struct PullArgs {
    /// What to pull: [REGISTRY/]REPOSITORY:TAG or @DIGEST
    #[arg(value_name = "REF")]
    reference: Reference,
    /// Where to write: FILE.tar for an archive, anything else for a layout directory
    #[arg(value_name = "DIR|FILE.tar")]
    target: PathBuf,
    /// Of an image index only the image for this platform
    #[arg(long)]
    platform: Option<Platform>,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack copy layout/ web.tar
  ocipack copy docker.io/library/busybox:1.37 localhost:5000/busybox:1.37
  ocipack copy ghcr.io/me/web@sha256:… ./web.tar --platform linux/arm64

REPOSITORY:TAG and REPOSITORY@DIGEST are in a registry, everything else is a path;
a path that looks like one is written ./NAME:TAG.")]
pub(crate) struct CopyArgs {
    /// A layout directory, an archive or a reference
    from: Location,
    /// The same; several get the same image
    #[arg(required = true)]
    to: Vec<Location>,
    /// Of an image index only the image for this platform
    #[arg(long)]
    platform: Option<Platform>,
    #[command(flatten)]
    upload: Upload,
    #[command(flatten)]
    answer: Answer,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn push(arguments: PushArgs) -> anyhow::Result<()> {
    let options = arguments.upload.options(&arguments.registry);
    let to: Vec<Location> = arguments
        .references
        .into_iter()
        .map(Location::Remote)
        .collect();
    let mut image = arguments.image;
    let mut packed = None;
    if arguments.artifact {
        let folder = packed.insert(scratch::folder()?).path();
        let artifact = ArtifactSpec {
            source: image,
            annotation: arguments.annotation.into_iter().collect(),
            epoch: build::epoch()?,
        };
        image = folder.join("artifact");
        artifact.build_in(folder)?.write_layout(&image)?;
    }
    transfer(
        options,
        &Location::Local(image),
        &to,
        None,
        &arguments.answer,
    )
}

pub(crate) fn pull(arguments: PullArgs) -> anyhow::Result<()> {
    let from = Location::Remote(arguments.reference);
    let to = [Location::Local(arguments.target)];
    let platform = arguments.platform.as_ref();
    transfer(
        arguments.registry.options(),
        &from,
        &to,
        platform,
        &arguments.answer,
    )
}

pub(crate) fn copy(arguments: &CopyArgs) -> anyhow::Result<()> {
    let CopyArgs {
        from, to, upload, ..
    } = arguments;
    if to.contains(from) {
        bail!("{from} is both what to copy and where to; give another target");
    }
    let options = upload.options(&arguments.registry);
    transfer(
        options,
        from,
        to,
        arguments.platform.as_ref(),
        &arguments.answer,
    )
}

impl Upload {
    fn options(&self, registry: &RegistryArgs) -> Options {
        Options {
            chunk: self.chunk_size,
            mount_from: self.mount_from.clone(),
            ..registry.options()
        }
    }
}

fn transfer(
    options: Options,
    from: &Location,
    to: &[Location],
    platform: Option<&Platform>,
    answer: &Answer,
) -> anyhow::Result<()> {
    scratch::watch();
    let told = {
        let telling = Telling::new(answer.quiet);
        let registry = Registry::new(options)?;
        wait(registry.copy(from, to, platform, &telling))??
    };
    if let Some(file) = &answer.image_refs {
        write_references(file, to, &told)?;
    }
    let mut stdout = io::stdout();
    match answer.output {
        Format::Text => writeln!(stdout, "{}", told.digest)?,
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&told)?)?,
    }
    Ok(())
}

fn write_references(file: &Path, to: &[Location], told: &Transferred) -> anyhow::Result<()> {
    let digest = told.digest.parse()?;
    let references = to.iter().filter_map(|location| match location {
        Location::Remote(reference) => Some(reference.at(&digest).to_string() + "\n"),
        Location::Local(_) => None,
    });
    // A repository with several tags has one digest; the order is that of the command line.
    let mut seen = HashSet::new();
    let references: Vec<String> = references
        .filter(|reference| seen.insert(reference.clone()))
        .collect();
    fs::write(file, references.concat())
        .with_context(|| format!("the image is pushed; cannot write {}", file.display()))
}

/// Runs to the end what waits for registries.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for the network")?;
    let done = runtime.block_on(work);
    // After an error nobody waits for a check that is still reading.
    runtime.shutdown_background();
    Ok(done)
}

/// A local image for what needs all of its bytes: itself, or pulled into a temporary directory.
pub(crate) struct Fetched {
    pub(crate) path: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

pub(crate) fn fetch(location: &Location, options: Options) -> anyhow::Result<Fetched> {
    match location {
        Location::Local(path) => Ok(Fetched {
            path: path.clone(),
            _directory: None,
        }),
        Location::Remote(_) => {
            let directory = scratch::folder()?;
            let path = directory.path().join("layout");
            let registry = Registry::new(options)?;
            let to = [Location::Local(path.clone())];
            wait(registry.copy(location, &to, None, &Silent))??;
            Ok(Fetched {
                path,
                _directory: Some(directory),
            })
        }
    }
}

/// A number of bytes, with K, M or G for powers of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let refuse = || format!("{text:?} is not a size such as 500K, 16M or 2G");
    let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, ""),
    };
    let factor: u64 = match unit {
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => 1,
    };
    let size = digits
        .parse::<u64>()
        .ok()
        .and_then(|size| size.checked_mul(factor));
    size.filter(|size| *size > 0).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("1"), Ok(1));
        assert_eq!(parse_size("16M"), Ok(16 << 20));
        for bad in ["", "0", "M", "-1", "1T", "1.5G", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_repository_is_written_once_whatever_lies_between_its_tags() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("refs");
        let digest = format!("sha256:{}", "a".repeat(64));
        let to = ["a.b/x:1", "a.b/y:1", "a.b/x:2", "./layout"];
        let to = to.map(|location| location.parse().unwrap());
        let told = Transferred {
            digest: digest.clone(),
            locations: Vec::new(),
            copied: 0,
            existing: 0,
            mounted: 0,
        };
        write_references(&file, &to, &told).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        assert_eq!(written, format!("a.b/x@{digest}\na.b/y@{digest}\n"));
    }
}
