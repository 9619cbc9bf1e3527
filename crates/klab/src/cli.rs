//! The command line. Nothing here starts a thread before a command asks for
//! it: entering a node's namespaces needs a process with one.

use std::{
    future::Future,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
};

use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use klab::{
    cloud,
    control::{down, load, logs, nodes, restart, status, up},
    doctor,
    net::{slow::Slowness, switch},
    node::{enter, init, launch},
    progress::Progress,
    runtime::{self, Part},
    spec::{ClusterName, ExtraArguments, MAX_NODES, MAX_SERVERS},
    state::{DEFAULT_ROOT, Folder},
};

/// A real multi-node Kubernetes cluster on one Linux machine, without Docker or VMs.
#[derive(Parser)]
#[command(
    name = "klab",
    version,
    after_help = "\
Examples:
  klab up                               three nodes: server, agent1, agent2
  export KUBECONFIG=$(klab kubeconfig --path)
  klab load hostname-server.tar         an image for every node
  klab node stop agent1                 a power cut
  klab down                             nothing is left
  klab doctor                           what this machine lacks

Exit codes: 0 done, 1 it failed, 2 wrong usage; `exec` gives the command's own."
)]
struct Cli {
    /// The cluster's name
    #[arg(long, global = true, default_value = "klab", env = "KLAB_NAME")]
    name: ClusterName,
    /// The folder that clusters are kept in
    #[arg(long, global = true, default_value = DEFAULT_ROOT, env = "KLAB_STATE", hide_env_values = true)]
    state: PathBuf,
    /// Say nothing while working
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a cluster
    #[command(after_help = "\
Examples:
  klab up --nodes 2
  klab up --servers 3 --nodes 5             a control plane that survives losing a server
  klab up --registry=5000                   push to 127.0.0.1:5000, and pods pull it
  klab up --kubelet-arg max-pods=20
  klab --name api up --control-plane-only   an API server in five seconds, no pods")]
    Up(Up),
    /// Remove a cluster: its processes, mounts, cgroups and files
    Down,
    /// Show a cluster's nodes and whether they work
    Status {
        /// The format
        #[arg(long, short, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Print the administrator's kubeconfig
    Kubeconfig {
        /// Print the file's path instead
        #[arg(long)]
        path: bool,
    },
    /// Add, stop, start, cut off, restart or remove a node
    #[command(subcommand)]
    Node(Node),
    /// Import an image archive on every node, now and whenever one starts
    Load {
        /// An OCI archive or layout
        archive: PathBuf,
    },
    /// Run a command on a node, in its namespaces
    #[command(after_help = "\
Examples:
  klab exec agent1 -- ip address
  klab exec server -- crictl ps")]
    Exec {
        /// The node
        node: String,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Print what a component of a node has logged
    #[command(after_help = "Example:\n  klab logs agent1 kubelet | tail")]
    Logs {
        /// The node
        node: String,
        /// kubelet, containerd, kube-proxy, init; on the server also etcd, kube-apiserver, …
        component: String,
    },
    /// Try what clusters need of this machine, and say how to get what is missing
    Doctor {
        /// The format
        #[arg(long, short, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// The programs that clusters run
    #[command(subcommand)]
    Runtime(Runtime),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// How klab calls itself
    #[command(subcommand, hide = true)]
    Internal(Internal),
}

#[derive(Args)]
struct Up {
    /// How many nodes, the servers among them [default: 3, or as many as --servers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_NODES)))]
    nodes: Option<u8>,
    /// How many of them run the control plane: 1, or 3 or 5, of which one or two may be lost
    #[arg(long, value_name = "N", default_value = "1", value_parser = servers)]
    servers: u8,
    /// Only etcd, API server, controller manager and scheduler: nothing that runs pods
    #[arg(long, conflicts_with = "nodes")]
    control_plane_only: bool,
    /// A registry that every node pulls from, at 127.0.0.1:PORT for you and for pods alike
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "control_plane_only")]
    registry: Option<u16>,
    /// The API server's port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT")]
    api_port: Option<u16>,
    /// No name server: names of Services are not resolved
    #[arg(long)]
    no_dns: bool,
    /// A further flag of every kubelet (may be repeated)
    #[arg(long, value_name = "FLAG=VALUE", conflicts_with = "control_plane_only")]
    kubelet_arg: Vec<String>,
    /// A further flag of every API server (may be repeated)
    #[arg(long, value_name = "FLAG=VALUE")]
    apiserver_arg: Vec<String>,
    /// Leave a cluster that did not start, for a look at its logs
    #[arg(long)]
    keep_failed: bool,
}

impl Up {
    fn checked(self) -> Result<up::Options> {
        let nodes = self.nodes.unwrap_or(self.servers.max(3));
        if nodes < self.servers {
            bail!(
                "--nodes {nodes} are fewer than --servers {}: servers are nodes, too",
                self.servers
            );
        }
        Ok(up::Options {
            nodes,
            servers: self.servers,
            control_plane_only: self.control_plane_only,
            api_port: self.api_port,
            registry: self.registry,
            dns: !self.no_dns,
            arguments: ExtraArguments {
                kubelet: self.kubelet_arg,
                api_server: self.apiserver_arg,
            },
            keep_failed: self.keep_failed,
        })
    }
}

/// etcd needs more than half of its members: an even number only adds a risk.
fn servers(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(number) if number % 2 == 1 && number <= MAX_SERVERS => Ok(number),
        _ => Err("give 1, 3 or 5: etcd needs more than half of them".to_owned()),
    }
}

