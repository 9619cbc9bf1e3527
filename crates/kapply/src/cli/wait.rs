//! `kapply wait`

use std::time::Duration;

use super::{
    Results, duration,
    exit::{self, Exit},
    input::Input,
    output, signal,
};
use crate::{
    connect::{Cluster, ConnectOptions},
    error::Error,
    interrupt::Interrupt,
    report::{json, progress::Progress, text},
    resolve::Target,
    wait::{State, WaitReport, wait},
};

/// Flags of `kapply wait`.
#[derive(Debug, clap::Args)]
pub(super) struct WaitCommand {
    #[command(flatten)]
    input: Input,
    /// How long to wait, such as 90s or 5m; 0 looks once
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
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
        let report = run(
            &cluster,
            &targets,
            self.timeout,
            &interrupt,
            self.output,
            Progress::default(),
        )
        .await;
        if self.output == Results::Json {
            output::answer(&format!("{:#}", json::waited(&targets, &report)));
        }
        Ok(exit::waited(report.end))
    }
}

/// Waits with progress on stderr, and says at the end what is ready and what is not.
pub(super) async fn run(
    cluster: &Cluster,
    targets: &[Target],
    timeout: Duration,
    interrupt: &Interrupt,
    results: Results,
    mut progress: Progress,
) -> WaitReport {
    let report = wait(cluster, targets, timeout, interrupt, |target, status| {
        progress.show(target, status);
    })
    .await;
    progress.clear();
    for line in text::not_ready(targets, &report, timeout) {
        output::line(&line);
    }
    if results == Results::Text {
        for (target, waited) in targets.iter().zip(&report.objects) {
            if waited.status.state == State::Ready {
                output::answer(&format!("{} ready", text::subject(target)));
            }
        }
    }
    report
}
