//! The command line, and what each of its words becomes in a [`Plan`].

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;

use crate::{
    command::UserCommand,
    drills::{self, Drill, Params},
    error::{Error, Result},
    load::{generate, handle::LoadOptions},
    run::Plan,
};

/// Drills that prove what a Kubernetes workload promises, under load.
#[derive(Debug, Parser)]
#[command(name = "kdrill", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Exit codes: 0 every promise held; 1 a promise was broken; 2 an error; 130 interrupted.

Examples:
  kdrill list
  kdrill run replicas balance --namespace demo --report out
  kdrill run node-loss --namespace demo --report out \\
      --load-via 'klab --name demo exec server --' --protect-node server \\
      --node-down 'klab --name demo node stop' --node-up 'klab --name demo node start'";

const RUN_EXAMPLES: &str = "\
CMD is split into words as a shell does and run without one.

Examples:
  On a node of the cluster, where the Service's address is reachable:
    kdrill run replicas balance scale --namespace demo --report out
  Against a local cluster, whose network is entered by --load-via:
    kdrill run replicas balance node-add scale node-loss --namespace demo --report out \\
        --load-via 'klab --name demo exec server --' --node-add 'klab --name demo node add' \\
        --node-down 'klab --name demo node stop' --node-up 'klab --name demo node start'
  While something else crashes machines:
    kdrill run node-loss --namespace demo --report out \\
        --expect-lost agent1 --ready-marker /tmp/crash-it --recovered-marker /tmp/start-it";

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

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// `kdrill run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// The drills, carried out in this order; `kdrill list` explains them
    #[arg(required = true, value_name = "DRILL", value_parser = drill)]
    pub drills: Vec<&'static Drill>,
    /// The namespace of the Deployment and the Service [default: the context's]
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, then ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context
    #[arg(long)]
    pub context: Option<String>,
    /// The Deployment
    #[arg(long, value_name = "NAME", default_value = "web-deployment")]
    pub deployment: String,
    /// The Service in front of it
    #[arg(long, value_name = "NAME", default_value = "python-service")]
    pub service: String,
    /// The folder for timeline.json and report.html
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
    /// How many replicas there must be
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub replicas: u16,
    /// How many the scale drill scales to [default: twice --replicas]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=2000))]
    pub scale_to: Option<u16>,
    /// How many requests the balance drill counts
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: u64,
    /// Requests per second, each on a fresh connection
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(generate::HIGHEST_RATE)))]
    pub rate: u32,
    /// The command behind which to run the load generator, in the cluster's network
    #[arg(long, value_name = "CMD")]
    pub load_via: Option<String>,
    /// The command that cuts a node; its name is appended
    #[arg(long, value_name = "CMD")]
    pub node_down: Option<String>,
    /// The command that starts a node; its name is appended
    #[arg(long, value_name = "CMD")]
    pub node_up: Option<String>,
    /// The command that adds a node
    #[arg(long, value_name = "CMD")]
    pub node_add: Option<String>,
    /// A node never to cut, such as the one the load runs on; control-plane nodes never are
    #[arg(long, value_name = "NODE")]
    pub protect_node: Vec<String>,
    /// Wait for others to cut this node and to bring it back
    #[arg(long, value_name = "NODE")]
    pub expect_lost: Option<String>,
    /// Write the node's name to this file once it may be cut
    #[arg(long, value_name = "FILE")]
    pub ready_marker: Option<PathBuf>,
    /// Write the node's name to this file once it may be started again
    #[arg(long, value_name = "FILE")]
    pub recovered_marker: Option<PathBuf>,
    /// How many requests may fail in a drill; in node-loss, outside its window
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_failed: u64,
    /// How long it may take until all replicas are Ready on living nodes
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub max_recovery: Duration,
    /// How long to wait for a state before its promise counts as broken
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
    /// How long all requests must have been answered before and after a node is cut
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub steady: Duration,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

/// `kdrill load`.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// http://HOST:PORT/PATH
    #[arg(long, value_name = "URL")]
    pub target: String,
    /// Requests due in each second
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(generate::HIGHEST_RATE)))]
    pub rate: u32,
    /// How long a request may take
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub timeout: Duration,
    /// Requests in flight at once; what falls due beyond fails as overload
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub max_in_flight: usize,
    /// End after this, even if standard input stays open
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub max_duration: Duration,
}

