//! The flags that `apply`, `plan` and `diff` share, and the way from them to a
//! plan: what is shown and what is done come about in the same way.

use super::{
    input::Input, input::Prepared, output, planning::Planning, set_flags::SetFlags, signal,
};
use crate::{
    connect::ConnectOptions,
    error::Error,
    interrupt::Interrupt,
    plan::{Check, Plan, PlanOptions, plan},
    problem::Problems,
    schema,
    set::ApplySet,
};

/// What to work on, and how to plan it.
#[derive(Debug, clap::Args)]
pub(super) struct Work {
    #[command(flatten)]
    pub(super) input: Input,
    #[command(flatten)]
    pub(super) planning: Planning,
    #[command(flatten)]
    pub(super) set: SetFlags,
}

/// What the manifests are, on which cluster, and in which set.
pub(super) struct Opened {
    pub(super) prepared: Prepared,
    pub(super) set: Option<ApplySet>,
}

/// A plan and what it was made from.
pub(super) struct Planned {
    pub(super) opened: Opened,
    pub(super) options: PlanOptions,
    pub(super) plan: Plan,
    /// What a guard refuses.
    pub(super) refused: Problems,
}

impl Work {
    /// Reads the input, opens the set and labels its targets; `None` if that was interrupted.
    pub(super) async fn open(
        &self,
        connect: &ConnectOptions,
        interrupt: &Interrupt,
    ) -> Result<Option<Opened>, Error> {
        let work = async {
            let may_be_empty = self.set.may_be_empty();
            let mut prepared = self.input.prepared(connect, may_be_empty).await?;
            Input::warn(&prepared.targets);
            let set = self.set.open(connect, &mut prepared).await?;
            Ok(Opened { prepared, set })
        };
        finished(interrupt, work).await
    }

    /// Plans, prunes included; `None` if that was interrupted.
    pub(super) async fn plan(
        &self,
        opened: Opened,
        check: Check,
        interrupt: &Interrupt,
    ) -> Result<Option<Planned>, Error> {
        let work = async {
            let Prepared {
                cluster, targets, ..
            } = &opened.prepared;
            let schemas = schema::of_targets(cluster, targets).await;
            let options = self.planning.options(check);
            let mut plan = plan(cluster, targets, &schemas, &options, interrupt).await;
            let (set, prepared) = (opened.set.as_ref(), &opened.prepared);
            let refused = self.set.judge(set, prepared, &mut plan).await?;
            Ok(Planned {
                opened,
                options,
                plan,
                refused,
            })
        };
        finished(interrupt, work).await
    }
}

/// What work that changes nothing came to; `None` if it was interrupted.
async fn finished<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Option<T>, Error> {
    match signal::or_interrupted(interrupt, work).await {
        Some(result) if !interrupt.is_set() => result.map(Some),
        _ => {
            output::error("interrupted; nothing was changed");
            Ok(None)
        }
    }
}
