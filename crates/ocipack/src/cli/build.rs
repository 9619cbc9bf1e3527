//! `ocipack build`: the configuration file, then the flags over it, then the image.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use ocipack::registry::Options;
use ocipack::transfer::Location;
use ocipack::{
    BaseSpec, Compression, Epoch, EpochError, ExtraFile, ImageSpec, Platform, Reference,
    cargo_annotations,
};

use super::scratch;
use super::transfer::{self, Fetched, RegistryArgs};

/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
const REVISION: &str = "org.opencontainers.image.revision";
const EXAMPLES: &str = "Examples:
  ocipack build --binary linux/amd64=target/server --name web:1 --port 5000 -o web.tar
  ocipack build --binary linux/amd64=a/server --binary linux/arm64=b/server --name ghcr.io/me/web:1 -o layout/
  ocipack build --config image.toml -o web.tar

A configuration file has the flags' names, its paths being relative to it, and flags win over it:
  name = \"web:1\"
  port = [\"5000/tcp\"]
  [binary]
  \"linux/amd64\" = \"target/server\"
  [env]
  KEY = \"value\"
  [[file]]
  source = \"server.conf\"
  dest = \"/etc/server.conf\"
  mode = \"0644\"

SOURCE_DATE_EPOCH sets every time stamp, in seconds; 1970-01-01 if unset.";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BuildArgs {
    /// Take the inputs from a TOML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The static program for a platform; it becomes /bin/<file name> [repeatable]
    #[arg(long, value_name = "PLATFORM=PATH", value_parser = parse_binary)]
    binary: Vec<(Platform, PathBuf)>,
    /// The image's name, such as ghcr.io/me/web:1; it does not change the digest
    #[arg(long, value_name = "REPO:TAG")]
    name: Option<String>,
    /// The command and its fixed arguments, one word each [default: the binary; repeatable]
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    entrypoint: Vec<String>,
    /// Default arguments, one word each [repeatable]
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    cmd: Vec<String>,
    /// An environment variable [repeatable]
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    env: Vec<(String, String)>,
    /// The user in numbers, UID[:GID] [default: 65532:65532]
    #[arg(long)]
    user: Option<String>,
    /// A port that the program listens on [repeatable]
    #[arg(long, value_name = "PORT[/tcp|/udp|/sctp]")]
    port: Vec<String>,
    /// A label of the configuration [repeatable]
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    label: Vec<(String, String)>,
    /// An annotation of the manifest and, with several platforms, of the index too [repeatable]
    #[arg(long, value_name = "K=V", value_parser = parse_pair)]
    annotation: Vec<(String, String)>,
    /// The directory in which the program starts
    #[arg(long, value_name = "DIR")]
    workdir: Option<String>,
    /// The signal that asks the program to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// A further file, with mode 0644 if none is given [repeatable]
    #[arg(long, value_name = "SRC:DEST[:MODE]", value_parser = parse_file)]
    file: Vec<ExtraFile>,
    /// How the layer is compressed: none, gzip[:0-9] or zstd[:1-19] [default: gzip:3]
    #[arg(long, value_name = "FORMAT[:LEVEL]")]
    compression: Option<Compression>,
    /// The image below: a layout, an archive, or REPO@DIGEST in a registry
    #[arg(long, value_name = "IMAGE")]
    base: Option<PathBuf>,
    /// Annotate with the version, source and licences that a Cargo.toml gives
    #[arg(long, value_name = "PATH")]
    cargo_manifest: Option<PathBuf>,
    /// Annotate with the source's revision, such as a commit
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// Take dynamically linked binaries too
    #[arg(long)]
    allow_dynamic: bool,
    /// Where to write: FILE.tar for an archive, anything else for a layout directory
    #[arg(short, long, value_name = "DIR|FILE.tar")]
    output: PathBuf,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(arguments: BuildArgs) -> anyhow::Result<()> {
    scratch::watch();
    let output = arguments.output.clone();
    let options = arguments.registry.options();
    let mut spec = spec(arguments)?;
    // Its layers stay readable when the directory is gone again.
    let fetch = |base| fetch_base(base, options);
    let _fetched = spec.base.as_mut().map(fetch).transpose()?;
    let built = spec.build_in(folder_of_layers(&output))?;
    if output
        .extension()
        .is_some_and(|extension| extension == "tar")
    {
        built.write_archive(&output)?;
    } else {
        built.write_layout(&output)?;
    }
    let platforms: Vec<String> = spec.binary.keys().map(ToString::to_string).collect();
    let name = built
        .name()
        .map_or_else(|| "no name".to_owned(), ToString::to_string);
    let _ = writeln!(
        io::stderr(),
        "ocipack: wrote {} ({name}, {}, {} bytes in blobs)",
        output.display(),
        platforms.join(", "),
        built.size()
    );
    writeln!(io::stdout(), "{}", built.digest())?;
    Ok(())
}

/// The name of a base image that is in a registry.
fn registry_name(base: &BaseSpec) -> Option<Reference> {
    base.path.to_str()?.parse().ok()
}

/// Brings a base image from its registry.
fn fetch_base(base: &mut BaseSpec, options: Options) -> anyhow::Result<Option<Fetched>> {
    let Some(reference) = registry_name(base) else {
        return Ok(None);
    };
    if reference.digest().is_none() {
        bail!(
            "base image {reference} can change under its tag; give its digest, as in {}@$(ocipack digest {reference})",
            format_args!("{}/{}", reference.registry(), reference.repository())
        );
    }
    let name = reference.to_string();
    let fetched = transfer::fetch(&Location::Remote(reference), options)?;
    base.path.clone_from(&fetched.path);
    base.name = Some(name);
    Ok(Some(fetched))
}

/// Where the layers lie until they are written: on the disk that the image goes to.
fn folder_of_layers(output: &Path) -> &Path {
    let mut place = output.ancestors().skip(1);
    place
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."))
}

fn spec(arguments: BuildArgs) -> anyhow::Result<ImageSpec> {
    let mut spec = arguments
        .config
        .as_deref()
        .map(read_config)
        .transpose()?
        .unwrap_or_default();
    let mut given = Vec::new();
    for (platform, path) in arguments.binary {
        if given.contains(&platform) {
            bail!("--binary {platform} is given twice; give each platform once");
        }
        spec.binary.insert(platform.clone(), path);
        given.push(platform);
    }
    spec.name = arguments.name.or(spec.name);
    if !arguments.entrypoint.is_empty() {
        spec.entrypoint = Some(arguments.entrypoint);
    }
    if !arguments.cmd.is_empty() {
        spec.cmd = arguments.cmd;
    }
    spec.env.extend(arguments.env);
    spec.user = arguments.user.or(spec.user);
    spec.port.extend(arguments.port);
    spec.label.extend(arguments.label);
    if let Some(manifest) = &arguments.cargo_manifest {
        for (key, value) in cargo_annotations(manifest)? {
            // What the file or a flag says outright counts more.
            spec.annotation.entry(key).or_insert(value);
        }
    }
    if let Some(revision) = arguments.revision {
        spec.annotation.insert(REVISION.to_owned(), revision);
    }
    spec.annotation.extend(arguments.annotation);
    spec.base = arguments.base.map(BaseSpec::from).or(spec.base);
    spec.compression = arguments.compression.unwrap_or(spec.compression);
    spec.workdir = arguments.workdir.or(spec.workdir);
    spec.stop_signal = arguments.stop_signal.or(spec.stop_signal);
    spec.file.extend(arguments.file);
    spec.allow_dynamic |= arguments.allow_dynamic;
    spec.epoch = epoch()?;
    Ok(spec)
}

/// The time that the caller gives for every time stamp.
pub(crate) fn epoch() -> Result<Epoch, EpochError> {
    match std::env::var_os("SOURCE_DATE_EPOCH") {
        Some(epoch) => epoch.to_string_lossy().parse(),
        None => Ok(Epoch::default()),
    }
}

/// Reads a configuration file; its relative paths start at its own directory.
fn read_config(path: &Path) -> anyhow::Result<ImageSpec> {
    let text = fs::read_to_string(path)
        .map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    let mut spec: ImageSpec = toml::from_str(&text).map_err(|error| {
        let number = error
            .span()
            .map_or(0, |span| text[..span.start].matches('\n').count());
        // The line says which key it is about.
        let line = text.lines().nth(number).unwrap_or_default().trim();
        anyhow!(
            "{}:{}: {line}: {}; see ocipack build --help",
            path.display(),
            number + 1,
            error.message().replace('\n', ", ")
        )
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    if let Some(base) = &mut spec.base
        && registry_name(base).is_none()
    {
        base.path = directory.join(&base.path);
    }
    for binary in spec.binary.values_mut() {
        *binary = directory.join(&binary);
    }
    for file in &mut spec.file {
        file.source = directory.join(&file.source);
    }
    Ok(spec)
}

fn parse_binary(text: &str) -> Result<(Platform, PathBuf), String> {
    let (platform, path) = text
        .split_once('=')
        .ok_or("expected PLATFORM=PATH, as in linux/amd64=target/server")?;
    Ok((
        platform.parse().map_err(|error| format!("{error}"))?,
        path.into(),
    ))
}

pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Splits from the right, because a path on this machine may have colons.
fn parse_file(text: &str) -> Result<ExtraFile, String> {
    let (rest, last) = text.rsplit_once(':').ok_or("expected SRC:DEST[:MODE]")?;
    let (source, dest, mode) = match rest.rsplit_once(':') {
        // An image path is absolute, a mode is not.
        Some((source, dest)) if !last.starts_with('/') => (source, dest, last.parse()?),
        _ => (rest, last, ocipack::FileMode::default()),
    };
    Ok(ExtraFile {
        source: source.into(),
        dest: dest.to_owned(),
        mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_from_the_right() {
        for (text, source, dest, mode) in [
            ("a:/b", "a", "/b", "0644"),
            ("a:/b:0600", "a", "/b", "0600"),
            ("a:b:/c", "a:b", "/c", "0644"),
            ("a:b:/c:755", "a:b", "/c", "755"),
        ] {
            let file = parse_file(text).unwrap();
            assert_eq!(
                (file.source.as_path(), file.dest.as_str()),
                (Path::new(source), dest)
            );
            assert_eq!(file.mode, mode.parse().unwrap());
        }
        assert!(parse_file("a").is_err());
        assert!(parse_file("a:/b:rw").is_err());
    }
}
