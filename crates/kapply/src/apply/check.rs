//! The dry run of one object before anything is changed, and what it later
//! tells about the apply: whether that changed the object.

use super::{
    ApplyOptions,
    patch::{self, Answer, Refusal, patch},
    result::Outcome,
};
use crate::{
    connect::{Cluster, Retry},
    resolve::Target,
};

/// What the dry run of an object said.
pub(super) enum Check {
    /// It would be applied to what this answer describes, and would change it or not, where that is known.
    Passed(Answer, Option<bool>),
    /// It cannot be checked yet, for this reason.
    Deferred(String),
}

/// Dry-runs one object. What it would change is worked out where the apply
/// itself will not tell: in a dry run, and for an object without any field of ours.
pub(super) async fn dry_run(
    cluster: &Cluster,
    target: &Target,
    options: &ApplyOptions,
    retry: Retry,
) -> Result<Check, Refusal> {
    let answer = patch(cluster, target, options, true, retry).await?;
    let asked = !answer.created && (options.dry_run || answer.changed_at.is_none());
    let differs = if asked {
        Some(patch::differs_from_live(cluster, target, &answer).await?)
    } else {
        None
    };
    Ok(Check::Passed(answer, differs))
}

/// What an apply did: it changed the object if the object has another resource
/// version than in the dry run, and that is not somebody else's doing. Our own
/// change carries a time that is not before the dry run.
pub(super) fn outcome(check: Option<&Check>, answer: &Answer) -> Outcome {
    if answer.created {
        return Outcome::Created;
    }
    let Some(Check::Passed(before, differs)) = check else {
        return Outcome::Configured;
    };
    if *differs == Some(false) {
        return Outcome::Unchanged;
    }
    let ours_is_older =
        matches!((answer.changed_at, before.date), (Some(changed), Some(date)) if changed < date);
    if answer.resource_version == before.resource_version || ours_is_older {
        Outcome::Unchanged
    } else {
        Outcome::Configured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &str, changed: i64, date: i64) -> Answer {
        let time = |second| jiff::Timestamp::from_second(second).ok();
        Answer {
            created: false,
            resource_version: version.to_owned(),
            changed_at: time(changed),
            date: time(date),
            warnings: Vec::new(),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_change_is_ours_only_if_our_fields_moved() {
        let before = Check::Passed(answer("7", 100, 100), None);
        assert_eq!(
            outcome(Some(&before), &answer("7", 50, 100)),
            Outcome::Unchanged
        );
        assert_eq!(
            outcome(Some(&before), &answer("8", 101, 101)),
            Outcome::Configured
        );
        // A controller wrote the status in between; our fields are as old as they were.
        assert_eq!(
            outcome(Some(&before), &answer("8", 50, 101)),
            Outcome::Unchanged
        );
        assert_eq!(outcome(None, &answer("8", 50, 101)), Outcome::Configured);
    }
}
