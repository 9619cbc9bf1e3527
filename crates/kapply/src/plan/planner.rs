//! The way from targets to a plan: read what is live, settle what can be
//! settled without the server, ask it about the rest.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};

use super::{
    Action, Blocked, Check, Checked, Live, Plan, PlanOptions, Proof, Step, ask, fit, prove,
};
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
                if let Some(reason) =
                    fit::being_deleted(&live).or_else(|| fit::another(target, &live))
                {
                    return step(Step {
                        live: Some(live),
                        ..Step::of(Action::Blocked(Blocked::Failed(reason)))
                    });
                }
                if self.options.check != Check::Everything && self.is_unchanged(target, &live) {
                    return step(Step::of(Action::Unchanged(Proof::Local)));
                }
                if target.definition == Definition::Input {
                    return step(self.settle_defined(target, live));
                }
                Settled::Open(Some(live))
            }
        }
    }

    /// An object that exists, in a version that the cluster does not serve yet.
    fn settle_defined(&self, target: &Target, live: Live) -> Step {
        if let Some(invalid) = self.invalid(target) {
            return Step::of(Action::Blocked(invalid));
        }
        let (kind, version) = (target.object.kind(), target.object.api_version());
        let note = format!("{kind} of {version} is defined by this input");
        ask::unchecked(self, target, Some(live), &note)
    }

    fn settle_absent(&self, target: &Target) -> Settled {
        let step = |step| Settled::Step(Box::new(step));
        if let Some(reason) = fit::gone(target) {
            return step(Step::of(Action::Blocked(Blocked::Failed(reason))));
        }
        if let Some(invalid) = self.invalid(target) {
            return step(Step::of(Action::Blocked(invalid)));
        }
        if target.definition == Definition::Input {
            let note = format!("{} is defined by this input", target.object.kind());
            return step(self.unasked(target, Some(note)));
        }
        if self.options.check == Check::Updates && self.violations(target).is_empty() {
            return step(self.unasked(target, None));
        }
        Settled::Open(None)
    }

    /// Why an object cannot be valid, whatever admission makes of it.
    fn invalid(&self, target: &Target) -> Option<Blocked> {
        let violations = self.violations(target);
        // Admission may mend what is not certain; of a kind that is new there is none to ask.
        let is_final =
            |violation: &Violation| violation.certain || target.definition == Definition::Input;
        if !violations.iter().any(is_final) {
            return None;
        }
        let texts: Vec<_> = violations.iter().map(ToString::to_string).collect();
        let text = self
            .cluster
            .mask
            .message(&target.object, None, &texts.join("; "));
        Some(Blocked::Invalid(text))
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
                Ok(Some(live)) if fit::being_deleted(&live).is_some() => {
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