#[derive(Subcommand)]
enum Node {
    /// Add an agent and wait until it is Ready; prints its name
    Add,
    /// Cut a node's power: its link first, then everything on it
    Stop {
        /// The node
        node: String,
    },
    /// Start a stopped node and wait until it is Ready
    Start {
        /// The node
        node: String,
    },
    /// Cut a node off from the others; everything on it goes on
    #[command(after_help = "\
Nothing gets to or from the node, and its pods do not notice: the others call it
NotReady and replace them, until it is connected again.

Examples:
  klab node partition agent1
  klab node heal agent1")]
    Partition {
        /// The node
        node: String,
    },
    /// Make a node's network narrow, late or lossy, each way
    #[command(after_help = "\
Replaces what it was slowed down to before; `klab node heal` ends it. --delay and
--loss need a kernel with netem: see `klab doctor`.

Examples:
  klab node slow agent1 --rate 1mbit
  klab node slow agent1 --delay 50ms --loss 1%")]
    #[command(group = clap::ArgGroup::new("how").required(true).multiple(true))]
    Slow {
        /// The node
        node: String,
        /// How much may pass, as in 1mbit
        #[arg(long, group = "how")]
        rate: Option<String>,
        /// How late it comes, as in 50ms
        #[arg(long, group = "how")]
        delay: Option<String>,
        /// How much of it is lost, as in 1%
        #[arg(long, group = "how")]
        loss: Option<String>,
    },
    /// Make a node's network whole again and wait until the node is Ready
    Heal {
        /// The node
        node: String,
    },
    /// Restart components of a node; its pods go on
    #[command(after_help = "\
The components are ended and started again, as with `systemctl restart k3s`; on a
server that is the control plane, too. Returns when the node is Ready again.

Examples:
  klab node restart server                      all of them
  klab node restart server kube-apiserver etcd  only these")]
    Restart {
        /// The node
        node: String,
        /// The components; `klab logs NODE x` names them [default: all]
        component: Vec<String>,
    },
    /// Remove an agent for good
    Rm {
        /// The node
        node: String,
    },
}

#[derive(Subcommand)]
enum Runtime {
    /// Build the programs where they are missing; prints their folder
    Build,
    /// Print the programs' folder, whether they are built or not
    Path {
        /// Which programs
        #[arg(value_enum, default_value_t = Part::Cluster)]
        part: Part,
    },
    /// Remove programs of other versions from the cache
    Clean,
}

