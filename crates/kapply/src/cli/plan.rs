//! `kapply plan`

use std::path::{Path, PathBuf};

use super::{
    diff,
    exit::Exit,
    output,
    showing::Showing,
    work::{Planned, Work},
};
use crate::{
    connect::ConnectOptions,
    error::Error,
    plan::file::{self, ClusterId, Moved, PlanFile},
};

/// Flags of `kapply plan`.
#[derive(Debug, clap::Args)]
pub(super) struct PlanCommand {
    #[command(flatten)]
    work: Work,
    #[command(flatten)]
    showing: Showing,
    /// Write the plan into this file, for kapply apply --plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PlanCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let planned = match diff::planned(&self.work, &self.showing, connect, true).await? {
            Ok(planned) => planned,
            Err(exit) => return Ok(exit),
        };
        let exit = diff::code(&planned);
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

async fn write(path: &Path, planned: &Planned) -> Result<(), Error> {
    let cluster = ClusterId::of(&planned.opened.prepared.cluster).await;
    PlanFile::of(&contents(planned, &cluster, set(planned).as_deref()))?.write(path)?;
    output::line(&format!("the plan is in {}", path.display()));
    Ok(())
}

/// What is not as it was when the stored plan was made.
pub(super) async fn moved(stored: &PlanFile, planned: &Planned) -> Result<Vec<Moved>, Error> {
    let cluster = ClusterId::of(&planned.opened.prepared.cluster).await;
    let set = set(planned);
    let fresh = contents(planned, &cluster, set.as_deref());
    Ok(file::compare(stored, &fresh)?)
}

fn set(planned: &Planned) -> Option<String> {
    let set = planned.opened.set.as_ref()?;
    Some(set.parent().to_string())
}

fn contents<'run>(
    planned: &'run Planned,
    cluster: &'run ClusterId,
    applyset: Option<&'run str>,
) -> file::Planned<'run> {
    let prepared = &planned.opened.prepared;
    file::Planned {
        cluster,
        options: &planned.options,
        applyset,
        targets: &prepared.targets,
        plan: &planned.plan,
        mask: &prepared.cluster.mask,
    }
}
