//! `kapply apply`

use std::path::PathBuf;

use super::{
    Results,
    exit::{self, Exit},
    input::Prepared,
    output, plan,
    pruning::{self, HandOver, Pruned},
    signal,
    wait::Waiting,
    work::{Planned, Work},
};
use crate::{
    apply::{Applied, ApplyOptions, apply},
    connect::ConnectOptions,
    delete::DeleteOptions,
    error::Error,
    interrupt::Interrupt,
    plan::{Action, Blocked, Check, Plan, Proof, Step, file::PlanFile},
    problem::{Problem, Problems},
    report::{self, json, text},
    resolve::Target,
    set::{ApplySet, Tooling, WriteOptions},
    wait::{self, WaitOptions, WaitReport},
};

/// Flags of `kapply apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyCommand {
    #[command(flatten)]
    work: Work,
    #[command(flatten)]
    hand_over: HandOver,
    /// Do exactly what is in this file of kapply plan --out, or nothing
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Ask the server what would happen, and change nothing
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = ["server"])]
    dry_run: Option<String>,
    /// Wait until everything that was applied is ready
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    #[command(flatten)]
    waiting: Waiting,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

impl ApplyCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let stored = self.plan.as_deref().map(PlanFile::read).transpose()?;
        let tooling = self.hand_over.tooling()?;
        let Some(opened) = self.work.open(connect, &interrupt).await? else {
            return Ok(Exit::Interrupted);
        };
        let waiting = self.waiting(&opened.prepared).await?;
        if !self.work.is_permitted(&opened, self.wait).await? {
            return Ok(Exit::Error);
        }
        let check = if self.dry_run.is_some() || stored.is_some() {
            Check::Unproved
        } else {
            Check::Updates
        };
        let Some(planned) = self.work.plan(opened, check, &interrupt).await? else {
            return Ok(Exit::Interrupted);
        };
        self.guard(&planned, stored.as_ref()).await?;
        self.carry_out(planned, waiting, tooling.as_ref(), &interrupt)
            .await
    }

    /// Refuses what may not be done; what is broken is reported with its object instead.
    async fn guard(&self, planned: &Planned, stored: Option<&PlanFile>) -> Result<(), Error> {
        if is_broken(&planned.plan) {
            return Ok(());
        }
        planned.refused.clone().or(()).map_err(Error::Guard)?;
        let Some(stored) = stored else { return Ok(()) };
        let moved = plan::moved(stored, planned).await?;
        let moved = moved
            .iter()
            .map(|moved| Problem::general(format!("not as planned: {moved}")));
        Problems(moved.collect()).or(()).map_err(Error::Guard)
    }

    async fn carry_out(
        &self,
        planned: Planned,
        waiting: Option<WaitOptions>,
        tooling: Option<&Tooling>,
        interrupt: &Interrupt,
    ) -> Result<Exit, Error> {
        let Planned {
            mut opened,
            mut plan,
            ..
        } = planned;
        let prepared = &opened.prepared;
        if let Some(set) = opened.set.as_mut().filter(|_| !is_blocked(&plan)) {
            self.widen(set, prepared, &mut plan).await?;
        }
        let results = self.apply(prepared, &plan, interrupt).await;
        let all_applied =
            results.iter().all(|applied| applied.outcome.is_applied()) && !interrupt.is_set();
        let pruned = match opened.set.as_mut() {
            Some(set) if self.work.set.prune && all_applied => {
                Some(self.prune(set, prepared, &plan, tooling, interrupt).await)
            }
            _ => {
                pruning::not_pruned(&plan);
                None
            }
        };
        let targets = &prepared.targets;
        let indices: Vec<usize> = (0..targets.len())
            .filter(|index| wait::is_waited_for(&targets[*index]))
            .collect();
        let waited = match waiting {
            Some(options) if all_applied => {
                let targets: Vec<_> = indices.iter().map(|at| targets[*at].clone()).collect();
                let cluster = &prepared.cluster;
                Some(super::wait::run(cluster, &targets, &options, interrupt, self.output).await)
            }
            _ => None,
        };
        let end = waited.as_ref().map(|report| report.end);
        if self.output == Results::Json {
            let waited = waited
                .into_iter()
                .flat_map(|report: WaitReport| report.objects);
            let waits: Vec<_> = indices.into_iter().zip(waited).collect();
            let mut document = json::applied(targets, &results, &waits, end);
            if let Some(set) = &opened.set {
                let fates = pruned.as_ref().map(|pruned| pruned.fates.as_slice());
                document["set"] = report::set::set(set);
                document["prunes"] = report::set::prunes(&plan.prunes, fates);
            }
            output::answer(&format!("{document:#}"));
        }
        let applied = exit::code(&results, end, interrupt.is_set());
        let pruned = pruned.map_or(Exit::Done, |pruned| pruned.exit);
        Ok(exit::first([applied, pruned]))
    }

    /// Writes down what may be in the set from now on, before anything is.
    async fn widen(
        &self,
        set: &mut ApplySet,
        prepared: &Prepared,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        let Prepared {
            cluster,
            catalog,
            targets,
        } = prepared;
        let options = WriteOptions {
            dry_run: self.dry_run.is_some(),
            field_manager: &self.work.planning.field_manager,
        };
        let widened = set.widen(cluster, catalog, targets, options).await?;
        widened.notes.iter().for_each(|note| output::warning(note));
        if let Some(index) = widened.made {
            plan.steps[index] = Step {
                notes: vec!["made just now, for the set's parent".to_owned()],
                ..Step::of(Action::Unchanged(Proof::Server))
            };
        }
        Ok(())
    }

    async fn apply(&self, prepared: &Prepared, plan: &Plan, interrupt: &Interrupt) -> Vec<Applied> {
        let options = ApplyOptions {
            field_manager: self.work.planning.field_manager.clone(),
            dry_run: self.dry_run.is_some(),
            exactly_as_planned: self.plan.is_some(),
            concurrency: self.work.planning.concurrency.get(),
        };
        let show = |target: &Target, applied: &Applied| {
            for warning in &applied.warnings {
                output::warning(&format!(
                    "{}: {}: {warning}",
                    target.object.place,
                    text::subject(target)
                ));
            }
            match text::applied(target, applied, options.dry_run) {
                Some(line) if self.output == Results::Text => output::answer(&line),
                Some(_) => {}
                None => text::refused(target, applied)
                    .iter()
                    .for_each(|text| output::line(text)),
            }
        };
        let (cluster, targets) = (&prepared.cluster, &prepared.targets);
        let results = apply(cluster, targets, plan, &options, interrupt, show).await;
        for line in text::not_sent(targets, &results) {
            output::line(&line);
        }
        if self.output == Results::Text {
            output::answer(&text::summary(&results));
        }
        results
    }

    async fn prune(
        &self,
        set: &mut ApplySet,
        prepared: &Prepared,
        plan: &Plan,
        tooling: Option<&Tooling>,
        interrupt: &Interrupt,
    ) -> Pruned {
        let options = DeleteOptions {
            dry_run: self.dry_run.is_some(),
            timeout: self.waiting.timeout,
            concurrency: self.work.planning.concurrency.get(),
            ..DeleteOptions::default()
        };
        let output = self.output;
        pruning::prune(set, prepared, plan, tooling, &options, output, interrupt).await
    }

    /// How to wait, if that is asked for; made before anything changes.
    async fn waiting(&self, prepared: &Prepared) -> Result<Option<WaitOptions>, Error> {
        if !self.wait {
            self.waiting.unused().map_err(Problems::from)?;
            return Ok(None);
        }
        let cluster = &prepared.cluster;
        let since = wait::server_time(cluster).await;
        self.waiting
            .options(&prepared.targets, since, cluster.mask.clone())
            .map(Some)
    }
}

/// Whether nothing may be changed.
fn is_blocked(plan: &Plan) -> bool {
    plan.steps
        .iter()
        .any(|step| matches!(step.action, Action::Blocked(_)))
}

/// Whether something is wrong that comes before every guard.
fn is_broken(plan: &Plan) -> bool {
    let broken = |action: &Action| matches!(action, Action::Blocked(blocked) if !matches!(blocked, Blocked::Conflict(_)));
    plan.steps.iter().any(|step| broken(&step.action))
}
