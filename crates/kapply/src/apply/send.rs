//! One step of the plan is done.

use http::Request;

use super::{Applied, ApplyOptions, Outcome, recreate};
use crate::{
    connect::{Cluster, RequestError, Retry},
    interrupt::Interrupt,
    live, migrate,
    plan::{Action, Live, Step},
    resolve::Target,
    ssa::{self, Answer, Refusal, Terms},
};

/// Tries to take over the managed fields of an object that others keep changing.
const MIGRATION_TRIES: usize = 5;

/// Does what the step says and tells what became of the object.
pub(super) async fn send(
    cluster: &Cluster,
    target: &Target,
    step: &Step,
    options: &ApplyOptions,
    interrupt: &Interrupt,
) -> Applied {
    let sent = match &step.action {
        Action::Create { .. } => create(cluster, target, step, options).await,
        Action::Update { overridden, .. } => {
            update(cluster, target, step, options, !overridden.is_empty()).await
        }
        Action::Recreate { .. } => match recreate::delete(cluster, target, step, interrupt).await {
            Ok(()) => create(cluster, &anew(target), step, options)
                .await
                .map(|applied| match applied.outcome {
                    Outcome::Created => Applied {
                        outcome: Outcome::Recreated,
                        ..applied
                    },
                    _ => applied,
                }),
            Err(reason) => Err(Outcome::Failed(reason)),
        },
        // These were settled before anything was sent.
        Action::Unchanged(_) | Action::Blocked(_) => Ok(Applied::of(step, Outcome::Unchanged)),
    };
    sent.unwrap_or_else(|outcome| Applied::of(step, outcome))
}

/// The target without what says which object it was.
fn anew(target: &Target) -> Target {
    Target {
        object: target.object.anew(),
        ..target.clone()
    }
}

async fn create(
    cluster: &Cluster,
    target: &Target,
    step: &Step,
    options: &ApplyOptions,
) -> Result<Applied, Outcome> {
    let terms = Terms {
        field_manager: &options.field_manager,
        dry_run: false,
        force: false,
        only_if: None,
        // What it needs may have been created a moment ago.
        retry: Retry::Fresh,
    };
    let answer = ssa::send(cluster, target, None, terms)
        .await
        .map_err(|refusal| outcome(target, refusal))?;
    if answer.created {
        return Ok(Applied {
            warnings: answer.warnings,
            ..Applied::of(step, Outcome::Created)
        });
    }
    // Where the server was not asked before, this may be a retry after a lost answer.
    let note = "somebody else created it first; the manifest was applied to theirs";
    Ok(Applied {
        note: Some(note.to_owned()),
        warnings: answer.warnings,
        ..Applied::of(step, Outcome::Configured)
    })
}

async fn update(
    cluster: &Cluster,
    target: &Target,
    step: &Step,
    options: &ApplyOptions,
    force: bool,
) -> Result<Applied, Outcome> {
    let planned = step.live.as_ref();
    let migrated = match planned {
        Some(live) => migrate(cluster, target, live, options).await?,
        None => None,
    };
    let known = migrated.as_ref().or(planned);
    // Force was granted against the owners that were read: whoever came since is no part of that.
    let is_versioned = target.object.value["metadata"]["resourceVersion"].is_string();
    let strict = options.exactly_as_planned || force || is_versioned;
    let terms = Terms {
        field_manager: &options.field_manager,
        dry_run: false,
        force,
        only_if: known.filter(|_| strict).map(Live::resource_version),
        retry: Retry::Transient,
    };
    let answer = ssa::send(cluster, target, known, terms)
        .await
        .map_err(|refusal| outcome(target, refusal))?;
    Ok(Applied {
        outcome: judge(planned, &answer, options),
        warnings: answer.warnings,
        ..Applied::of(step, Outcome::Configured)
    })
}

/// What an update did, as far as two versions of the object tell.
fn judge(before: Option<&Live>, answer: &Answer, options: &ApplyOptions) -> Outcome {
    if answer.created {
        return Outcome::Created;
    }
    match before {
        Some(live) if !ssa::differ(&live.value, &answer.object, &options.field_manager) => {
            Outcome::Unchanged
        }
        _ => Outcome::Configured,
    }
}

/// Hands the fields that kubectl applied client-side to our manager, if there
/// are any, and gives back the object as it is then.
async fn migrate(
    cluster: &Cluster,
    target: &Target,
    planned: &Live,
    options: &ApplyOptions,
) -> Result<Option<Live>, Outcome> {
    let manager = &options.field_manager;
    let Some(mut patch) = migrate::migration(&planned.value, manager) else {
        return Ok(None);
    };
    let failed =
        |text: &str| Outcome::Failed(cluster.mask.message(&target.object, Some(planned), text));
    let address = live::path(target);
    for _ in 0..MIGRATION_TRIES {
        let request = Request::patch(&address)
            .header("content-type", "application/json-patch+json")
            .body(patch.to_string().into_bytes())
            .map_err(|error| failed(&error.to_string()))?;
        match cluster.send(&request, Retry::Transient).await {
            Ok(reply) => {
                return serde_json::from_slice(&reply.body)
                    .map(|value| Some(Live { value }))
                    .map_err(|error| failed(&error.to_string()));
            }
            // 409 or a failed test of the resource version: read it again.
            Err(RequestError::Status(status))
                if matches!(status.code, 409 | 422) && !options.exactly_as_planned => {}
            Err(error) => return Err(failed(&error.to_string())),
        }
        let live = live::get(cluster, target)
            .await
            .map_err(|error| failed(&error.to_string()))?;
        match live.and_then(|live| Some((migrate::migration(&live.value, manager)?, live))) {
            Some((again, _)) => patch = again,
            None => return Ok(None),
        }
    }
    Err(failed(
        "its fields could not be taken over from kubectl, because it keeps changing; run again",
    ))
}

fn outcome(target: &Target, refusal: Refusal) -> Outcome {
    match refusal {
        Refusal::Conflict(conflicts) => Outcome::Conflict(conflicts),
        Refusal::Moved => Outcome::Failed(
            "it was changed since it was planned, so it was left alone; run again".to_owned(),
        ),
        Refusal::NoNamespace => Outcome::Failed(format!(
            "its namespace {} is gone",
            target.namespace.as_deref().unwrap_or_default()
        )),
        Refusal::NoDryRun(text)
        | Refusal::Invalid(text)
        | Refusal::Forbidden(text)
        | Refusal::Failed(text) => Outcome::Failed(text),
    }
}

impl Applied {
    /// A result with what the plan had to say.
    pub(super) fn of(step: &Step, outcome: Outcome) -> Self {
        Self {
            outcome,
            note: (!step.notes.is_empty()).then(|| step.notes.join("; ")),
            warnings: step.warnings.clone(),
        }
    }
}
