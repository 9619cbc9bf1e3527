//! The command line, and what each of its words becomes in a [`Plan`](crate::plan::Plan).

mod load;
mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub use self::{load::LoadArgs, run::RunArgs};

/// Drills that prove what a Kubernetes workload promises, under load.
#[derive(Debug, Parser)]
#[command(name = "kdrill", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Exit codes: 0 every promise held, or nothing got worse; 1 a promise was broken, or something got
worse; 2 an error; 130 interrupted.

Examples:
  kdrill list
  kdrill compare reports/monday reports/tuesday --tolerance 30
  kdrill run replicas balance --namespace demo --report out
  kdrill run node-loss --namespace demo --report out \\
      --load-via 'klab --name demo exec server --' --protect-node server \\
      --node-down 'klab --name demo node stop' --node-up 'klab --name demo node start'";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry out drills in the order given, and report
    Run(Box<RunArgs>),
    /// Say what each drill promises
    List {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Compare two runs: did anything get worse?
    Compare(CompareArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Generate load and report each request as a line of JSON; what `run` starts behind --load-via
    #[command(hide = true)]
    Load(LoadArgs),
}

/// `kdrill compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run before: its report folder or timeline.json
    pub before: PathBuf,
    /// The run after
    pub after: PathBuf,
    /// How many hundredths worse a number may be without counting as worse
    #[arg(long, value_name = "PERCENT", default_value_t = 20.0)]
    pub tolerance: f64,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}
