//! `ocipack sbom` and `ocipack provenance`: documents about an image, on stdout.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ocipack::read::Source;
use ocipack::registry::Registry;
use ocipack::transfer::Location;
use ocipack::{Platform, Provenance, ResolvedDependency, SbomOptions};

use super::build::parse_pair;
use super::transfer::{self, RegistryArgs};

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack sbom web.tar > sbom.json
  ocipack sbom web.tar --cargo-lock Cargo.lock --cargo-metadata metadata.json > sbom.json
  cargo metadata --format-version 1 --locked > metadata.json

Crates, versions and who needs whom are read from the programs, which have to be built with
cargo auditable. Licences and checksums are Cargo's word; each component says where its parts are
from, in properties that start with ocipack:.")]
pub(crate) struct SbomArgs {
    /// A layout directory, an archive or a reference
    image: Location,
    /// Of an image index only the image for this platform
    #[arg(long)]
    platform: Option<Platform>,
    /// The Cargo.lock that the programs were built with, for checksums
    #[arg(long, value_name = "FILE")]
    cargo_lock: Option<PathBuf>,
    /// What cargo metadata printed, for licences
    #[arg(long, value_name = "FILE")]
    cargo_metadata: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack provenance web.tar --builder https://ci.example/1 \\
      --dependency git+https://git.example/web@refs/heads/main=gitCommit:4f1c… > provenance.json
  ocipack sign ghcr.io/me/web:1 --key cosign.key --statement provenance.json

The commit belongs here and not into the image, whose digest would change with every commit.")]
pub(crate) struct ProvenanceArgs {
    /// A layout directory, an archive or a reference
    image: Location,
    /// Who built it, as a URI
    #[arg(long, value_name = "URI")]
    builder: String,
    /// How it was built, as a URI that says what the parameters mean
    #[arg(long, value_name = "URI", default_value = "urn:ocipack:build:1")]
    build_type: String,
    /// What the build was asked for [repeatable]
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    parameter: Vec<(String, String)>,
    /// What went in, such as the source: its URI and its digest [repeatable]
    #[arg(long, value_name = "URI=ALGORITHM:DIGEST", value_parser = parse_dependency)]
    dependency: Vec<ResolvedDependency>,
    /// The run of the builder, as it names it
    #[arg(long, value_name = "ID")]
    invocation: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn sbom(arguments: &SbomArgs) -> anyhow::Result<()> {
    let fetched = transfer::fetch(&arguments.image, arguments.registry.options())?;
    let options = SbomOptions {
        platform: arguments.platform.as_ref(),
        cargo_lock: arguments.cargo_lock.as_deref(),
        cargo_metadata: arguments.cargo_metadata.as_deref(),
    };
    let document = Source::open(&fetched.path)?.sbom(&options)?;
    writeln!(io::stdout(), "{document}")?;
    Ok(())
}

pub(crate) fn provenance(arguments: ProvenanceArgs) -> anyhow::Result<()> {
    let (name, digest) = match &arguments.image {
        Location::Local(path) => {
            let source = Source::open(path)?;
            (source.name()?.map(str::to_owned), source.digest()?.clone())
        }
        Location::Remote(reference) => {
            let registry = Registry::new(arguments.registry.options())?;
            let (root, _) = transfer::wait(registry.manifest(reference))??;
            let name = format!("{}/{}", reference.registry(), reference.repository());
            (Some(name), root.digest().clone())
        }
    };
    let provenance = Provenance {
        builder: arguments.builder,
        build_type: arguments.build_type,
        parameters: arguments.parameter.into_iter().collect(),
        dependencies: arguments.dependency,
        invocation: arguments.invocation,
    };
    let statement = provenance.statement(name.as_deref(), &digest)?;
    writeln!(
        io::stdout(),
        "{}",
        serde_json::to_string_pretty(&statement)?
    )?;
    Ok(())
}

/// From the right: a URI may have `=` in it.
fn parse_dependency(text: &str) -> Result<ResolvedDependency, String> {
    let expected =
        "expected URI=ALGORITHM:DIGEST, as in git+https://git.example/web=gitCommit:4f1c…";
    let (uri, digest) = text.rsplit_once('=').ok_or(expected)?;
    let (algorithm, digest) = digest.split_once(':').ok_or(expected)?;
    Ok(ResolvedDependency {
        uri: uri.to_owned(),
        algorithm: algorithm.to_owned(),
        digest: digest.to_owned(),
    })
}
