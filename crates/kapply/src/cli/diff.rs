//! `kapply diff`

use super::{
    exit::{self, Exit},
    output,
    showing::Showing,
    signal,
    work::{Planned, Work},
};
use crate::{connect::ConnectOptions, error::Error, plan::Check};

/// Flags of `kapply diff`.
#[derive(Debug, clap::Args)]
pub(super) struct DiffCommand {
    #[command(flatten)]
    work: Work,
    #[command(flatten)]
    showing: Showing,
}

impl DiffCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        match planned(&self.work, &self.showing, connect, false).await? {
            Ok(planned) => Ok(code(&planned)),
            Err(exit) => Ok(exit),
        }
    }
}

/// Plans and shows the plan; the exit code if it did not come to that.
pub(super) async fn planned(
    work: &Work,
    showing: &Showing,
    connect: &ConnectOptions,
    grouped: bool,
) -> Result<Result<Planned, Exit>, Error> {
    let interrupt = signal::install();
    let Some(opened) = work.open(connect, &interrupt).await? else {
        return Ok(Err(Exit::Interrupted));
    };
    if !work.is_permitted(&opened, false).await? {
        return Ok(Err(Exit::Error));
    }
    let Some(planned) = work.plan(opened, Check::Unproved, &interrupt).await? else {
        return Ok(Err(Exit::Interrupted));
    };
    let prepared = &planned.opened.prepared;
    showing.show(&prepared.cluster, &prepared.targets, &planned.plan, grouped)?;
    for problem in &planned.refused.0 {
        output::error(&format!("refused: {problem}"));
    }
    Ok(Ok(planned))
}

/// The exit code of a plan that was shown.
pub(super) fn code(planned: &Planned) -> Exit {
    let refused = if planned.refused.0.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    };
    exit::first([exit::planned(&planned.plan), refused])
}
