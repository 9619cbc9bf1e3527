//! kapply, kubectl and Helm on a fresh cluster, and a bare client that shows
//! what the API server itself costs.

mod input;
mod programs;
mod work;

pub use work::Work;

use std::path::PathBuf;

use anyhow::Context;
use tempfile::TempDir;

use self::{
    input::Inputs,
    programs::Programs,
    work::{Bench, Tool},
};
use super::table::{self, Row};
use crate::{
    cli,
    cluster::{Cluster, owned_name},
    repo::{Repo, require_root},
    run::{Log, Runner, Stage, answer, run_all, say, tear_down},
    setup,
};

const STAGES: &[Stage<Session>] = &[
    Stage {
        name: "setup",
        run: Session::setup,
    },
    Stage {
        name: "programs",
        run: Session::programs,
    },
    Stage {
        name: "control plane",
        run: Session::up,
    },
    Stage {
        name: "measure",
        run: Session::measure,
    },
];

const TEARDOWN: &[Stage<Session>] = &[Stage {
    name: "cluster down",
    run: Session::down,
}];

/// Whose median is 1 in the table.
const OURS: &str = Tool::Kapply.name();

struct Session {
    repo: Repo,
    runner: Runner,
    cluster: Cluster,
    options: cli::BenchKapply,
    started: bool,
    programs: Option<Programs>,
    kubeconfig: Option<PathBuf>,
    /// The tools' own home, caches and manifests.
    folder: TempDir,
    rows: Vec<Row>,
}

/// `cargo xtask bench kapply`
///
/// # Errors
/// A refusal before anything starts; else the first stage that failed.
pub fn command(repo: Repo, runner: Runner, options: &cli::BenchKapply) -> anyhow::Result<()> {
    require_root("bench kapply")?;
    setup::require_programs(&repo, setup::CLUSTER)?;
    let cluster = Cluster::new(&repo, &owned_name(std::process::id(), ""));
    let folder = super::folder(&repo)?;
    let mut session = Session {
        repo,
        runner,
        cluster,
        options: options.clone(),
        started: false,
        programs: None,
        kubeconfig: None,
        folder,
        rows: Vec::new(),
    };
    let mut log = Log::default();
    let outcome = run_all(STAGES, &mut session, &mut log);
    let mut end = Ok(());
    if session.started {
        session.runner.start_teardown();
        end = tear_down(TEARDOWN, &mut session, &mut log);
    }
    say(&log.table());
    if !session.rows.is_empty() {
        answer(&table::text(&session.rows, OURS));
    }
    if let (Err(_), Err(second)) = (&outcome, &end) {
        say(&format!("xtask: error: {second:#}"));
    }
    outcome.and(end)
}

impl Session {
    fn setup(&mut self) -> anyhow::Result<()> {
        setup::ensure(&self.repo, &self.runner, setup::CLUSTER)
    }

    fn programs(&mut self) -> anyhow::Result<()> {
        self.programs = Some(Programs::build(&self.repo, &self.runner)?);
        Ok(())
    }

    fn up(&mut self) -> anyhow::Result<()> {
        // From here on something may exist, even when `up` fails half-way.
        self.started = true;
        self.cluster.up_control_plane(&self.runner)?;
        self.kubeconfig = Some(self.cluster.kubeconfig(&self.runner)?);
        Ok(())
    }

    fn measure(&mut self) -> anyhow::Result<()> {
        let inputs = Inputs::write(self.folder.path(), &self.repo)?;
        let bench = Bench {
            runner: &self.runner,
            programs: self.programs.as_ref().context("built before")?,
            kubeconfig: self.kubeconfig.as_ref().context("up before")?,
            inputs: &inputs,
            folder: self.folder.path(),
        };
        bench.warm_up()?;
        for work in Work::chosen(&self.options.only) {
            for run in 0..work.runs(self.options.runs) {
                let mut tools = Tool::ALL.to_vec();
                // Nobody is always first, or always on the cluster that the others filled.
                let turns = run % tools.len();
                tools.rotate_left(turns);
                for tool in tools {
                    let measured = match bench.measure(work, tool, run) {
                        Err(error) if tool != Tool::Kapply => {
                            self.runner.check_interrupted()?;
                            // Who cannot do it has no time, and does not keep the others from theirs.
                            say(&format!("    {} failed: {error:#}", tool.name()));
                            continue;
                        }
                        measured => measured?,
                    };
                    self.rows = table::add(std::mem::take(&mut self.rows), measured);
                }
            }
        }
        if let Some(path) = &self.options.json {
            table::write(path, "kapply", &self.rows, OURS)?;
        }
        Ok(())
    }

    fn down(&mut self) -> anyhow::Result<()> {
        self.cluster.down(&self.runner)
    }
}
