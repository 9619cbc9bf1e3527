//! Stage 5: server-side apply. First every object is dry-run, and if one is
//! refused nothing is changed; then they are sent in waves, the objects of a
//! wave in parallel.

mod check;
mod conflict;
mod patch;
mod result;
mod wave;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use futures::stream::{self, StreamExt as _};

pub(crate) use self::wave::wave as send_order;
use self::{
    check::{Check, dry_run, outcome},
    patch::{Refusal, patch},
};
pub use self::{
    conflict::FieldConflict,
    result::{Applied, Outcome},
};
use crate::{
    connect::{Cluster, Retry},
    discover::definitions::is_definition,
    interrupt::Interrupt,
    resolve::{Definition, Target},
    wait,
};

/// A definition that is not served after this time will not be.
const DEFINITION_TIMEOUT: Duration = Duration::from_secs(90);

/// How to apply.
#[derive(Debug, Clone)]
pub struct ApplyOptions {
    /// Name under which the API server keeps the applied fields.
    pub field_manager: String,
    /// Whether to take fields from other managers.
    pub force_conflicts: bool,
    /// Whether to ask the server what would happen, and change nothing.
    pub dry_run: bool,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            field_manager: "kapply".to_owned(),
            force_conflicts: false,
            dry_run: false,
            concurrency: 16,
        }
    }
}

/// Applies the targets and gives back what became of each, in their order.
/// `observe` hears of every object as soon as its fate is known.
pub async fn apply(
    cluster: &Cluster,
    targets: &[Target],
    options: &ApplyOptions,
    interrupt: &Interrupt,
    mut observe: impl FnMut(&Target, &Applied),
) -> Vec<Applied> {
    let mut run = Run {
        cluster,
        targets,
        options,
        interrupt,
        observe: &mut observe,
        checks: HashMap::new(),
        results: BTreeMap::new(),
    };
    run.apply().await;
    run.skip_rest("interrupted before it was sent");
    run.results.into_values().collect()
}

struct Run<'run> {
    cluster: &'run Cluster,
    targets: &'run [Target],
    options: &'run ApplyOptions,
    interrupt: &'run Interrupt,
    observe: &'run mut dyn FnMut(&Target, &Applied),
    checks: HashMap<usize, Check>,
    results: BTreeMap<usize, Applied>,
}

