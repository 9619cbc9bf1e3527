//! The command line. Nothing here starts a thread before a command asks for
//! it: entering a node's namespaces needs a process with one.

mod internal;
mod node;
mod runtime;
mod up;

use std::{
    future::Future,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
};

use self::{internal::Internal, node::Node, runtime::Runtime, up::Up};
use crate::{
    control::{down, load, logs, status},
    doctor,
    node::enter,
    progress::Progress,
    spec::ClusterName,
    state::{DEFAULT_ROOT, Folder},
};
use anyhow::{Context, Result, bail};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

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

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// The program `klab`, whole: a `main` that calls this is one.
#[must_use]
pub fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("klab: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let cli = Cli::parse();
    let progress = Progress::new(cli.quiet);
    let state = std::path::absolute(&cli.state).context("--state names no folder")?;
    let folder = Folder::new(state, cli.name);
    match cli.command {
        Command::Internal(internal) => internal.run()?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "klab", &mut std::io::stdout());
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?,
        Command::Runtime(command) => command.run(&progress)?,
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
        Command::Up(up) => up.run(folder, progress)?,
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
        Command::Node(command) => command.run(folder, progress)?,
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

fn block_on<T>(work: impl Future<Output = crate::Result<T>>) -> Result<T> {
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