impl RunArgs {
    /// The plan; `program` is this binary and `namespace` what the context names.
    ///
    /// # Errors
    /// [`Error::Usage`] for a command that cannot be split, or flags that do not go together.
    pub fn plan(self, program: PathBuf, namespace: &str) -> Result<Plan> {
        let command = |flag, text: Option<String>| {
            text.map(|text| UserCommand::parse(flag, &text)).transpose()
        };
        let replicas = usize::from(self.replicas);
        let plan = Plan {
            drills: self.drills,
            namespace: self.namespace.unwrap_or_else(|| namespace.to_owned()),
            deployment: self.deployment,
            service: self.service,
            report: self.report,
            program,
            load: LoadOptions {
                via: command("--load-via", self.load_via)?,
                ..LoadOptions::to("", self.rate)
            },
            params: Params {
                replicas,
                scale_to: self.scale_to.map_or(2 * replicas, usize::from),
                requests: self.requests,
                max_failed: self.max_failed,
                max_recovery: self.max_recovery,
                timeout: self.timeout,
                steady: self.steady,
                node_down: command("--node-down", self.node_down)?,
                node_up: command("--node-up", self.node_up)?,
                node_add: command("--node-add", self.node_add)?,
                protect: self.protect_node,
                expect_lost: self.expect_lost,
                ready_marker: self.ready_marker,
                recovered_marker: self.recovered_marker,
            },
        };
        plan.check()?;
        Ok(plan)
    }
}

impl LoadArgs {
    /// The generator's plan.
    #[must_use]
    pub fn plan(self) -> generate::Plan {
        generate::Plan {
            target: self.target,
            rate: self.rate,
            timeout: self.timeout,
            max_in_flight: self.max_in_flight,
            max_duration: self.max_duration,
        }
    }
}

fn drill(name: &str) -> Result<&'static Drill> {
    drills::named(name).ok_or_else(|| {
        let names: Vec<_> = drills::ALL.iter().map(|drill| drill.name).collect();
        Error::Usage(format!(
            "there is no such drill; there are {}",
            names.join(", ")
        ))
    })
}

fn duration(text: &str) -> Result<Duration> {
    let wrong = || Error::Usage("not a length of time such as 500ms, 30s or 2m".to_owned());
    let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn plan(arguments: &str) -> Result<Plan> {
        let words = shell_words::split(arguments).unwrap();
        let cli = Cli::try_parse_from(
            ["kdrill", "run", "--report", "r"]
                .into_iter()
                .chain(words.iter().map(String::as_str)),
        )
        .map_err(|error| Error::Usage(error.to_string()))?;
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        run.plan(PathBuf::from("kdrill"), "default")
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn drills_keep_their_order_and_the_defaults_are_the_documented_ones() {
        let plan = plan("scale replicas -n demo").unwrap();
        let names: Vec<_> = plan.drills.iter().map(|drill| drill.name).collect();
        assert_eq!(names, ["scale", "replicas"]);
        assert_eq!(
            (plan.params.replicas, plan.params.scale_to, plan.load.rate),
            (3, 6, 200)
        );
        assert_eq!(plan.params.max_recovery, Duration::from_secs(30));
        assert_eq!(plan.namespace, "demo");
    }

    #[test]
    fn what_a_drill_needs_is_asked_for_first() {
        let refused = |arguments: &str, word: &str| {
            let error = plan(arguments).unwrap_err().to_string();
            assert!(error.contains(word), "{arguments}: {error}");
        };
        refused("nonsense", "no such drill; there are replicas, balance");
        refused("node-loss", "--node-down CMD");
        refused("node-loss --node-down x", "--node-up CMD");
        refused(
            "node-loss --node-down x --node-up y --expect-lost n",
            "give one of them",
        );
        refused("node-add", "--node-add CMD");
        refused("node-add --node-add \"a 'b\"", "--node-add a 'b");
        refused(
            "scale --scale-to 3",
            "--scale-to 3 is not more than --replicas 3",
        );
        refused("scale --timeout 0s", "not a length of time");
        refused("scale --rate 0", "0 is not in 1..=20000");
        assert!(plan("node-loss --expect-lost agent1").is_ok());
    }
}