#[derive(Subcommand)]
enum Internal {
    Switch { cluster: PathBuf },
    Cloud { cluster: PathBuf },
    Launch { cluster: PathBuf, node: String },
    Init { cluster: PathBuf, node: String },
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    let progress = Progress::new(cli.quiet);
    let state = std::path::absolute(&cli.state).context("--state names no folder")?;
    let folder = Folder::new(state, cli.name);
    match cli.command {
        Command::Internal(internal) => run_internal(internal)?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "klab", &mut std::io::stdout());
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?,
        Command::Runtime(command) => run_runtime(&command, &progress)?,
        Command::Doctor { output } => return run_doctor(&folder, output),
        command => {
            if !nix::unistd::geteuid().is_root() {
                bail!("namespaces, mounts and cgroups need root; run it with: sudo klab …");
            }
            return run_on_cluster(command, &folder, &progress);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_on_cluster(command: Command, folder: &Folder, progress: &Progress) -> Result<ExitCode> {
    match command {
        Command::Up(options) => {
            let options = options.checked()?;
            block_on(up::up(folder, &options, progress))?;
            progress.say(&format!(
                "export KUBECONFIG={}",
                folder.kubeconfig().display()
            ));
        }
        Command::Down => {
            let there_was = down::down(folder)?;
            let what = if there_was {
                "is removed"
            } else {
                "does not exist: nothing to remove"
            };
            progress.say(&format!("cluster {} {what}", folder.name()));
        }
        Command::Status { output } => {
            let status = block_on(status::status(folder))?;
            match output {
                Output::Text => print!("{}", status.table()),
                Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
            }
        }
        Command::Kubeconfig { path } => {
            folder.spec()?;
            let file = folder.kubeconfig();
            if path {
                println!("{}", file.display());
            } else {
                let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
                std::io::stdout().write_all(&text)?;
            }
        }
        Command::Node(command) => run_node(command, folder, progress)?,
        Command::Load { archive } => {
            let kept = block_on(load::load(folder, &archive))?;
            progress.say(&format!(
                "{} is on every running node ({})",
                kept.name, kept.digest
            ));
        }
        Command::Exec { node, command } => {
            return Ok(exit_code(enter::exec(folder, &node, &command)?));
        }
        Command::Logs { node, component } => logs::print(folder, &node, &component)?,
        Command::Runtime(_)
        | Command::Doctor { .. }
        | Command::Completions { .. }
        | Command::Man
        | Command::Internal(_) => unreachable!("needs no cluster"),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_node(command: Node, folder: &Folder, progress: &Progress) -> Result<()> {
    match command {
        Node::Add => println!("{}", block_on(nodes::add(folder, progress))?.name),
        Node::Stop { node } => {
            nodes::stop(folder, &node)?;
            progress.say(&format!("{node} has lost its power"));
        }
        Node::Start { node } => block_on(nodes::start(folder, &node, progress))?,
        Node::Partition { node } => {
            nodes::partition(folder, &node)?;
            progress.say(&format!("{node} is cut off from the others"));
        }
        Node::Slow {
            node,
            rate,
            delay,
            loss,
        } => {
            nodes::slow(folder, &node, &Slowness { rate, delay, loss })?;
            progress.say(&format!("{node} has a slow network"));
        }
        Node::Heal { node } => block_on(nodes::heal(folder, &node, progress))?,
        Node::Restart { node, component } => {
            block_on(restart::restart(folder, &node, &component, progress))?;
        }
        Node::Rm { node } => {
            block_on(nodes::remove(folder, &node))?;
            progress.say(&format!("{node} is removed"));
        }
    }
    Ok(())
}

fn run_runtime(command: &Runtime, progress: &Progress) -> Result<()> {
    match command {
        Runtime::Build => {
            for part in Part::ALL {
                println!("{}", runtime::ensure(part, progress)?.display());
            }
        }
        Runtime::Path { part } => println!("{}", runtime::folder(*part)?.display()),
        Runtime::Clean => {
            for removed in runtime::clean()? {
                progress.say(&format!("removed {}", removed.display()));
            }
        }
    }
    Ok(())
}

fn run_doctor(folder: &Folder, output: Output) -> Result<ExitCode> {
    let findings = doctor::examine(folder);
    match output {
        Output::Text => print!("{}", doctor::table(&findings)),
        Output::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
    }
    let failed = findings.iter().any(doctor::Finding::has_failed);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn run_internal(command: Internal) -> Result<()> {
    match command {
        Internal::Switch { cluster } => switch::run(&folder_of(&cluster)?)?,
        Internal::Cloud { cluster } => cloud::run(&folder_of(&cluster)?)?,
        Internal::Launch { cluster, node } => launch::run(&folder_of(&cluster)?, &node)?,
        Internal::Init { cluster, node } => init::run(&folder_of(&cluster)?, &node)?,
    }
    Ok(())
}

fn folder_of(cluster: &std::path::Path) -> Result<Folder> {
    let parts = (
        cluster.parent(),
        cluster.file_name().and_then(|name| name.to_str()),
    );
    let (Some(root), Some(name)) = parts else {
        bail!("{} is no cluster's folder", cluster.display())
    };
    Ok(Folder::new(root, name.parse()?))
}

fn block_on<T>(work: impl Future<Output = klab::Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work)?)
}

/// As a shell has it: 128 and the signal for a command that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
