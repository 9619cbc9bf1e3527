//! Exit codes, the same for every command.

use crate::{
    apply::{Applied, Outcome},
    delete::Fate,
    plan::{Action, Blocked, Plan, Prune, Verdict},
    wait::End,
};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// `diff`, `plan` or `status` found differences.
    Different = 1,
    /// The input or a request was refused, or nothing could be reached.
    Error = 2,
    /// A guard refused; nothing was changed.
    Refused = 5,
    /// Other managers own fields of an object.
    Conflict = 3,
    /// Something failed to get ready, or the time was up.
    NotReady = 4,
    /// The user asked to stop (128 + SIGINT).
    Interrupted = 130,
}

/// The code of an apply: errors before conflicts before what is not ready.
pub(super) fn code(results: &[Applied], wait: Option<End>, interrupted: bool) -> Exit {
    let any =
        |matches: fn(&Outcome) -> bool| results.iter().any(|applied| matches(&applied.outcome));
    if interrupted {
        Exit::Interrupted
    } else if any(|outcome| matches!(outcome, Outcome::Failed(_))) {
        Exit::Error
    } else if any(|outcome| matches!(outcome, Outcome::Conflict(_))) {
        Exit::Conflict
    } else {
        wait.map_or(Exit::Done, waited)
    }
}

/// The one of several that counts.
pub(super) fn first(codes: impl IntoIterator<Item = Exit>) -> Exit {
    const ORDER: [Exit; 6] = [
        Exit::Interrupted,
        Exit::Error,
        Exit::Refused,
        Exit::Conflict,
        Exit::NotReady,
        Exit::Different,
    ];
    let codes: Vec<_> = codes.into_iter().collect();
    ORDER
        .into_iter()
        .find(|exit| codes.contains(exit))
        .unwrap_or(Exit::Done)
}

/// The code of a deletion: errors before what is not gone.
pub(super) fn deleted(fates: &[Fate], interrupted: bool) -> Exit {
    first(fates.iter().map(|fate| match fate {
        Fate::Failed(_) => Exit::Error,
        Fate::Held(_) | Fate::Skipped(_) if interrupted => Exit::Interrupted,
        Fate::Held(_) | Fate::Skipped(_) => Exit::NotReady,
        Fate::Deleted | Fate::Missing | Fate::Released | Fate::Going(_) | Fate::Kept(_) => {
            Exit::Done
        }
    }))
}

/// The code of a plan: errors before guards before conflicts before differences.
pub(super) fn planned(plan: &Plan) -> Exit {
    let blocked = |wanted: fn(&Blocked) -> bool| {
        plan.steps
            .iter()
            .any(|step| matches!(&step.action, Action::Blocked(blocked) if wanted(blocked)))
    };
    let refused = |prune: &Prune| matches!(prune.verdict, Verdict::Refused(_));
    if blocked(|blocked| !matches!(blocked, Blocked::Conflict(_))) {
        Exit::Error
    } else if plan.prunes.iter().any(refused) {
        Exit::Refused
    } else if blocked(|blocked| matches!(blocked, Blocked::Conflict(_))) {
        Exit::Conflict
    } else if plan.changes_anything() {
        Exit::Different
    } else {
        Exit::Done
    }
}

/// The code of a wait.
pub(super) fn waited(end: End) -> Exit {
    match end {
        End::Ready => Exit::Done,
        End::Failed | End::TimedOut => Exit::NotReady,
        End::Interrupted => Exit::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Proof, Step};

    #[test]
    fn plans_have_the_worst_of_their_codes() {
        let plan = |actions: Vec<Action>| Plan {
            steps: actions.into_iter().map(Step::of).collect(),
            prunes: Vec::new(),
        };
        let unchanged = || Action::Unchanged(Proof::Local);
        let conflict = || Action::Blocked(Blocked::Conflict(Vec::new()));
        let invalid = || Action::Blocked(Blocked::Invalid(String::new()));
        let update = || Action::Update {
            after: serde_json::Value::Null,
            overridden: Vec::new(),
        };
        assert_eq!(planned(&plan(vec![unchanged()])), Exit::Done);
        assert_eq!(planned(&plan(vec![unchanged(), update()])), Exit::Different);
        assert_eq!(planned(&plan(vec![update(), conflict()])), Exit::Conflict);
        assert_eq!(
            planned(&plan(vec![conflict(), invalid(), update()])),
            Exit::Error
        );
    }

    #[test]
    fn errors_come_before_conflicts_before_waits() {
        let result = |outcome| Applied {
            outcome,
            note: None,
            warnings: Vec::new(),
        };
        let failed = result(Outcome::Failed(String::new()));
        let conflict = result(Outcome::Conflict(Vec::new()));
        let created = result(Outcome::Created);
        assert_eq!(
            code(&[conflict.clone(), failed], Some(End::Failed), false),
            Exit::Error
        );
        assert_eq!(
            code(&[created.clone(), conflict], Some(End::Failed), false),
            Exit::Conflict
        );
        assert_eq!(
            code(std::slice::from_ref(&created), Some(End::TimedOut), false),
            Exit::NotReady
        );
        assert_eq!(
            code(std::slice::from_ref(&created), None, false),
            Exit::Done
        );
        assert_eq!(code(&[created], None, true), Exit::Interrupted);
    }
}
