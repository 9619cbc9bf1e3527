//! `ocipack unpack`.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use ocipack::read::Source;
use ocipack::transfer::Location;
use ocipack::{Platform, UnpackOptions};

use super::transfer::{self, RegistryArgs, parse_size};
use super::{Format, scratch};

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack unpack web.tar rootfs/
  ocipack unpack docker.io/library/debian:13-slim rootfs/ --platform linux/amd64 --relative-links

Files belong to whoever unpacks, without set-user-ID and the like. An image with a path, link or
device that would reach outside of the directory is refused, and nothing of it is left.")]
pub(crate) struct UnpackArgs {
    /// A layout directory, an archive or a reference
    image: Location,
    /// The directory; it must not be there yet, or be empty
    directory: PathBuf,
    /// Of an image index the image for this platform
    #[arg(long)]
    platform: Option<Platform>,
    /// The most bytes that all files may have
    #[arg(long, value_name = "SIZE", default_value = "16G", value_parser = parse_size)]
    max_size: u64,
    /// Make absolute symbolic links relative instead of refusing them
    #[arg(long)]
    relative_links: bool,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(arguments: &UnpackArgs) -> anyhow::Result<()> {
    scratch::watch();
    let fetched = transfer::fetch(&arguments.image, arguments.registry.options())?;
    let options = UnpackOptions {
        platform: arguments.platform.clone(),
        max_size: arguments.max_size,
        relative_links: arguments.relative_links,
    };
    let done = Source::open(&fetched.path)?.unpack(&arguments.directory, &options)?;
    let mut stdout = io::stdout();
    match arguments.output {
        Format::Json => writeln!(stdout, "{}", serde_json::to_string_pretty(&done)?)?,
        Format::Text => writeln!(
            stdout,
            "{}: {} entries, {} bytes",
            arguments.directory.display(),
            done.entries,
            done.bytes
        )?,
    }
    Ok(())
}
