//! A plan in a file, so that what was looked at is what is done: the changes,
//! masked, and a commitment for each object's hidden values, so that another
//! value is noticed although none is stored.

mod cluster;
mod commitment;
mod compare;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::commitment::Salt;
pub use self::{
    cluster::ClusterId,
    compare::{Moved, compare},
};
use super::{Action, Force, Plan, PlanOptions, Step, Verdict};
use crate::{
    diff::{Change, changes, mark_assigned, without_noise},
    mask::Mask,
    report::save::save,
    resolve::Target,
};

/// The version of the format that is written and read.
pub const FORMAT: u64 = 1;

/// Everything that a plan file is made from.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'run> {
    /// The cluster that was planned for.
    pub cluster: &'run ClusterId,
    /// The options that were planned with.
    pub options: &'run PlanOptions,
    /// The set, if objects are applied as members of one.
    pub applyset: Option<&'run str>,
    /// The objects.
    pub targets: &'run [Target],
    /// What is to happen to them.
    pub plan: &'run Plan,
    /// What must not be stored.
    pub mask: &'run Mask,
}

/// A stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile {
    format: u64,
    kapply_version: String,
    cluster: ClusterId,
    field_manager: String,
    /// Managers that may lose fields; `*` for all.
    force_conflicts_with: Vec<String>,
    recreate: Vec<String>,
    applyset: Option<String>,
    /// Random, for the commitments.
    salt: Salt,
    objects: Vec<StoredObject>,
    prunes: Vec<StoredPrune>,
}

/// One object of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredObject {
    #[serde(flatten)]
    identity: Identity,
    action: String,
    /// UID of the live object that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// For what is created: the whole object, as it is in the input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
    /// Of the same changes with nothing hidden, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<String>,
}

/// One member of the set that is not in the input any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredPrune {
    #[serde(flatten)]
    identity: Identity,
    uid: String,
    /// `delete`, `keep` or `refused`.
    verdict: String,
}

/// Which object it is. Two versions of a kind are the same object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read.
    #[error("cannot read the plan {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write the plan {path}: {cause}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It is something else.
    #[error(
        "{path} is no plan of kapply ({cause}); make one with: kapply plan -f PATH --out {path}"
    )]
    NoPlan {
        /// The file.
        path: PathBuf,
        /// Where it is not what it should be.
        cause: String,
    },
    /// It is from another version of this program.
    #[error(
        "the plan {path} has format {found}, and this kapply reads format {FORMAT}; make it anew with: kapply plan -f PATH --out {path}"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: u64,
    },
    /// There is no randomness or memory for the commitments.
    #[error("cannot commit to hidden values: {0}")]
    Commitment(String),
}

impl PlanFile {
    /// The plan as it is stored. Takes some 20 ms for each object with hidden values that change.
    ///
    /// # Errors
    /// [`PlanFileError::Commitment`].
    pub fn of(planned: &Planned<'_>) -> Result<Self, PlanFileError> {
        Self::with_salt(planned, Salt::random()?)
    }

