//! `kapply plan`

use std::path::PathBuf;

use super::{
    diff::{self, Planned},
    exit::{self, Exit},
    input::Input,
    output,
    planning::Planning,
    showing::Showing,
    signal,
};
use crate::{
    connect::ConnectOptions,
    error::Error,
    plan::file::{self, ClusterId, PlanFile},
};

/// Flags of `kapply plan`.
#[derive(Debug, clap::Args)]
pub(super) struct PlanCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    showing: Showing,
    /// Write the plan into this file, for kapply apply --plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PlanCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let Some(planned) =
            diff::make_plan(&self.input, &self.planning, connect, &interrupt).await?
        else {
            return Ok(Exit::Interrupted);
        };
        self.showing
            .show(&planned.cluster, &planned.targets, &planned.plan, true)?;
        let exit = exit::planned(&planned.plan);
        if let Some(path) = &self.out {
            if matches!(exit, Exit::Done | Exit::Different) {
                write(path, &planned).await?;
            } else {
                output::error(&format!(
                    "{} was not written: a plan that cannot be carried out is none",
                    path.display()
                ));
            }
        }
        Ok(exit)
    }
}

async fn write(path: &std::path::Path, planned: &Planned) -> Result<(), Error> {
    let cluster = ClusterId::of(&planned.cluster).await;
    let file = PlanFile::of(&file::Planned {
        cluster: &cluster,
        options: &planned.options,
        applyset: None,
        targets: &planned.targets,
        plan: &planned.plan,
        mask: &planned.cluster.mask,
    })?;
    file.write(path)?;
    output::line(&format!("the plan is in {}", path.display()));
    Ok(())
}
