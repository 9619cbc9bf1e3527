//! The flags that say how a plan is shown, the same for `plan` and `diff`, and
//! the way from them to what is printed.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use clap::ColorChoice;

use super::{Results, output};
use crate::{
    connect::Cluster,
    error::Error,
    plan::Plan,
    report::{
        plan::{View, html, json, text},
        save::save,
        style::Style,
    },
    resolve::Target,
};

/// How to show a plan.
#[derive(Debug, clap::Args)]
pub(super) struct Showing {
    /// How to print the plan
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
    /// Lines of context around each change
    #[arg(short = 'U', long, value_name = "LINES", default_value = "3")]
    unified: usize,
    /// When to use colours; auto also obeys `NO_COLOR`
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    /// Write the plan into this file, too, as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Showing {
    /// Prints the plan, and writes the page.
    pub(super) fn show(
        &self,
        cluster: &Cluster,
        targets: &[Target],
        plan: &Plan,
        grouped: bool,
    ) -> Result<(), Error> {
        let view = View::of(targets, plan, &cluster.mask);
        match self.output {
            Results::Json => output::answer(&format!("{:#}", json::document(&view))),
            Results::Text => {
                let layout = text::Layout {
                    unified: self.unified,
                    style: self.style(),
                    grouped,
                };
                output::text(&text::plan(&view, layout));
            }
        }
        let Some(path) = &self.html else {
            return Ok(());
        };
        let head = html::Head {
            cluster: &cluster.url,
            time: jiff::Timestamp::now(),
            unified: self.unified,
        };
        save(path, &html::page(&view, head), 0o644).map_err(|cause| Error::Report {
            path: path.clone(),
            cause,
        })
    }

    fn style(&self) -> Style {
        let colour = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Style { colour }
    }
}
