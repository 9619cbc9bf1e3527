//! The flags that say how to plan, the same for `apply`, `plan` and `diff`.

use std::num::NonZeroUsize;

use crate::{
    plan::{Check, Force, PlanOptions, is_named},
    problem::{Problem, Problems},
    resolve::Target,
};

/// What the API server allows, in bytes.
const MAX_MANAGER: usize = 128;

/// How to plan.
#[derive(Debug, clap::Args)]
pub(super) struct Planning {
    /// Name under which the cluster keeps the fields that are applied
    #[arg(long, value_name = "NAME", default_value = "kapply", value_parser = manager)]
    pub(super) field_manager: String,
    /// Take fields over from other managers
    #[arg(long)]
    force_conflicts: bool,
    /// Take fields over from this manager, where it is the only one in conflict (repeatable)
    #[arg(long, value_name = "MANAGER", conflicts_with = "force_conflicts")]
    force_conflicts_with: Vec<String>,
    /// Delete this object and create it anew if a field that cannot change would have to (repeatable)
    #[arg(long, value_name = "KIND[.GROUP]/NAME", value_parser = object_name)]
    recreate: Vec<String>,
    /// Ask the server about every object, also where it is proved that nothing changes
    #[arg(long, value_name = "WHO", value_parser = ["server"])]
    verify: Option<String>,
    /// Requests under way at once
    #[arg(long, value_name = "N", default_value = "32")]
    pub(super) concurrency: NonZeroUsize,
}

impl Planning {
    /// Whether the flags fit the targets.
    pub(super) fn check(&self, targets: &[Target]) -> Result<(), Problems> {
        let unknown = self.recreate.iter().filter(|name| {
            let one = std::slice::from_ref(*name);
            !targets.iter().any(|target| is_named(&target.object, one))
        });
        let problems = unknown.map(|name| {
            Problem::general(format!(
                "--recreate {name}: no object of the input is meant by it; write KIND[.GROUP]/NAME as in the manifests"
            ))
        });
        Problems(problems.collect()).or(())
    }

    /// The options of a plan that asks the server as much as `check` says, or more.
    pub(super) fn options(&self, check: Check) -> PlanOptions {
        PlanOptions {
            field_manager: self.field_manager.clone(),
            check: match self.verify {
                Some(_) => Check::Everything,
                None => check,
            },
            force: if self.force_conflicts {
                Force::All
            } else if self.force_conflicts_with.is_empty() {
                Force::Never
            } else {
                Force::With(self.force_conflicts_with.clone())
            },
            recreate: self.recreate.clone(),
            concurrency: self.concurrency.get(),
        }
    }
}

/// A name that the API takes for a manager of fields.
fn manager(text: &str) -> Result<String, String> {
    if (1..=MAX_MANAGER).contains(&text.len()) && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(format!("give 1 to {MAX_MANAGER} printable characters"))
    }
}

/// `KIND[.GROUP]/NAME`, its kind in lower case as messages have it.
fn object_name(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(format!("{}/{name}", kind.to_lowercase()))
        }
        _ => Err("give it as KIND/NAME or KIND.GROUP/NAME, such as deployment.apps/web".to_owned()),
    }
}
