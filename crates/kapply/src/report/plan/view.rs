//! What of a plan is shown: masked, without noise, with everything in words.

use serde_json::Value;

use super::Summary;
use crate::{
    apply::FieldConflict,
    diff::{Change, changes, mark_assigned, without_noise},
    mask::Mask,
    plan::{Action, Blocked, Checked, Live, Plan, Proof, Prune, Step, Verdict},
    report::subject,
    resolve::Target,
};

/// A plan as it is shown.
#[derive(Debug, Clone)]
pub struct View {
    /// The objects of the input, in their order.
    pub objects: Vec<ObjectView>,
    /// Members of the set that are not in the input any more.
    pub prunes: Vec<PruneView>,
    /// How much there is of what.
    pub summary: Summary,
}

/// What is planned for one object of the input.
#[derive(Debug, Clone, Default)]
pub struct ObjectView {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// `None` for an object of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Where it is given: a path, or `stdin`.
    pub file: String,
    /// 1-based line; 0 means the whole file.
    pub line: usize,
    /// `create`, `update`, `recreate`, `unchanged` or `blocked`.
    pub action: &'static str,
    /// How it is known that nothing changes: `local` or `server`.
    pub proof: Option<&'static str>,
    /// Who vouches for a new object: `server`, `schema` or `nobody`.
    pub checked: Option<&'static str>,
    /// Why it is blocked: `conflict`, `immutable`, `invalid`, `forbidden` or `failed`.
    pub blocked: Option<&'static str>,
    /// Why it is blocked or recreated, in words.
    pub reason: Option<String>,
    /// Conflicts that block it.
    pub conflicts: Vec<FieldConflict>,
    /// Conflicts that are won, because force was asked for.
    pub overridden: Vec<FieldConflict>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// Warnings of the API server.
    pub warnings: Vec<String>,
    /// The object as it is, if it changes.
    pub before: Option<Value>,
    /// The object as it would be, if it changes.
    pub after: Option<Value>,
}

/// A member of the set that is not in the input any more.
#[derive(Debug, Clone)]
pub struct PruneView {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// `None` for an object of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// `delete`, `keep` or `refused`.
    pub verdict: &'static str,
    /// Why it stays.
    pub reason: Option<String>,
}

impl View {
    /// The plan for these targets, as far as it may be shown.
    #[must_use]
    pub fn of(targets: &[Target], plan: &Plan, mask: &Mask) -> Self {
        let objects: Vec<_> = targets
            .iter()
            .zip(&plan.steps)
            .map(|(target, step)| ObjectView::of(target, step, mask))
            .collect();
        let prunes: Vec<_> = plan.prunes.iter().map(PruneView::of).collect();
        Self {
            summary: Summary::of(&objects, &prunes),
            objects,
            prunes,
        }
    }
}

impl ObjectView {
    /// One step, as far as it may be shown.
    pub(crate) fn of(target: &Target, step: &Step, mask: &Mask) -> Self {
        let object = &target.object;
        let view = Self {
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            namespace: target.namespace.clone(),
            name: object.name().to_owned(),
            file: object.place.file.to_string(),
            line: object.place.line,
            action: step.action.name(),
            notes: step.notes.clone(),
            warnings: step.warnings.clone(),
            ..Self::default()
        };
        let before = step.live.as_ref().map(|live| &live.value);
        match &step.action {
            Action::Create { after, checked } => Self {
                checked: Some(checked_name(*checked)),
                ..view.with(None, after, target, mask)
            },
            Action::Update { after, overridden } => {
                let mut view = Self {
                    overridden: overridden.clone(),
                    ..view.with(before, after, target, mask)
                };
                if view.before == view.after {
                    view.notes
                        .push("no value changes, only which manager owns which field".to_owned());
                }
                view
            }
            Action::Recreate { after, reason } => Self {
                reason: Some(reason.clone()),
                ..view.with(before, after, target, mask)
            },
            Action::Unchanged(proof) => Self {
                proof: Some(proof_name(*proof)),
                ..view
            },
            Action::Blocked(blocked) => Self {
                blocked: Some(blocked.name()),
                reason: Some(blocked.of(object)),
                conflicts: match blocked {
                    Blocked::Conflict(conflicts) => conflicts.clone(),
                    _ => Vec::new(),
                },
                ..view
            },
        }
    }

    /// With the object as it is and as it would be.
    fn with(self, before: Option<&Value>, after: &Value, target: &Target, mask: &Mask) -> Self {
        // An object that is made anew gets new values for what the server assigns.
        let assigned_before = before.filter(|_| self.action != "recreate");
        let mut after = after.clone();
        mark_assigned(&mut after, assigned_before, &target.object.value);
        // In this order, so that the numbers of hidden values count up as they are read.
        let before = before.map(|before| without_noise(&mask.object(before)));
        Self {
            before,
            after: Some(without_noise(&mask.object(&after))),
            ..self
        }
    }

    /// Its differences; none for what does not change.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        changes(self.before.as_ref(), self.after.as_ref())
    }

    /// `deployment.apps/web (namespace shop)`
    #[must_use]
    pub fn subject(&self) -> String {
        subject(
            &self.api_version,
            &self.kind,
            self.namespace.as_deref(),
            &self.name,
        )
    }

    /// `web.yaml:3`
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}", self.file),
        }
    }
}

impl PruneView {
    /// One member, as far as it may be shown.
    fn of(prune: &Prune) -> Self {
        let Live { value } = &prune.live;
        let (verdict, reason) = match &prune.verdict {
            Verdict::Delete => ("delete", None),
            Verdict::Keep(reason) => ("keep", Some(reason.clone())),
            Verdict::Refused(reason) => ("refused", Some(reason.clone())),
        };
        Self {
            api_version: value["apiVersion"]
                .as_str()
                .unwrap_or(&prune.resource.api_version)
                .to_owned(),
            kind: prune.resource.kind.clone(),
            namespace: prune.live.namespace().map(str::to_owned),
            name: prune.live.name().to_owned(),
            verdict,
            reason,
        }
    }

    /// `deployment.apps/web (namespace shop)`
    #[must_use]
    pub fn subject(&self) -> String {
        subject(
            &self.api_version,
            &self.kind,
            self.namespace.as_deref(),
            &self.name,
        )
    }
}

fn checked_name(checked: Checked) -> &'static str {
    match checked {
        Checked::Server => "server",
        Checked::Schema => "schema",
        Checked::Nobody => "nobody",
    }
}

fn proof_name(proof: Proof) -> &'static str {
    match proof {
        Proof::Local => "local",
        Proof::Server => "server",
    }
}
