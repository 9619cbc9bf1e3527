//! `ocipack sign` and `ocipack generate-key-pair`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use ocipack::registry::Registry;
use ocipack::transfer::Form;
use ocipack::{Reference, SigningKey};

use super::transfer::{self, RegistryArgs};
use super::{Format, Output};

/// As cosign names it.
const PASSWORD: &str = "COSIGN_PASSWORD";
/// Bytes of a password that comes from a pipe.
const MAX_PASSWORD: u64 = 4096;

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack sign ghcr.io/me/web@sha256:… --key cosign.key
  ocipack sign ghcr.io/me/web:1 --key cosign.key --statement provenance.json
  ocipack sign ghcr.io/me/web:1 --key cosign.key --legacy

The key's password is in COSIGN_PASSWORD, or is asked for. The signature is a Sigstore bundle that
refers to the image; no transparency log is told. `cosign verify --key cosign.pub
--insecure-ignore-tlog` and `ocipack verify --key cosign.pub` check it. What the key signed already
is not signed again.")]
pub(crate) struct SignArgs {
    /// The image: [REGISTRY/]REPOSITORY:TAG or @DIGEST
    #[arg(value_name = "REF")]
    image: Reference,
    /// The private key, as cosign generate-key-pair makes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Sign this in-toto statement about the image, such as its provenance
    #[arg(long, value_name = "FILE", conflicts_with = "legacy")]
    statement: Option<PathBuf>,
    /// Write the signature under the tag sha256-….sig, for versions of cosign before 3
    #[arg(long)]
    legacy: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    registry: RegistryArgs,
}

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack generate-key-pair
  COSIGN_PASSWORD=… ocipack generate-key-pair release

The private key is encrypted with the password in COSIGN_PASSWORD, or with one that a terminal is
asked for twice.
Files that are there already are kept.")]
pub(crate) struct KeyArgs {
    /// Where: PREFIX.key and PREFIX.pub
    #[arg(default_value = "cosign")]
    prefix: String,
}

pub(crate) fn run(arguments: &SignArgs) -> anyhow::Result<()> {
    let key = read_key(&arguments.key)?;
    let statement = arguments.statement.as_ref().map(|path| {
        fs::read(path).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))
    });
    let statement = statement.transpose()?;
    let form = if arguments.legacy {
        Form::Tag
    } else {
        Form::Bundle
    };
    let registry = Registry::new(arguments.registry.options())?;
    let signed = registry.sign(&arguments.image, &key, statement.as_deref(), form);
    let signed = transfer::wait(signed)??;
    let mut stdout = io::stdout();
    match arguments.output.output {
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&signed)?)?,
        Format::Text => writeln!(stdout, "{}", signed.digest)?,
    }
    Ok(())
}

pub(crate) fn generate(arguments: &KeyArgs) -> anyhow::Result<()> {
    let private = PathBuf::from(format!("{}.key", arguments.prefix));
    let public = PathBuf::from(format!("{}.pub", arguments.prefix));
    for path in [&private, &public] {
        if fs::symlink_metadata(path).is_ok() {
            bail!("{} is there already; give another prefix", path.display());
        }
    }
    let password = new_password()?;
    let (key, owner) = SigningKey::generate(password.as_bytes())?;
    create(&private, 0o600, &key)?;
    create(&public, 0o644, &owner.to_pem())?;
    writeln!(io::stdout(), "{}\n{}", private.display(), public.display())?;
    Ok(())
}

fn create(path: &Path, mode: u32, content: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let file: io::Result<File> = options.write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    let password = if text.contains("ENCRYPTED") {
        password(&format!("Password of {}: ", path.display()))?
    } else {
        String::new()
    };
    SigningKey::from_pem(&text, password.as_bytes())
        .map_err(|error| anyhow!("cannot use {}: {error}", path.display()))
}

fn password(prompt: &str) -> anyhow::Result<String> {
    given()?.map_or_else(|| ask(prompt), Ok)
}

/// A password that is typed unseen is typed twice: with a slip in it nobody could open the key.
fn new_password() -> anyhow::Result<String> {
    if let Some(password) = given()? {
        return Ok(password);
    }
    let password = ask("Password for the new key: ")?;
    if ask("The same password again: ")? != password {
        bail!("the two passwords differ; no key was made");
    }
    Ok(password)
}

/// From the environment or a pipe; never from an argument, which others can see. Of a terminal
/// it is asked.
fn given() -> anyhow::Result<Option<String>> {
    if let Some(password) = std::env::var_os(PASSWORD) {
        let text = password.into_string();
        return text
            .map(Some)
            .map_err(|_| anyhow!("{PASSWORD} is not UTF-8"));
    }
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut text = String::new();
    let read = io::stdin().take(MAX_PASSWORD).read_to_string(&mut text);
    read.with_context(|| format!("cannot read a password; set {PASSWORD}"))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn ask(prompt: &str) -> anyhow::Result<String> {
    let terminal = console::Term::stderr();
    // The library would take an empty password.
    if !terminal.is_term() {
        bail!("cannot ask for a password: stderr is no terminal; set {PASSWORD}");
    }
    terminal.write_str(prompt)?;
    terminal
        .read_secure_line()
        .context("cannot read a password")
}
