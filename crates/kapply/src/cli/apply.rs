//! `kapply apply`

use std::time::Duration;

use super::{
    Results, duration,
    exit::{self, Exit},
    input::Input,
    output,
    planning::Planning,
    signal,
};
use crate::{
    apply::{Applied, ApplyOptions, apply},
    connect::{Cluster, ConnectOptions},
    error::Error,
    interrupt::Interrupt,
    plan::{Check, plan},
    report::{json, progress::Progress, text},
    resolve::Target,
    schema,
    wait::{self, WaitReport},
};

/// Flags of `kapply apply`.
#[derive(Debug, clap::Args)]
pub(super) struct ApplyCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: Planning,
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
        let Some(prepared) = signal::or_interrupted(&interrupt, self.input.targets(connect)).await
        else {
            output::error("interrupted before anything was sent");
            return Ok(Exit::Interrupted);
        };
        let (cluster, targets) = prepared?;
        Input::warn(&targets);
        let results = self.apply(&cluster, &targets, &interrupt).await;
        let all_applied = results.iter().all(|applied| applied.outcome.is_applied());
        let waiting: Vec<usize> = (0..targets.len())
            .filter(|index| wait::is_waited_for(&targets[*index]))
            .collect();
        let waited = if self.wait && all_applied {
            Some(self.wait(&cluster, &targets, &waiting, &interrupt).await)
        } else {
            None
        };
        let end = waited.as_ref().map(|report| report.end);
        if self.output == Results::Json {
            let waits: Vec<_> = waiting
                .into_iter()
                .zip(
                    waited
                        .into_iter()
                        .flat_map(|report: WaitReport| report.objects),
                )
                .collect();
            output::answer(&format!(
                "{:#}",
                json::applied(&targets, &results, &waits, end)
            ));
        }
        Ok(exit::code(&results, end, interrupt.is_set()))
    }

    async fn apply(
        &self,
        cluster: &Cluster,
        targets: &[Target],
        interrupt: &Interrupt,
    ) -> Vec<Applied> {
        let check = if self.dry_run.is_some() {
            Check::Unproved
        } else {
            Check::Updates
        };
        let schemas = schema::of_targets(cluster, targets).await;
        let plan = plan(
            cluster,
            targets,
            &schemas,
            &self.planning.options(check),
            interrupt,
        )
        .await;
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
        let results = apply(cluster, targets, &plan, &options, interrupt, show).await;
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
