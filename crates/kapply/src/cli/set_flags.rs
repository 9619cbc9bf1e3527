//! The flags that say which set the objects belong to, and the way from them
//! to an open set and its prunes; the same for `apply`, `plan` and `diff`.

use clap::ValueEnum;

use super::{input::Prepared, output};
use crate::{
    connect::ConnectOptions,
    error::Error,
    plan::{Plan, Verdict},
    problem::{Problem, Problems},
    set::{self, Access, Allow, AllowPrune, ApplySet, OpenOptions, SetRef, claims},
};

/// Members that are named before a set is taken over.
const MAX_MEMBERS: usize = 20;

/// The set of the objects.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Set")]
pub(super) struct SetFlags {
    /// Set that the objects belong to: NAME of a Secret, or of another parent; its namespace is -n
    #[arg(long, value_name = "[RESOURCE[.GROUP]/]NAME")]
    pub(super) applyset: Option<SetRef>,
    /// Delete the members of the set that are not in the input any more
    #[arg(long, requires = "applyset")]
    pub(super) prune: bool,
    /// Prune also what a guard refuses (repeatable, or comma-separated)
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        requires = "prune"
    )]
    allow_prune: Vec<Allow>,
    /// Take over the set from another tool, or objects from other sets
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "set")]
    adopt: Vec<Adopt>,
}

/// What is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Adopt {
    /// The set that --applyset names, from the tool that takes care of it
    Set,
    /// Objects of the input, from the sets that they belong to
    Objects,
}

impl SetFlags {
    /// Whether an input without any object has a meaning.
    pub(super) fn may_be_empty(&self) -> bool {
        self.prune
    }

    /// Opens the set and labels the targets; `None` without a set.
    pub(super) async fn open(
        &self,
        connect: &ConnectOptions,
        prepared: &mut Prepared,
    ) -> Result<Option<ApplySet>, Error> {
        let Prepared {
            cluster,
            catalog,
            targets,
        } = prepared;
        let Some(reference) = &self.applyset else {
            return Ok(None);
        };
        if targets.is_empty() && !self.allow().has(Allow::All) {
            let message = format!(
                "the input has no object, so every member of the set {reference} would be deleted; if that is meant, say --allow-prune=all or `kapply delete --applyset`"
            );
            return Err(Error::Guard(Problems::from(Problem::general(message))));
        }
        let options = OpenOptions {
            namespace: connect.namespace.clone(),
            access: if self.adopt.contains(&Adopt::Set) {
                Access::Adopt
            } else {
                Access::Change
            },
        };
        let set = ApplySet::open(cluster, catalog, reference, &options).await?;
        set.notes()
            .iter()
            .for_each(|note| output::line(&format!("note: {note}")));
        set.label(targets)?;
        if let Some(tooling) = set.tooling().filter(|tooling| !tooling.is_own()) {
            let members = set.census(cluster, catalog, &[]).await?.others;
            output::line(&format!(
                "the set of {} belongs to {tooling} until now; it has {} members:",
                set.parent(),
                members.len()
            ));
            let more = members.len().saturating_sub(MAX_MEMBERS);
            for member in members.into_iter().take(MAX_MEMBERS) {
                output::line(&format!("  {}", member.victim(set.id())));
            }
            if more > 0 {
                output::line(&format!("  and {more} more"));
            }
        }
        Ok(Some(set))
    }

    /// Says in the plan what is pruned, and gives back everything that a guard refuses.
    ///
    /// # Errors
    /// The members of the set cannot be listed.
    pub(super) async fn judge(
        &self,
        set: Option<&ApplySet>,
        prepared: &Prepared,
        plan: &mut Plan,
    ) -> Result<Problems, Error> {
        let Prepared {
            cluster,
            catalog,
            targets,
        } = prepared;
        let mut refused = Problems::default();
        if !self.adopt.contains(&Adopt::Objects) {
            let claims = claims::claims(targets, plan);
            refused = claims::describe(cluster, catalog, targets, &claims, set).await;
        }
        if let Some(set) = set.filter(|_| self.prune) {
            let census = set.census(cluster, catalog, targets).await?;
            plan.prunes = set::verdicts(census, targets, set.parent(), &self.allow());
        }
        for prune in &plan.prunes {
            if let Verdict::Refused(reason) = &prune.verdict {
                let name = prune.victim("");
                refused.0.push(Problem::general(format!(
                    "{name} would be pruned: {reason}"
                )));
            }
        }
        Ok(refused)
    }

    fn allow(&self) -> AllowPrune {
        AllowPrune(self.allow_prune.clone())
    }
}
