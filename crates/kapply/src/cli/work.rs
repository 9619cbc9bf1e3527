//! The flags that `apply`, `plan` and `diff` share, and the way from them to a
//! plan: what is shown and what is done come about in the same way.

use super::{
    input::Input, input::Prepared, output, planning::Planning, preflight, set_flags::SetFlags,
    signal,
};
use crate::{
    connect::ConnectOptions,
    error::Error,
    interrupt::Interrupt,
    plan::{Check, Plan, PlanOptions, is_named, plan},
    preflight::Needs,
    problem::Problems,
    schema,
    set::{ApplySet, Reach},
    wait::is_waited_for,
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
    /// Ask first whether every permission that an apply needs is there; if not, name those that are missing
    #[arg(long)]
    preflight: bool,
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
            self.planning.check(&prepared.targets)?;
            Input::warn(&prepared.targets);
            let set = self.set.open(connect, &mut prepared).await?;
            Ok(Opened { prepared, set })
        };
        finished(interrupt, work).await
    }

    /// Whether the account may do all of it, as far as that was to be asked;
    /// says which permissions are missing.
    pub(super) async fn is_permitted(&self, opened: &Opened, waits: bool) -> Result<bool, Error> {
        if !self.preflight {
            return Ok(true);
        }
        let Prepared {
            cluster,
            catalog,
            targets,
        } = &opened.prepared;
        let mut needs = Needs::default();
        needs.apply(targets);
        if let Some(set) = &opened.set {
            needs.parent(set.parent());
            if self.set.prune {
                needs.prune(&set.reach().union(&Reach::of(targets)), catalog);
            }
        }
        let anew = self.planning.options(Check::Updates).recreate;
        let anew = (targets.iter()).filter(|target| is_named(&target.object, &anew));
        needs.delete(&anew.cloned().collect::<Vec<_>>());
        if waits {
            let waiting = targets.iter().filter(|target| is_waited_for(target));
            needs.wait(&waiting.cloned().collect::<Vec<_>>());
        }
        preflight::is_permitted(cluster, &needs).await
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
