//! `kapply diff`

use super::{
    exit::{self, Exit},
    input::Input,
    output,
    planning::Planning,
    showing::Showing,
    signal,
};
use crate::{
    connect::{Cluster, ConnectOptions},
    error::Error,
    interrupt::Interrupt,
    plan::{Check, Plan, PlanOptions, plan},
    resolve::Target,
    schema::Schemas,
};

/// Flags of `kapply diff`.
#[derive(Debug, clap::Args)]
pub(super) struct DiffCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    showing: Showing,
}

/// A plan and what it was made from.
pub(super) struct Planned {
    pub(super) cluster: Cluster,
    pub(super) targets: Vec<Target>,
    pub(super) options: PlanOptions,
    pub(super) plan: Plan,
}

impl DiffCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let Some(planned) = make_plan(&self.input, &self.planning, connect, &interrupt).await?
        else {
            return Ok(Exit::Interrupted);
        };
        self.showing
            .show(&planned.cluster, &planned.targets, &planned.plan, false)?;
        Ok(exit::planned(&planned.plan))
    }
}

/// Plans; `None` if that was interrupted.
pub(super) async fn make_plan(
    input: &Input,
    planning: &Planning,
    connect: &ConnectOptions,
    interrupt: &Interrupt,
) -> Result<Option<Planned>, Error> {
    let work = async {
        let (cluster, targets) = input.targets(connect).await?;
        let options = planning.options(Check::Unproved);
        let schemas = Schemas::default();
        let plan = plan(&cluster, &targets, &schemas, &options, interrupt).await;
        Ok(Planned {
            cluster,
            targets,
            options,
            plan,
        })
    };
    match signal::or_interrupted(interrupt, work).await {
        Some(planned) if !interrupt.is_set() => planned.map(Some),
        _ => {
            output::error("interrupted; nothing was changed");
            Ok(None)
        }
    }
}
