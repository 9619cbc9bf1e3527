//! `kapply apply`

use super::{
    Results,
    exit::{self, Exit},
    input::Input,
    output,
    planning::Planning,
    preflight, signal,
    wait::Waiting,
};
use crate::{
    apply::{Applied, ApplyOptions, apply},
    connect::{Cluster, ConnectOptions},
    error::Error,
    interrupt::Interrupt,
    plan::{Check, plan},
    preflight::Needs,
    report::{json, text},
    resolve::Target,
    schema::Schemas,
    wait::{self, WaitOptions, WaitReport},
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
    /// Ask first whether every permission is there; if not, name those that are missing
    #[arg(long)]
    preflight: bool,
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
        let Some(prepared) = signal::or_interrupted(&interrupt, self.input.targets(connect)).await
        else {
            output::error("interrupted before anything was sent");
            return Ok(Exit::Interrupted);
        };
        let (cluster, targets) = prepared?;
        let options = self.waiting(&cluster, &targets).await?;
        if self.preflight && !preflight::is_permitted(&cluster, &self.needs(&targets)).await? {
            return Ok(Exit::Error);
        }
        let results = self.apply(&cluster, &targets, &interrupt).await;
        let all_applied = results.iter().all(|applied| applied.outcome.is_applied());
        let waiting: Vec<usize> = (0..targets.len())
            .filter(|index| wait::is_waited_for(&targets[*index]))
            .collect();
        let waited = match options {
            Some(options) if all_applied => {
                let waiting = waiting.iter().map(|index| targets[*index].clone());
                let waiting: Vec<_> = waiting.collect();
                Some(super::wait::run(&cluster, &waiting, &options, &interrupt, self.output).await)
            }
            _ => None,
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
        let schemas = Schemas::default();
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

    fn needs(&self, targets: &[Target]) -> Needs {
        let mut needs = Needs::default();
        needs.apply(targets);
        let anew = self.planning.options(Check::Updates).recreate;
        let anew = targets.iter().filter(|target| {
            let label = target.object.label().to_string();
            anew.contains(&label)
        });
        needs.delete(&anew.cloned().collect::<Vec<_>>());
        if self.wait {
            let waiting = targets.iter().filter(|target| wait::is_waited_for(target));
            needs.wait(&waiting.cloned().collect::<Vec<_>>());
        }
        needs
    }

    /// How to wait, if that is asked for; made before anything changes.
    async fn waiting(
        &self,
        cluster: &Cluster,
        targets: &[Target],
    ) -> Result<Option<WaitOptions>, Error> {
        if !self.wait {
            return Ok(None);
        }
        let since = wait::server_time(cluster).await;
        self.waiting.options(targets, since).map(Some)
    }
}
