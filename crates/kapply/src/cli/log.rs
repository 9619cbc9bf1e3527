//! What `-v` writes to stderr: methods, paths, codes and times. Bodies are
//! never logged, and neither are the headers that carry credentials.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Flags of the log.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct LogOptions {
    /// Log requests and watches to stderr (-v), retries (-vv), the client (-vvv); never their bodies
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// How to write the log
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        global = true
    )]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A line for people
    #[default]
    Text,
    /// A JSON object per line
    Json,
}

/// Starts to log.
pub(super) fn start(options: LogOptions) {
    let filter = match options.verbose {
        0 => "off",
        1 => "kapply=info",
        2 => "kapply=debug",
        _ => "kapply=trace,kube_client=debug,kube_runtime=debug",
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match options.log_format {
        LogFormat::Text => layer.with_ansi(colour).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    // A program that uses the library may have its own subscriber.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(EnvFilter::new(filter)))
        .try_init();
}
