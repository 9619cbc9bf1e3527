//! The way from targets to a plan: read what is live, settle what can be
//! settled without the server, ask it about the rest.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};

use super::{Action, Blocked, Checked, Live, Plan, Proof, Step, ask, prove};
use crate::{
    apply::{WAVE_ANNOTATION, chosen_wave},
    connect::Cluster,
    interrupt::Interrupt,
    live::{self, Found},
    migrate,
    object::Object,
    resolve::{Definition, Target},
    schema::{Schemas, Violation, validate},
};

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Everything that is not proved: what `plan` and `diff` show is what the server says.
    Unproved,
    /// Updates that are not proved; creates are sent straight, once their schema allows them.
    Updates,
    /// Everything, proved or not: also notices admission policies that are new.
    Everything,
}

/// From whom fields may be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Force {
    /// Nobody: conflicts block.
    #[default]
    Never,
    /// Anybody.
    All,
    /// These managers, and only if every conflict of the object is with them.
    With(Vec<String>),
}

impl Force {
    /// Whether these managers may lose fields.
    pub(crate) fn covers<'manager>(
        &self,
        mut managers: impl Iterator<Item = &'manager str>,
    ) -> bool {
        match self {
            Self::Never => false,
            Self::All => true,
            Self::With(named) => managers.all(|manager| named.iter().any(|name| name == manager)),
        }
    }
}

/// How to plan.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Name under which the API server keeps the applied fields.
    pub field_manager: String,
    /// What is asked of the server.
    pub check: Check,
    /// From whom fields may be taken.
    pub force: Force,
    /// Objects that may be deleted and created anew, as `KIND[.GROUP]/NAME` in lower case.
    pub recreate: Vec<String>,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            field_manager: "kapply".to_owned(),
            check: Check::Unproved,
            force: Force::Never,
            recreate: Vec::new(),
            concurrency: 32,
        }
    }
}

/// What would have to happen for the targets to be as they should be. Changes
/// nothing. Objects about which nobody was asked because of an interrupt are blocked.
pub async fn plan(
    cluster: &Cluster,
    targets: &[Target],
    schemas: &Schemas,
    options: &PlanOptions,
    interrupt: &Interrupt,
) -> Plan {
    let planner = Planner {
        cluster,
        targets,
        schemas,
        options,
        new_namespaces: new_namespaces(targets),
    };
    let mut settled: BTreeMap<usize, Step> = BTreeMap::new();
    let mut open: Vec<(usize, Option<Live>)> = Vec::new();
    let reading = live::read(
        cluster,
        targets,
        options.concurrency,
        |index, found| match planner.settle(index, found) {
            Settled::Step(step) => drop(settled.insert(index, *step)),
            Settled::Open(live) => open.push((index, live)),
        },
    );
    tokio::select! {
        () = reading => {}
        () = interrupt.asked() => {}
    }
    let planner = &planner;
    let mut asked = stream::iter(open)
        .map(|(index, live)| async move { (index, ask::ask(planner, index, live).await) })
        .buffer_unordered(options.concurrency.max(1));
    loop {
        let answer = tokio::select! {
            answer = asked.next() => answer,
            () = interrupt.asked() => None,
        };
        let Some((index, step)) = answer else { break };
        settled.insert(index, step);
    }
    drop(asked);
    planner.refuse_missing_namespaces(&mut settled).await;
    let steps = (0..targets.len()).map(|index| {
        settled.remove(&index).unwrap_or_else(|| {
            Step::of(Action::Blocked(Blocked::Failed(
                "interrupted before it was looked at".to_owned(),
            )))
        })
    });
    Plan {
        steps: steps.collect(),
        prunes: Vec::new(),
    }
}

/// What is needed to plan one target.
pub(super) struct Planner<'run> {
    pub(super) cluster: &'run Cluster,
    pub(super) targets: &'run [Target],
    pub(super) schemas: &'run Schemas,
    pub(super) options: &'run PlanOptions,
    new_namespaces: BTreeSet<&'run str>,
}

enum Settled {
    Step(Box<Step>),
    /// To be asked of the server.
    Open(Option<Live>),
}

