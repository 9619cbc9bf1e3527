//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    bench::{kapply, ocipack},
    setup::Phase,
};

/// `cargo xtask …`
#[derive(Debug, Parser)]
#[command(
    name = "xtask",
    bin_name = "cargo xtask",
    version,
    about = "The repository's own commands",
    after_help = "\
Exit codes: 0 done, 1 a stage failed, 2 refused or wrong usage before anything
started, 128+N interrupted by signal N (130 for Ctrl-C).

Examples:
  cargo xtask demo               from source to replicas that survive losing a node
  cargo xtask test               everything that must hold, against a real cluster
  cargo xtask test --no-cluster  the quick part of it
  cargo xtask bench kapply       kapply beside kubectl and Helm
  cargo xtask bench klab         how long clusters take to start, and what they cost"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install and build what a fresh machine lacks; when nothing is lacking, do nothing
    Setup(Setup),
    /// Build the static server and its OCI image, the same bytes from any folder
    Image(Image),
    /// Start a cluster, deploy the server, run the drills, write a report, tear down
    Demo(Demo),
    /// Format, lints, docs, licences, unit tests, then docs' examples and the suites on a real cluster
    Test(Test),
    /// Evaluate and build the flake, and run its apps on a cluster
    #[command(after_help = "\
Uses the nix on PATH. Where there is none and CI=true, one from Debian's archive is put into a
folder of the cache. In nixpkgs' place is a stand-in that is made of this machine's tools
(tests/flake/nixpkgs), so nothing comes from the network.

Example:
  CI=true cargo xtask flake-check")]
    FlakeCheck,
    /// Kill kapply and klab at random moments, as often as you like; every next run must finish the job
    Soak(Soak),
    /// Measure a tool beside others that do the same
    Bench(Bench),
    /// Run a command and write what it took; `bench` calls it
    #[command(hide = true)]
    Measured(Measured),
}

/// `cargo xtask setup`
#[derive(Debug, Args)]
#[command(after_help = "\
`demo` and `test` run what they need of this themselves.

Examples:
  cargo xtask setup                  all of it
  cargo xtask setup --dry-run        say what is lacking, change nothing
  cargo xtask setup --only runtime   only the cluster's components")]
pub struct Setup {
    /// Do only this phase (may be repeated)
    #[arg(long, value_enum, value_name = "PHASE")]
    pub only: Vec<Phase>,
    /// Say what would be installed or built, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cargo xtask image`
#[derive(Debug, Args)]
#[command(after_help = "\
DIR/hostname-server is the OCI image layout, DIR/hostname-server.tar the archive
that clusters load. The digest is printed on stdout.

Examples:
  cargo xtask image --out /tmp/image
  cargo xtask image --out /tmp/image --ocipack \"$(command -v ocipack)\"")]
pub struct Image {
    /// Where the layout and the archive go; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Use this ocipack instead of building the checkout's own
    #[arg(long, value_name = "PATH")]
    pub ocipack: Option<PathBuf>,
}

/// `cargo xtask demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Needs root: nodes are network, mount and PID namespaces with cgroups of their own.
The cluster is torn down at the end, also after a failure or Ctrl-C.

Examples:
  sudo -E env \"PATH=$PATH\" cargo xtask demo
  cargo xtask demo --keep --report /tmp/report")]
pub struct Demo {
    /// Leave the cluster running and say how to look around
    #[arg(long)]
    pub keep: bool,
    /// The cluster's name
    #[arg(long, default_value = "demo")]
    pub name: String,
    /// Where timeline.json and report.html go [default: target/demo-report]
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

/// `cargo xtask test`
#[derive(Debug, Args)]
#[command(after_help = "\
Needs root, except with --no-cluster. The run's own cluster is torn down at the
end, also after a failed test or Ctrl-C.

Examples:
  cargo xtask test                         everything
  cargo xtask test --no-cluster            all that needs no cluster
  cargo xtask test stack guests            tests whose names contain one of these
  cargo xtask test --cluster demo drills   on the cluster that `demo --keep` left")]
pub struct Test {
    /// Run only tests whose name contains one of these
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Leave out everything that needs a cluster
    #[arg(long, conflicts_with = "cluster")]
    pub no_cluster: bool,
    /// Use this running klab cluster, and leave it running
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}

/// `cargo xtask soak`
#[derive(Debug, Args)]
#[command(after_help = "\
The same suites as in `cargo xtask test`, where they kill ten times.

Examples:
  cargo xtask soak                         200 kills of each, the usual moments
  cargo xtask soak --kills 1000 --seed 7   more of them, at other moments")]
pub struct Soak {
    /// How often to kill each
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub kills: u32,
    /// Where the sequence of random moments starts
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `cargo xtask bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// kapply, kubectl, Helm and a bare client on a control plane of their own
    Kapply(BenchKapply),
    /// klab's clusters of several sizes, and what an idle one costs
    Klab(BenchKlab),
    /// ocipack, buildah, umoci and gzip building; ocipack, crane and skopeo pushing
    Ocipack(BenchOcipack),
}

/// `cargo xtask bench kapply`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs root and Go. kapply is built for release, Helm once from its Go module. The
cluster is torn down at the end, also after a failure or Ctrl-C. The table is
printed on stdout; ratio is the median against kapply's. Nothing is asserted.

Examples:
  cargo xtask bench kapply
  cargo xtask bench kapply --only many --runs 3 --json bench.json")]
pub struct BenchKapply {
    /// Measure only this (may be repeated)
    #[arg(long, value_enum, value_name = "WORK")]
    pub only: Vec<kapply::Work>,
    /// How often everything is measured, the tools taking turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub runs: usize,
    /// Write all numbers to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `cargo xtask bench ocipack`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs root, Go and apt: buildah comes from Debian, crane from its Go module. ocipack is
built for release. The table is printed on stdout; ratio is the median against ocipack's.
Nothing is asserted.

Examples:
  cargo xtask bench ocipack
  cargo xtask bench ocipack --only push --runs 3 --json bench.json")]
pub struct BenchOcipack {
    /// Measure only this (may be repeated)
    #[arg(long, value_enum, value_name = "WORK")]
    pub only: Vec<ocipack::Work>,
    /// How often everything is measured, the tools taking turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub runs: usize,
    /// Write all numbers to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `cargo xtask bench klab`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Needs root. Clusters are started one after the other, the last one is looked at
for half a minute when it has been up for another, and all are torn down, also
after a failure or Ctrl-C. The tables are printed on stdout. Nothing is asserted.

Example:
  cargo xtask bench klab --runs 5 --json bench.json")]
pub struct BenchKlab {
    /// How often a cluster of every size is started
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub runs: usize,
    /// Write all numbers to this file, too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// `xtask measured`
#[derive(Debug, Args)]
pub struct Measured {
    /// Where the numbers go
    pub report: PathBuf,
    /// The command
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cluster_and_no_cluster_exclude_each_other() {
        let refused = Cli::try_parse_from(["xtask", "test", "--no-cluster", "--cluster", "demo"]);
        assert!(refused.is_err());
    }
}