impl Run<'_> {
    async fn apply(&mut self) {
        self.check((0..self.targets.len()).collect(), Retry::Transient)
            .await;
        if !self.results.is_empty() {
            return self.skip_rest("nothing was changed, because an object was refused");
        }
        if self.interrupt.is_set() {
            return;
        }
        if self.options.dry_run {
            return self.report_dry_run();
        }
        let mut waves: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for (index, target) in self.targets.iter().enumerate() {
            waves
                .entry(wave::wave(&target.object))
                .or_default()
                .push(index);
        }
        if let Some(definitions) = waves.remove(&wave::DEFINITIONS) {
            self.send(&definitions).await;
            if !self.definitions_stand(&definitions).await {
                return self.skip_rest("a namespace or definition before it failed");
            }
            self.check_deferred().await;
            if self.results.len() > definitions.len() {
                return self.skip_rest(
                    "only namespaces and definitions were applied, because an object was refused",
                );
            }
        }
        for indices in waves.into_values() {
            self.send(&indices).await;
        }
    }

    /// Dry-runs objects. Refusals become results, everything else a check.
    async fn check(&mut self, indices: Vec<usize>, retry: Retry) {
        let new_namespaces: BTreeSet<&str> = self
            .targets
            .iter()
            .filter(|target| {
                target.object.kind() == "Namespace" && target.object.group().is_empty()
            })
            .map(|target| target.object.name())
            .collect();
        let (cluster, targets, options, interrupt) =
            (self.cluster, self.targets, self.options, self.interrupt);
        let first_pass = retry == Retry::Transient;
        let checks = stream::iter(indices).map(|index| async move {
            let target = &targets[index];
            if interrupt.is_set() {
                return (index, None);
            }
            let defined_here = first_pass && target.definition != Definition::Cluster;
            let reason = || format!("{} is defined by this input", target.object.kind());
            if defined_here && target.definition == Definition::Input {
                return (index, Some(Ok(Check::Deferred(reason()))));
            }
            let check = dry_run(cluster, target, options, retry).await;
            // The definition that the cluster has may be about to change.
            let check = match check {
                Err(Refusal::Final(Outcome::Failed(_))) if defined_here => {
                    Ok(Check::Deferred(reason()))
                }
                check => check,
            };
            (index, Some(check))
        });
        let done: Vec<_> = checks
            .buffer_unordered(options.concurrency.max(1))
            .collect()
            .await;
        // In input order, so that messages come in the order of the files.
        for (index, check) in done.into_iter().collect::<BTreeMap<_, _>>() {
            let namespace = targets[index].namespace.as_deref().unwrap_or_default();
            let outcome = match check {
                None => continue,
                Some(Ok(check)) => {
                    self.checks.insert(index, check);
                    continue;
                }
                Some(Err(Refusal::NoNamespace))
                    if first_pass && new_namespaces.contains(namespace) =>
                {
                    self.checks.insert(
                        index,
                        Check::Deferred(format!("namespace {namespace} is created by this input")),
                    );
                    continue;
                }
                Some(Err(Refusal::NoDryRun(reason))) => {
                    self.checks.insert(index, Check::Deferred(reason));
                    continue;
                }
                Some(Err(Refusal::NoNamespace)) => Outcome::Failed(format!(
                    "namespace {namespace} does not exist; create it (`kubectl create namespace {namespace}`) or add it to the input"
                )),
                Some(Err(Refusal::Final(outcome))) => outcome,
            };
            self.finish(index, Applied::plain(outcome));
        }
    }

    /// Dry-runs what had to wait for namespaces and definitions.
    async fn check_deferred(&mut self) {
        let deferred = |index: &usize| matches!(self.checks.get(index), Some(Check::Deferred(_)));
        let indices: Vec<_> = (0..self.targets.len())
            .filter(|index| deferred(index) && !self.results.contains_key(index))
            .collect();
        self.check(indices, Retry::Fresh).await;
    }

    fn report_dry_run(&mut self) {
        for index in 0..self.targets.len() {
            let applied = match self.checks.remove(&index) {
                None => continue,
                Some(Check::Deferred(reason)) => {
                    let note = format!("not checked: {reason}");
                    Applied {
                        note: Some(note),
                        ..Applied::plain(Outcome::Created)
                    }
                }
                Some(Check::Passed(answer, differs)) => {
                    let outcome = match differs {
                        _ if answer.created => Outcome::Created,
                        Some(false) => Outcome::Unchanged,
                        _ => Outcome::Configured,
                    };
                    Applied {
                        warnings: answer.warnings,
                        ..Applied::plain(outcome)
                    }
                }
            };
            self.finish(index, applied);
        }
    }

    /// Sends the objects of a wave; a failure of one does not keep the others back.
    async fn send(&mut self, indices: &[usize]) {
        let (cluster, targets, options, interrupt) =
            (self.cluster, self.targets, self.options, self.interrupt);
        let checks = &self.checks;
        let sends = stream::iter(indices.iter().copied()).map(|index| async move {
            if interrupt.is_set() {
                return (index, None);
            }
            let applied =
                match patch(cluster, &targets[index], options, false, Retry::Transient).await {
                    Ok(answer) => {
                        let outcome = outcome(checks.get(&index), &answer);
                        Applied {
                            outcome,
                            note: None,
                            warnings: answer.warnings,
                        }
                    }
                    Err(Refusal::Final(outcome)) => Applied::plain(outcome),
                    Err(Refusal::NoDryRun(reason)) => Applied::plain(Outcome::Failed(reason)),
                    Err(Refusal::NoNamespace) => {
                        Applied::plain(Outcome::Failed("its namespace is gone".to_owned()))
                    }
                };
            (index, Some(applied))
        });
        let done: Vec<_> = sends
            .buffer_unordered(options.concurrency.max(1))
            .collect()
            .await;
        for (index, applied) in done.into_iter().collect::<BTreeMap<_, _>>() {
            if let Some(applied) = applied {
                self.finish(index, applied);
            }
        }
    }

    /// Waits until the definitions of the wave are served.
    async fn definitions_stand(&mut self, indices: &[usize]) -> bool {
        if !indices.iter().all(|index| {
            self.results
                .get(index)
                .is_some_and(|applied| applied.outcome.is_applied())
        }) {
            return false;
        }
        let mine: Vec<_> = indices
            .iter()
            .copied()
            .filter(|index| is_definition(&self.targets[*index].object))
            .collect();
        let definitions: Vec<_> = mine
            .iter()
            .map(|index| self.targets[*index].clone())
            .collect();
        let report = wait::wait(
            self.cluster,
            &definitions,
            DEFINITION_TIMEOUT,
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
        report.end == wait::End::Ready
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