impl Planner<'_> {
    /// The namespace of a target, if this input creates it.
    pub(super) fn new_namespace(&self, target: &Target) -> Option<&str> {
        let namespace = target.namespace.as_deref()?;
        self.new_namespaces.get(namespace).copied()
    }

    /// A create that no server vouches for, with the reason.
    pub(super) fn unasked(&self, target: &Target, note: Option<String>) -> Step {
        let checked = if self.schemas.get(&target.object.gvk()).is_some() {
            Checked::Schema
        } else {
            Checked::Nobody
        };
        let after = target.object.value.clone();
        Step {
            notes: note.into_iter().collect(),
            ..Step::of(Action::Create { after, checked })
        }
    }

    fn settle(&self, index: usize, found: Found) -> Settled {
        let target = &self.targets[index];
        let step = |step| Settled::Step(Box::new(step));
        if let Some(Err(text)) = chosen_wave(&target.object) {
            let invalid =
                format!("the annotation {WAVE_ANNOTATION} is `{text}`, not a whole number");
            return step(Step::of(Action::Blocked(Blocked::Invalid(invalid))));
        }
        match found {
            Err(error) => step(Step::of(Action::Blocked(ask::blocked(
                &crate::ssa::refusal(
                    target,
                    None,
                    &error,
                    &self.options.field_manager,
                    &self.cluster.mask,
                ),
                target,
            )))),
            Ok(None) => self.settle_absent(target),
            Ok(Some(live)) => {
                if let Some(reason) = being_deleted(&live) {
                    return step(Step {
                        live: Some(live),
                        ..Step::of(Action::Blocked(Blocked::Failed(reason)))
                    });
                }
                if self.options.check != Check::Everything && self.is_unchanged(target, &live) {
                    return step(Step::of(Action::Unchanged(Proof::Local)));
                }
                Settled::Open(Some(live))
            }
        }
    }

    fn settle_absent(&self, target: &Target) -> Settled {
        let step = |step| Settled::Step(Box::new(step));
        let violations = self.violations(target);
        // Admission may mend what is not certain; of a kind that is new there is none to ask.
        let is_final =
            |violation: &Violation| violation.certain || target.definition == Definition::Input;
        if violations.iter().any(is_final) {
            let texts: Vec<_> = violations.iter().map(ToString::to_string).collect();
            let text = texts.join("; ");
            let invalid = Blocked::Invalid(self.cluster.mask.message(&target.object, None, &text));
            return step(Step::of(Action::Blocked(invalid)));
        }
        if target.definition == Definition::Input {
            let note = format!("{} is defined by this input", target.object.kind());
            return step(self.unasked(target, Some(note)));
        }
        if self.options.check == Check::Updates && violations.is_empty() {
            return step(self.unasked(target, None));
        }
        Settled::Open(None)
    }

    /// What the schema of the kind has against an object.
    fn violations(&self, target: &Target) -> Vec<Violation> {
        // What the cluster serves is about to be replaced by what the input says.
        if target.definition == Definition::Both {
            return Vec::new();
        }
        let object = &target.object;
        let schema = self.schemas.get(&object.gvk());
        schema.map_or_else(Vec::new, |schema| validate(&object.value, schema))
    }

    fn is_unchanged(&self, target: &Target, live: &Live) -> bool {
        let manager = &self.options.field_manager;
        let Some(schema) = self.schemas.get(&target.object.gvk()) else {
            return false;
        };
        // What this input does to the definition may change what the object means.
        if target.definition != Definition::Cluster
            || migrate::migration(&live.value, manager).is_some()
        {
            return false;
        }
        match prove::unchanged(&target.object.value, &live.value, schema, manager) {
            Ok(()) => true,
            Err(doubt) => {
                tracing::debug!(object = %target.object.label(), %doubt, "asking the server");
                false
            }
        }
    }

    /// Creates that the server was not asked about: their namespaces must be there.
    async fn refuse_missing_namespaces(&self, settled: &mut BTreeMap<usize, Step>) {
        let unasked = |step: &Step| matches!(&step.action, Action::Create { checked, .. } if *checked != Checked::Server);
        let names: BTreeSet<&str> = settled
            .iter()
            .filter(|(_, step)| unasked(step))
            .filter_map(|(index, _)| self.targets[*index].namespace.as_deref())
            .filter(|name| !self.new_namespaces.contains(name))
            .collect();
        for name in names {
            let path = format!("/api/v1/namespaces/{name}");
            let reason = match live::get_path(self.cluster, &path).await {
                Ok(None) => ask::no_namespace(name),
                Ok(Some(live)) if being_deleted(&live).is_some() => {
                    format!("namespace {name} is being deleted; wait until it is gone")
                }
                // Whoever may not read namespaces learns it from the create.
                Ok(Some(_)) | Err(_) => continue,
            };
            for (index, step) in settled.iter_mut() {
                if self.targets[*index].namespace.as_deref() == Some(name) && unasked(step) {
                    *step = Step::of(Action::Blocked(Blocked::Failed(reason.clone())));
                }
            }
        }
    }
}

/// Why an object that is on its way out cannot be applied.
fn being_deleted(live: &Live) -> Option<String> {
    let metadata = &live.value["metadata"];
    metadata["deletionTimestamp"].as_str()?;
    let finalizers: Vec<_> = metadata["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    Some(if finalizers.is_empty() {
        "it is being deleted; wait until it is gone".to_owned()
    } else {
        format!(
            "it is being deleted and kept by the finalizers {}; wait until it is gone",
            finalizers.join(", ")
        )
    })
}

/// Names of the namespaces among the targets.
fn new_namespaces(targets: &[Target]) -> BTreeSet<&str> {
    targets
        .iter()
        .map(|target| &target.object)
        .filter(|object| object.kind() == "Namespace" && object.group().is_empty())
        .map(Object::name)
        .collect()
}

impl Step {
    /// A step with nothing to add.
    #[must_use]
    pub fn of(action: Action) -> Self {
        Self {
            action,
            live: None,
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }
}
