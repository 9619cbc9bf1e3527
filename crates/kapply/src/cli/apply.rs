//! `kapply apply`

use std::time::Duration;

use super::{
    Results, duration,
    exit::{self, Exit},
    input::Input,
    input::Prepared,
    output,
    planning::Planning,
    pruning::{self, HandOver, Pruned},
    set_flags::SetFlags,
    signal,
};
use crate::{
    apply::{Applied, ApplyOptions, apply},
    connect::{Cluster, ConnectOptions},
    delete::DeleteOptions,
    error::Error,
    interrupt::Interrupt,
    plan::{Action, Blocked, Check, Plan, plan},
    report::{self, json, progress::Progress, text},
    resolve::Target,
    schema,
    set::{ApplySet, Tooling, WriteOptions},
    wait::{self, WaitReport},
};

/// Flags of `kapply apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    set: SetFlags,
    #[command(flatten)]
    hand_over: HandOver,
    /// Ask the server what would happen, and change nothing
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = ["server"])]
    dry_run: Option<String>,
    /// Wait until everything that was applied is ready
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// How long to wait, such as 90s or 5m; 0 looks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

impl ApplyCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let Some(prepared) = signal::or_interrupted(&interrupt, self.prepare(connect)).await else {
            output::error("interrupted before anything was sent");
            return Ok(Exit::Interrupted);
        };
        let (prepared, mut set) = prepared?;
        let tooling = self.hand_over.tooling()?;
        let Prepared {
            cluster,
            catalog,
            targets,
        } = &prepared;
        Input::warn(targets);
        let mut plan = self.plan(cluster, targets, &interrupt).await;
        if !is_broken(&plan) {
            self.set.judge(set.as_ref(), &prepared, &mut plan).await?;
        }
        if let Some(set) = set.as_mut().filter(|_| !is_blocked(&plan)) {
            let options = WriteOptions {
                dry_run: self.dry_run.is_some(),
                field_manager: &self.planning.field_manager,
            };
            for note in set.widen(cluster, catalog, targets, options).await? {
                output::warning(&note);
            }
        }
        let results = self.apply(cluster, targets, &plan, &interrupt).await;
        let all_applied = results.iter().all(|applied| applied.outcome.is_applied());
        let waiting: Vec<usize> = (0..targets.len())
            .filter(|index| wait::is_waited_for(&targets[*index]))
            .collect();
        let waited = if self.wait && all_applied {
            Some(self.wait(cluster, targets, &waiting, &interrupt).await)
        } else {
            None
        };
        let end = waited.as_ref().map(|report| report.end);
        let is_done =
            all_applied && end.is_none_or(|end| end == wait::End::Ready) && !interrupt.is_set();
        let pruned = match set.as_mut().filter(|_| self.set.prune && is_done) {
            Some(set) => Some(
                self.prune(set, &prepared, &plan, tooling.as_ref(), &interrupt)
                    .await,
            ),
            None => {
                pruning::not_pruned(&plan);
                None
            }
        };
        if self.output == Results::Json {
            let waits: Vec<_> = waiting
                .into_iter()
                .zip(
                    waited
                        .into_iter()
                        .flat_map(|report: WaitReport| report.objects),
                )
                .collect();
            let mut document = json::applied(targets, &results, &waits, end);
            if let Some(set) = &set {
                let fates = pruned.as_ref().map(|pruned| pruned.fates.as_slice());
                document["set"] = report::set::set(set);
                document["prunes"] = report::set::prunes(&plan.prunes, fates);
            }
            output::answer(&format!("{document:#}"));
        }
        let applied = exit::code(&results, end, interrupt.is_set());
        Ok(exit::first([
            applied,
            pruned.map_or(Exit::Done, |pruned| pruned.exit),
        ]))
    }

    /// Reads the input, opens the set and labels its targets.
    async fn prepare(
        &self,
        connect: &ConnectOptions,
    ) -> Result<(Prepared, Option<ApplySet>), Error> {
        let mut prepared = self
            .input
            .prepared(connect, self.set.may_be_empty())
            .await?;
        let set = self.set.open(connect, &mut prepared).await?;
        Ok((prepared, set))
    }

    async fn plan(&self, cluster: &Cluster, targets: &[Target], interrupt: &Interrupt) -> Plan {
        let check = if self.dry_run.is_some() {
            Check::Unproved
        } else {
            Check::Updates
        };
        let schemas = schema::of_targets(cluster, targets).await;
        let options = self.planning.options(check);
        plan(cluster, targets, &schemas, &options, interrupt).await
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
            timeout: self.timeout,
            concurrency: self.planning.concurrency.get(),
            ..DeleteOptions::default()
        };
        pruning::prune(
            set,
            prepared,
            plan,
            tooling,
            &options,
            self.output,
            interrupt,
        )
        .await
    }

    async fn apply(
        &self,
        cluster: &Cluster,
        targets: &[Target],
        plan: &Plan,
        interrupt: &Interrupt,
    ) -> Vec<Applied> {
        let options = ApplyOptions {
            field_manager: self.planning.field_manager.clone(),
            dry_run: self.dry_run.is_some(),
            exactly_as_planned: false,
            concurrency: self.planning.concurrency.get(),
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
        let results = apply(cluster, targets, plan, &options, interrupt, show).await;
        for line in text::not_sent(targets, &results) {
            output::line(&line);
        }
        if self.output == Results::Text {
            output::answer(&text::summary(&results));
        }
        results
    }

    async fn wait(
        &self,
        cluster: &Cluster,
        targets: &[Target],
        waiting: &[usize],
        interrupt: &Interrupt,
    ) -> WaitReport {
        let targets: Vec<_> = waiting
            .iter()
            .map(|index| targets[*index].clone())
            .collect();
        super::wait::run(
            cluster,
            &targets,
            self.timeout,
            interrupt,
            self.output,
            Progress::default(),
        )
        .await
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
