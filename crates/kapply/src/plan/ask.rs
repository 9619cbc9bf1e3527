//! What the server says about one object in a dry run.

use super::{
    Action, Blocked, Checked, Live, Proof, Step, immutable, merge::merge, planner::Planner,
    takeover::Takeover,
};
use crate::{
    connect::Retry,
    live,
    resolve::{Definition, Target},
    ssa::{self, Answer, FieldConflict, Refusal, Terms},
};

const TAKES_OVER: &str = "takes over what kubectl applied client-side: of those fields, the ones that are not in the manifest any more go";

/// Dry-runs the object and compares the result with what is live.
pub(super) async fn ask(planner: &Planner<'_>, index: usize, live: Option<Live>) -> Step {
    let target = &planner.targets[index];
    match dry_run(planner, target, live.as_ref(), false).await {
        Ok(answer) => judge(planner, target, live, answer, Vec::new()).await,
        Err(refusal) => refused(planner, target, live, refusal).await,
    }
}

async fn dry_run(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<&Live>,
    force: bool,
) -> Result<Answer, Refusal> {
    let terms = Terms {
        field_manager: &planner.options.field_manager,
        dry_run: true,
        force,
        only_if: None,
        retry: Retry::Transient,
    };
    ssa::send(planner.cluster, target, live, terms).await
}

async fn judge(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    answer: Answer,
    overridden: Vec<FieldConflict>,
) -> Step {
    let warnings = answer.warnings;
    let mut after = answer.object;
    if answer.created {
        let checked = Checked::Server;
        return Step {
            warnings,
            ..Step::of(Action::Create { after, checked })
        };
    }
    // Somebody created it since it was looked for.
    let live = match live {
        Some(live) => live,
        None => match live::get(planner.cluster, target).await {
            Ok(Some(live)) => live,
            _ => {
                return Step::of(Action::Blocked(Blocked::Failed(
                    "it came and went while it was looked at; run again".to_owned(),
                )));
            }
        },
    };
    let manager = &planner.options.field_manager;
    let takeover = takeover(planner, target, &live);
    if let Some(takeover) = &takeover {
        after = takeover.outcome(planner, target, &live, after).await;
    }
    let notes = takeover.as_ref().map(|_| TAKES_OVER.to_owned());
    let action = if takeover.is_some() || ssa::differ(&live.value, &after, manager) {
        Action::Update { after, overridden }
    } else {
        Action::Unchanged(Proof::Server)
    };
    let live = matches!(action, Action::Update { .. }).then_some(live);
    Step {
        action,
        live,
        notes: notes.into_iter().collect(),
        warnings,
    }
}

async fn refused(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    refusal: Refusal,
) -> Step {
    match refusal {
        Refusal::Conflict(conflicts) => conflict(planner, target, live, conflicts).await,
        Refusal::NoNamespace => match planner.new_namespace(target) {
            Some(name) => planner.unasked(
                target,
                Some(format!("namespace {name} is created by this input")),
            ),
            None => Step::of(Action::Blocked(blocked(&refusal, target))),
        },
        Refusal::NoDryRun(reason) => unchecked(planner, target, live, &reason),
        // The definition that the cluster has may be about to change.
        Refusal::Invalid(_) | Refusal::Failed(_) if target.definition != Definition::Cluster => {
            let note = format!("{} is defined anew by this input", target.object.kind());
            unchecked(planner, target, live, &note)
        }
        Refusal::Invalid(reason) => invalid(planner, target, live, reason, Vec::new()).await,
        refusal => Step {
            live,
            ..Step::of(Action::Blocked(blocked(&refusal, target)))
        },
    }
}

/// What is invalid beside fields that a takeover removes may be valid without them;
/// what is invalid as an update may be valid anew.
async fn invalid(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    reason: String,
    overridden: Vec<FieldConflict>,
) -> Step {
    let Some(before) = live else {
        return Step::of(Action::Blocked(Blocked::Invalid(reason)));
    };
    let Some(takeover) = takeover(planner, target, &before) else {
        return immutable::judge(planner, target, Some(before), reason).await;
    };
    match takeover.outcome_alone(planner, target, &before).await {
        Ok(after) => Step {
            live: Some(before),
            notes: vec![TAKES_OVER.to_owned()],
            ..Step::of(Action::Update { after, overridden })
        },
        Err(reason) => immutable::judge(planner, target, Some(before), reason).await,
    }
}

/// Takes the fields over if that was asked for; otherwise the conflicts block.
async fn conflict(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    conflicts: Vec<FieldConflict>,
) -> Step {
    let takeover = live
        .as_ref()
        .and_then(|live| takeover(planner, target, live));
    // What is taken over anyway is no conflict by the time of the apply.
    let conflicts: Vec<_> = conflicts
        .into_iter()
        .filter(|conflict| {
            !takeover
                .as_ref()
                .is_some_and(|takeover| takeover.includes(&conflict.manager))
        })
        .collect();
    let managers = conflicts.iter().map(|conflict| conflict.manager.as_str());
    if !conflicts.is_empty() && !planner.options.force.covers(managers) {
        return Step {
            live,
            ..Step::of(Action::Blocked(Blocked::Conflict(conflicts)))
        };
    }
    match dry_run(planner, target, live.as_ref(), true).await {
        Ok(answer) => judge(planner, target, live, answer, conflicts).await,
        // Force leaves no conflict, so this does not come back here.
        Err(Refusal::Invalid(reason)) => invalid(planner, target, live, reason, conflicts).await,
        Err(refusal) => Step {
            live,
            ..Step::of(Action::Blocked(blocked(&refusal, target)))
        },
    }
}

fn takeover(planner: &Planner<'_>, target: &Target, live: &Live) -> Option<Takeover> {
    let object = &target.object;
    let schema = planner.schemas.get(&object.gvk());
    let manager = &planner.options.field_manager;
    Takeover::of(&live.value, &object.value, schema, manager)
}

/// A create or update whose result nobody can tell beforehand.
pub(super) fn unchecked(
    planner: &Planner<'_>,
    target: &Target,
    live: Option<Live>,
    reason: &str,
) -> Step {
    let note = format!("not checked: {reason}");
    let Some(live) = live else {
        return planner.unasked(target, Some(note));
    };
    let mut after = live.value.clone();
    let schema = planner.schemas.get(&target.object.gvk());
    merge(&mut after, &target.object.value, schema);
    Step {
        live: Some(live),
        notes: vec![note],
        ..Step::of(Action::Update {
            after,
            overridden: Vec::new(),
        })
    }
}

/// A refusal as the reason of a blocked step.
pub(super) fn blocked(refusal: &Refusal, target: &Target) -> Blocked {
    match refusal {
        Refusal::Conflict(conflicts) => Blocked::Conflict(conflicts.clone()),
        Refusal::Invalid(text) => Blocked::Invalid(text.clone()),
        Refusal::Forbidden(text) => Blocked::Forbidden(text.clone()),
        Refusal::NoDryRun(text) | Refusal::Failed(text) => Blocked::Failed(text.clone()),
        Refusal::Moved => {
            Blocked::Failed("it was changed while it was looked at; run again".to_owned())
        }
        Refusal::NoNamespace => Blocked::Failed(no_namespace(
            target.namespace.as_deref().unwrap_or_default(),
        )),
    }
}

/// What to do about a namespace that does not exist.
pub(super) fn no_namespace(name: &str) -> String {
    format!(
        "namespace {name} does not exist; create it (`kubectl create namespace {name}`) or add it to the input"
    )
}
