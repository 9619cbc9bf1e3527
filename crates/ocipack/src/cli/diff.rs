//! `ocipack diff`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use ocipack::read::Source;
use ocipack::transfer::Location;

use super::transfer::{self, RegistryArgs};
use super::{Format, MISMATCH, printable};

#[derive(Args)]
#[command(after_help = "Examples:
  ocipack diff first.tar second.tar
  ocipack diff layout/ ghcr.io/me/web:1 -o json

Exit: 0 the images are equal, 1 they differ, 2 error.")]
pub(crate) struct DiffArgs {
    /// A layout directory, an archive or a reference
    a: Location,
    /// The image to compare it with
    b: Location,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    #[command(flatten)]
    registry: RegistryArgs,
}

pub(crate) fn run(arguments: &DiffArgs) -> anyhow::Result<ExitCode> {
    let options = || arguments.registry.options();
    let (a, b) = (
        transfer::fetch(&arguments.a, options())?,
        transfer::fetch(&arguments.b, options())?,
    );
    let found = ocipack::diff(&Source::open(&a.path)?, &Source::open(&b.path)?)?;
    let mut stdout = io::stdout();
    match arguments.output {
        Format::Json => {
            let document = serde_json::json!({ "differences": found });
            writeln!(stdout, "{}", serde_json::to_string_pretty(&document)?)?;
        }
        Format::Text => {
            for difference in &found {
                writeln!(stdout, "{}", printable(&difference.to_string()))?;
            }
        }
    }
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(MISMATCH)
    })
}
