//! `ocipack inspect`: an image on a screen, or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use ocipack::read::{ImageSummary, Source, Summary};
use ocipack::registry::Registry;
use ocipack::transfer::Location;

use super::{Anywhere, Format, printable, transfer};

pub(crate) fn run(input: &Anywhere, format: Format) -> anyhow::Result<ExitCode> {
    let summary = match &input.image {
        Location::Local(path) => Source::open(path)?.inspect()?,
        Location::Remote(reference) => {
            let registry = Registry::new(input.registry.options())?;
            transfer::wait(registry.inspect(reference))??
        }
    };
    match format {
        Format::Json => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&summary)?)?,
        Format::Text => {
            for line in text(&summary)?.lines() {
                writeln!(io::stdout(), "{}", printable(line))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text(summary: &Summary) -> anyhow::Result<String> {
    let mut out = String::new();
    writeln!(
        out,
        "name      {}",
        summary.name.as_deref().unwrap_or("(none)")
    )?;
    writeln!(out, "digest    {}", summary.digest)?;
    for (key, value) in &summary.annotations {
        writeln!(out, "annotation {key}={value}")?;
    }
    for image in &summary.images {
        image_text(&mut out, image)?;
    }
    Ok(out)
}

fn image_text(out: &mut String, image: &ImageSummary) -> anyhow::Result<()> {
    writeln!(out, "platform  {}", image.platform)?;
    writeln!(out, "  manifest  {}", image.digest)?;
    if let Some(created) = &image.created {
        writeln!(out, "  created   {created}")?;
    }
    if let Some(config) = &image.config {
        writeln!(out, "  config    {}", serde_json::to_string(config)?)?;
    }
    for (key, value) in &image.annotations {
        writeln!(out, "  annotation {key}={value}")?;
    }
    for layer in &image.layers {
        writeln!(out, "  layer     {}", layer.digest)?;
        let uncompressed = layer.uncompressed_size;
        let uncompressed =
            uncompressed.map_or_else(String::new, |size| format!(" {size} uncompressed,"));
        writeln!(
            out,
            "    {} bytes,{uncompressed} {}",
            layer.size, layer.media_type
        )?;
        for entry in layer.entries.iter().flatten() {
            let target = entry
                .target
                .as_ref()
                .map(|target| format!(" -> {target}"))
                .unwrap_or_default();
            writeln!(
                out,
                "    {} {:>10} {}{target}",
                entry.mode, entry.size, entry.path
            )?;
        }
        if layer.entries_omitted > 0 {
            writeln!(out, "    and {} more entries", layer.entries_omitted)?;
        }
    }
    Ok(())
}