    fn with_salt(planned: &Planned<'_>, salt: Salt) -> Result<Self, PlanFileError> {
        let steps = planned.targets.iter().zip(&planned.plan.steps);
        let mut open: Vec<(usize, Vec<Change>)> = Vec::new();
        let mut objects = Vec::with_capacity(planned.targets.len());
        for (target, step) in steps {
            let (stored, raw) = stored(target, step, planned.mask);
            if raw != stored.changes {
                open.push((objects.len(), raw));
            }
            objects.push(stored);
        }
        for (index, commitment) in commitment::commitments(&salt, &open)? {
            objects[index].commitment = Some(commitment);
        }
        let options = planned.options;
        Ok(Self {
            format: FORMAT,
            kapply_version: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: planned.cluster.clone(),
            field_manager: options.field_manager.clone(),
            force_conflicts_with: match &options.force {
                Force::Never => Vec::new(),
                Force::All => vec!["*".to_owned()],
                Force::With(managers) => managers.clone(),
            },
            recreate: options.recreate.clone(),
            applyset: planned.applyset.map(str::to_owned),
            salt,
            objects,
            prunes: planned.plan.prunes.iter().map(stored_prune).collect(),
        })
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// The file is not there, is no plan, or has another format.
    pub fn read(path: &Path) -> Result<Self, PlanFileError> {
        let text = std::fs::read(path).map_err(|cause| PlanFileError::Read {
            path: path.to_owned(),
            cause,
        })?;
        let no_plan = |cause: String| PlanFileError::NoPlan {
            path: path.to_owned(),
            cause,
        };
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| no_plan(error.to_string()))?;
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(found) => {
                return Err(PlanFileError::Format {
                    path: path.to_owned(),
                    found,
                });
            }
            None => return Err(no_plan("it has no field `format`".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| no_plan(error.to_string()))
    }

    /// Writes the plan, whole or not at all, readable by its owner only.
    ///
    /// # Errors
    /// [`PlanFileError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), PlanFileError> {
        let failed = |cause| PlanFileError::Write {
            path: path.to_owned(),
            cause,
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        save(path, &(text + "\n"), 0o600).map_err(failed)
    }
}

/// What is stored of an object, and its changes with nothing hidden.
fn stored(target: &Target, step: &Step, mask: &Mask) -> (StoredObject, Vec<Change>) {
    // Numbers of their own for every object: one object more shifts no others.
    let mask = mask.fresh();
    let input = &target.object.value;
    let live = step.live.as_ref();
    let (before, after) = match &step.action {
        // What a server or a webhook adds to a new object may differ each time.
        Action::Create { .. } | Action::Recreate { .. } => (None, Some(input.clone())),
        Action::Update { after, .. } => {
            let before = live.map(|live| live.value.clone());
            let mut after = after.clone();
            mark_assigned(&mut after, before.as_ref(), input);
            (before, Some(after))
        }
        Action::Unchanged(_) | Action::Blocked(_) => (None, None),
    };
    let seen = |value: &Option<Value>| value.as_ref().map(|it| without_noise(&mask.object(it)));
    let bare = |value: &Option<Value>| value.as_ref().map(without_noise);
    let masked = changes(seen(&before).as_ref(), seen(&after).as_ref());
    let raw = changes(bare(&before).as_ref(), bare(&after).as_ref());
    let object = StoredObject {
        identity: Identity {
            api_version: target.object.api_version().to_owned(),
            kind: target.object.kind().to_owned(),
            namespace: target.namespace.clone(),
            name: target.object.name().to_owned(),
        },
        action: step.action.name().to_owned(),
        uid: live.map(|live| live.uid().to_owned()),
        changes: masked,
        commitment: None,
    };
    (object, raw)
}

fn stored_prune(prune: &super::Prune) -> StoredPrune {
    let live = &prune.live;
    StoredPrune {
        identity: Identity {
            api_version: prune.resource.api_version.clone(),
            kind: prune.resource.kind.clone(),
            namespace: live.namespace().map(str::to_owned),
            name: live.name().to_owned(),
        },
        uid: live.uid().to_owned(),
        verdict: match prune.verdict {
            Verdict::Delete => "delete",
            Verdict::Keep(_) => "keep",
            Verdict::Refused(_) => "refused",
        }
        .to_owned(),
    }
}

impl Identity {
    /// Group, kind, namespace and name.
    fn key(&self) -> (&str, &str, &str, &str) {
        let group = self
            .api_version
            .rsplit_once('/')
            .map_or("", |(group, _)| group);
        let namespace = self.namespace.as_deref().unwrap_or_default();
        (group, &self.kind, namespace, &self.name)
    }

    fn subject(&self) -> String {
        crate::report::subject(
            &self.api_version,
            &self.kind,
            self.namespace.as_deref(),
            &self.name,
        )
    }
}
