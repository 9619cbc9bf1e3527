//! Makes present what a fresh machine lacks; does nothing where nothing is lacking.
//!
//! Each phase looks first. What neither apt nor cargo can provide (a compiler,
//! Go, clippy) is named in one message before anything is changed.

mod cargo_tools;
mod packages;
mod programs;
mod runtime;

pub use cargo_tools::{AUDITABLE, CargoTool, DENY, NEXTEST, cache};
pub use runtime::Runtime;

use anyhow::Context;
use clap::ValueEnum;

use crate::{
    cli,
    repo::{Refusal, Repo, find_program, require_root},
    run::{Runner, answer, say},
};

/// A part of the setup that stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    /// Debian packages that the runtime's build and the nodes need
    Packages,
    /// Debian packages that only `test` and `bench` need: other image tools and a browser
    Peers,
    /// cargo-nextest, cargo-deny and cargo-auditable, for `test` and `image`
    Tools,
    /// The cluster's components, built from their Go modules
    Runtime,
}

/// What `demo` needs.
pub const CLUSTER: &[Phase] = &[Phase::Packages, Phase::Runtime];
/// What `test --no-cluster` needs.
pub const CHECKS: &[Phase] = &[Phase::Tools];
/// What `test` needs before it builds the cluster's components itself.
pub const SUITES: &[Phase] = &[Phase::Packages, Phase::Peers, Phase::Tools];
/// What `bench` needs.
pub const BENCH: &[Phase] = &[Phase::Packages, Phase::Peers, Phase::Runtime];
/// All phases, in order.
pub const ALL: &[Phase] = &[Phase::Packages, Phase::Peers, Phase::Tools, Phase::Runtime];

/// `cargo xtask setup`
///
/// # Errors
/// A [`Refusal`] without root or with programs missing; else what failed to install or build.
pub fn command(repo: &Repo, runner: &Runner, options: &cli::Setup) -> anyhow::Result<()> {
    let only = |phase: &&Phase| options.only.is_empty() || options.only.contains(phase);
    let phases: Vec<Phase> = ALL.iter().filter(only).copied().collect();
    if options.dry_run {
        let lacking = lacking(repo, &phases);
        if lacking.is_empty() {
            answer("nothing is lacking");
        }
        for line in &lacking {
            answer(line);
        }
        return Ok(());
    }
    if phases != CHECKS {
        require_root("setup")?;
    }
    ensure(repo, runner, &phases)
}

/// Does what is lacking of these phases.
///
/// # Errors
/// As [`command`].
pub fn ensure(repo: &Repo, runner: &Runner, phases: &[Phase]) -> anyhow::Result<()> {
    require_programs(repo, phases)?;
    for phase in phases {
        match phase {
            Phase::Packages => packages::ensure(runner, packages::CLUSTER),
            Phase::Peers => packages::ensure(runner, packages::SUITES),
            Phase::Tools => cargo_tools::TOOLS
                .iter()
                .try_for_each(|tool| tool.ensure(repo, runner).map(drop)),
            Phase::Runtime => runtime::build_tools(repo, runner)
                .and_then(|()| Runtime::build(repo, runner))
                .map(|runtime| {
                    say(&format!(
                        "xtask: cluster components: {}",
                        runtime.bin.display()
                    ));
                }),
        }
        .with_context(|| format!("setup, phase {}", name(*phase)))?;
    }
    Ok(())
}

/// Installs the packages of those programs that are not there and are called as their packages.
///
/// # Errors
/// When apt fails.
pub fn ensure_programs(runner: &Runner, programs: &[&str]) -> anyhow::Result<()> {
    let missing = programs
        .iter()
        .copied()
        .filter(|program| find_program(program).is_none());
    packages::install(runner, &missing.collect::<Vec<_>>())
}

/// Refuses unless everything is there that these phases call and cannot provide.
///
/// # Errors
/// One [`Refusal`] that names all of it.
pub fn require_programs(repo: &Repo, phases: &[Phase]) -> Result<(), Refusal> {
    let missing = programs::missing(repo, phases);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Refusal(programs::message(&missing)))
    }
}

fn lacking(repo: &Repo, phases: &[Phase]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let missing = programs::missing(repo, phases);
    if !missing.is_empty() {
        lines.push(programs::message(&missing));
    }
    for phase in phases {
        match phase {
            Phase::Packages => lines.extend(packages::would_run(packages::CLUSTER)),
            Phase::Peers => lines.extend(packages::would_run(packages::SUITES)),
            Phase::Tools => lines.extend(
                cargo_tools::TOOLS
                    .iter()
                    .filter(|tool| tool.find().is_none())
                    .map(|tool| format!("would run: {}", tool.install_command())),
            ),
            Phase::Runtime => {
                if let Err(reason) = Runtime::find(repo) {
                    lines.push(format!("would run: klab runtime build ({reason:#})"));
                }
            }
        }
    }
    lines
}

fn name(phase: Phase) -> String {
    phase
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
