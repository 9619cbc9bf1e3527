//! `kapply wait`, and the waiting of `kapply apply --wait`.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Results,
    exit::{self, Exit},
    input::Input,
    output, signal,
};
use crate::{
    connect::{Cluster, ConnectOptions},
    error::Error,
    interrupt::Interrupt,
    mask::Mask,
    problem::Problem,
    report::{progress::Progress, text, waited},
    resolve::Target,
    wait::{State, TimeoutFor, WaitFor, WaitOptions, WaitReport, duration, wait},
};

/// Flags of `kapply wait`.
#[derive(Debug, clap::Args)]
pub(super) struct WaitCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    waiting: Waiting,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

/// How to wait.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct Waiting {
    /// How long to wait, such as 90s or 5m; 0 looks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(super) timeout: Duration,
    /// Another timeout for some objects, such as job/migrate=20m; so does the annotation kapply.dev/timeout (repeatable)
    #[arg(long, value_name = "KIND[.GROUP][/NAME]=DURATION")]
    timeout_for: Vec<TimeoutFor>,
    /// When an object is ready: condition:TYPE[=STATUS] or jsonpath:EXPR[=VALUE], alternatives joined with |;
    /// so does the annotation kapply.dev/wait-for (repeatable)
    #[arg(long, value_name = "KIND[.GROUP]/NAME=CHECK")]
    wait_for: Vec<WaitFor>,
    /// Restarts that a container may need before it counts as a crash loop
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow_restarts: u32,
}

impl Waiting {
    /// The flags that mean nothing where nothing is waited for.
    ///
    /// # Errors
    /// If one of them was given.
    pub(super) fn unused(&self) -> Result<(), Problem> {
        if self.timeout_for.is_empty() && self.wait_for.is_empty() && self.allow_restarts == 0 {
            return Ok(());
        }
        let message = "--timeout-for, --wait-for and --allow-restarts say how to wait; add --wait";
        Err(Problem::general(message))
    }

    /// The options for these targets. To be made before anything is applied.
    ///
    /// # Errors
    /// A flag or an annotation that does not fit the targets.
    pub(super) fn options(
        &self,
        targets: &[Target],
        since: Option<Timestamp>,
        mask: Mask,
    ) -> Result<WaitOptions, Error> {
        let options = WaitOptions {
            timeout: self.timeout,
            timeouts: self.timeout_for.clone(),
            goals: self.wait_for.clone(),
            allow_restarts: self.allow_restarts,
            since,
            mask,
        };
        options.check(targets)?;
        Ok(options)
    }
}

impl WaitCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let Some(prepared) = signal::or_interrupted(&interrupt, self.input.targets(connect)).await
        else {
            output::error("interrupted");
            return Ok(Exit::Interrupted);
        };
        let (cluster, targets) = prepared?;
        let options = self.waiting.options(&targets, None, cluster.mask.clone())?;
        let report = run(&cluster, &targets, &options, &interrupt, self.output).await;
        if self.output == Results::Json {
            output::answer(&format!("{:#}", waited::document(&targets, &report)));
        }
        Ok(exit::waited(report.end))
    }
}

/// Waits with progress on stderr, and says at the end what is ready and what is not.
pub(super) async fn run(
    cluster: &Cluster,
    targets: &[Target],
    options: &WaitOptions,
    interrupt: &Interrupt,
    results: Results,
) -> WaitReport {
    let mut progress = Progress::new(targets);
    let report = wait(cluster, targets, options, interrupt, |target, waited| {
        // A look is over before anybody could read that.
        if !options.timeout.is_zero() {
            progress.show(target, waited);
        }
    })
    .await;
    progress.clear();
    for paragraph in waited::not_ready(targets, &report) {
        output::line(&paragraph);
    }
    if results == Results::Text {
        for (target, waited) in targets.iter().zip(&report.objects) {
            if waited.status.state == State::Ready {
                output::answer(&format!("{} ready", text::subject(target)));
            }
        }
        output::line(&waited::summary(&report));
    }
    report
}
