//! Stage 6: what was planned is done. Nothing is sent while anything is blocked;
//! then the objects go in waves, those of a wave in parallel, and one that fails
//! does not keep the others back.

mod recreate;
mod result;
mod send;
mod wave;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::stream::{self, StreamExt as _};

pub(crate) use self::wave::{chosen as chosen_wave, wave as send_order};
pub use self::{
    result::{Applied, Outcome},
    wave::WAVE_ANNOTATION,
};
pub use crate::ssa::FieldConflict;
use crate::{
    connect::Cluster,
    discover::definitions::{self, is_definition},
    interrupt::Interrupt,
    object::Object,
    plan::{Action, Blocked, Plan, Step},
    resolve::Target,
    wait,
};

/// A definition that is not served after this time will not be.
const DEFINITION_TIMEOUT: Duration = Duration::from_secs(90);

/// How to apply.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Name under which the API server keeps the applied fields.
    pub field_manager: String,
    /// Whether to say what would happen, and change nothing.
    pub dry_run: bool,
    /// Whether an object may be changed only while it is exactly as it was
    /// planned, its resource version included.
    pub exactly_as_planned: bool,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            field_manager: "kapply".to_owned(),
            dry_run: false,
            exactly_as_planned: false,
            concurrency: 32,
        }
    }
}

/// Does what was planned for the targets and gives back what became of each, in
/// their order. `observe` hears of every object as soon as its fate is known.
pub async fn apply(
    cluster: &Cluster,
    targets: &[Target],
    plan: &Plan,
    options: &ApplyOptions,
    interrupt: &Interrupt,
    observe: impl FnMut(&Target, &Applied) + Send,
) -> Vec<Applied> {
    let mut run = Run {
        cluster,
        targets,
        plan,
        options,
        interrupt,
        observe: Box::new(observe),
        results: BTreeMap::new(),
    };
    run.apply().await;
    run.skip_rest("interrupted before it was sent");
    run.results.into_values().collect()
}

type Observer<'run> = Box<dyn FnMut(&Target, &Applied) + Send + 'run>;

struct Run<'run> {
    cluster: &'run Cluster,
    targets: &'run [Target],
    plan: &'run Plan,
    options: &'run ApplyOptions,
    interrupt: &'run Interrupt,
    observe: Observer<'run>,
    results: BTreeMap<usize, Applied>,
}

impl Run<'_> {
    async fn apply(&mut self) {
        let plan = self.plan;
        for (index, step) in plan.steps.iter().enumerate() {
            if let Action::Blocked(blocked) = &step.action {
                let outcome = outcome(blocked, &self.targets[index].object);
                self.finish(index, Applied::of(step, outcome));
            }
        }
        if !self.results.is_empty() {
            return self.skip_rest("nothing was changed, because an object is blocked");
        }
        for (index, step) in plan.steps.iter().enumerate() {
            let outcome = match step.action {
                Action::Unchanged(_) => Outcome::Unchanged,
                _ if !self.options.dry_run => continue,
                Action::Create { .. } => Outcome::Created,
                Action::Recreate { .. } => Outcome::Recreated,
                _ => Outcome::Configured,
            };
            self.finish(index, Applied::of(step, outcome));
        }
        let mut waves: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (index, target) in self.targets.iter().enumerate() {
            if !self.results.contains_key(&index) {
                waves
                    .entry(wave::wave(&target.object))
                    .or_default()
                    .push(index);
            }
        }
        for indices in waves.into_values() {
            let ready: Vec<_> = indices
                .into_iter()
                .filter(|index| !self.results.contains_key(index))
                .collect();
            self.send(&ready).await;
            self.wait_for_definitions(&ready).await;
            self.skip_dependents(&ready);
        }
    }

    /// Sends the objects of a wave.
    async fn send(&mut self, indices: &[usize]) {
        let (cluster, targets, plan, options, interrupt) = (
            self.cluster,
            self.targets,
            self.plan,
            self.options,
            self.interrupt,
        );
        let mut sends = stream::iter(indices.iter().copied())
            .map(|index| async move {
                if interrupt.is_set() {
                    return (index, None);
                }
                let step: &Step = &plan.steps[index];
                let applied = send::send(cluster, &targets[index], step, options, interrupt).await;
                (index, Some(applied))
            })
            .buffer_unordered(options.concurrency.max(1));
        while let Some((index, applied)) = sends.next().await {
            if let Some(applied) = applied {
                self.finish(index, applied);
            }
        }
    }

    /// Waits until the definitions of the wave are served.
    async fn wait_for_definitions(&mut self, indices: &[usize]) {
        let mine: Vec<_> = indices
            .iter()
            .copied()
            .filter(|index| is_definition(&self.targets[*index].object) && self.is_applied(*index))
            .collect();
        if mine.is_empty() || self.interrupt.is_set() {
            return;
        }
        let definitions: Vec<_> = mine
            .iter()
            .map(|index| self.targets[*index].clone())
            .collect();
        let report = wait::wait(
            self.cluster,
            &definitions,
            &wait::WaitOptions::within(DEFINITION_TIMEOUT),
            self.interrupt,
            |_, _| {},
        )
        .await;
        for (index, waited) in mine.iter().zip(&report.objects) {
            if waited.status.state != wait::State::Ready {
                let message = format!(
                    "the definition was applied, but it is not served: {}",
                    waited.status.message
                );
                self.finish(*index, Applied::plain(Outcome::Failed(message)));
            }
        }
    }

    /// What is in a namespace, or of a kind, that this wave could not make cannot be sent.
    fn skip_dependents(&mut self, indices: &[usize]) {
        let failed: Vec<_> = indices
            .iter()
            .filter(|index| self.results.contains_key(index) && !self.is_applied(**index))
            .map(|index| &self.targets[*index].object)
            .collect();
        let namespaces: BTreeSet<_> = failed
            .iter()
            .filter(|object| object.kind() == "Namespace" && object.group().is_empty())
            .map(|object| object.name())
            .collect();
        let kinds: BTreeSet<_> = failed
            .iter()
            .flat_map(|object| {
                let defined = definitions::definitions(std::slice::from_ref(*object));
                defined.into_keys().map(|kind| (kind.group, kind.kind))
            })
            .collect();
        for (index, target) in self.targets.iter().enumerate() {
            if self.results.contains_key(&index) {
                continue;
            }
            let object = &target.object;
            let namespace = target.namespace.as_deref().unwrap_or_default();
            let reason = if namespaces.contains(namespace) {
                format!("its namespace {namespace} could not be applied")
            } else if kinds.contains(&(object.group().to_owned(), object.kind().to_owned())) {
                "its definition could not be applied".to_owned()
            } else {
                continue;
            };
            let applied = Applied::plain(Outcome::Skipped(reason));
            (self.observe)(target, &applied);
            self.results.insert(index, applied);
        }
    }

    fn is_applied(&self, index: usize) -> bool {
        self.results
            .get(&index)
            .is_some_and(|applied| applied.outcome.is_applied())
    }

    fn skip_rest(&mut self, reason: &str) {
        for index in 0..self.targets.len() {
            if !self.results.contains_key(&index) {
                self.finish(index, Applied::plain(Outcome::Skipped(reason.to_owned())));
            }
        }
    }

    fn finish(&mut self, index: usize, applied: Applied) {
        (self.observe)(&self.targets[index], &applied);
        self.results.insert(index, applied);
    }
}

fn outcome(blocked: &Blocked, object: &Object) -> Outcome {
    match blocked {
        Blocked::Conflict(conflicts) => Outcome::Conflict(conflicts.clone()),
        other => Outcome::Failed(other.of(object)),
    }
}
