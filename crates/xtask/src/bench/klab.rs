//! How long klab's clusters take to start, part by part, and what one costs
//! while nothing happens in it. Nothing is asserted.

mod table;
mod usage;

use std::{fs, thread, time::Duration};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use self::usage::Usage;
use crate::{
    cli,
    cluster::{Cluster, owned_name},
    repo::{Repo, require_root},
    run::{Log, Runner, Stage, answer, run_all, say, tear_down},
    setup,
};

/// Until what starts up with a cluster has calmed down.
const SETTLE: Duration = Duration::from_secs(30);
/// How long it is looked at after that.
const IDLE: Duration = Duration::from_secs(30);

/// The clusters, and what `klab up` is told for each.
const SIZES: [(&str, &[&str]); 4] = [
    ("control plane alone", &["--control-plane-only"]),
    ("1 node", &["--nodes=1"]),
    ("3 nodes", &["--nodes=3"]),
    ("8 nodes", &["--nodes=8"]),
];
/// Whose idling is looked at.
const IDLE_SIZE: &str = "3 nodes";

/// What `klab up` says that it took, in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Took {
    certificates: f64,
    images: f64,
    etcd: f64,
    api_server: f64,
    nodes: f64,
    add_ons: f64,
    total: f64,
}

/// All starts of clusters of one size.
#[derive(Debug, Serialize)]
struct Row {
    cluster: &'static str,
    starts: Vec<Took>,
}

const STAGES: &[Stage<Session>] = &[
    Stage {
        name: "setup",
        run: Session::setup,
    },
    Stage {
        name: "start clusters",
        run: Session::start,
    },
    Stage {
        name: "idle",
        run: Session::idle,
    },
];

const TEARDOWN: &[Stage<Session>] = &[Stage {
    name: "cluster down",
    run: Session::down,
}];

struct Session {
    repo: Repo,
    runner: Runner,
    cluster: Cluster,
    options: cli::BenchKlab,
    rows: Vec<Row>,
    usage: Option<Usage>,
}

/// `cargo xtask bench klab`
///
/// # Errors
/// A refusal before anything starts; else the first stage that failed.
pub fn command(repo: Repo, runner: Runner, options: &cli::BenchKlab) -> anyhow::Result<()> {
    require_root("bench klab")?;
    setup::require_programs(&repo, setup::CLUSTER)?;
    let cluster = Cluster::new(&repo, &owned_name(std::process::id(), ""));
    let mut session = Session {
        repo,
        runner,
        cluster,
        options: options.clone(),
        rows: Vec::new(),
        usage: None,
    };
    let mut log = Log::default();
    let outcome = run_all(STAGES, &mut session, &mut log);
    session.runner.start_teardown();
    let end = tear_down(TEARDOWN, &mut session, &mut log);
    say(&log.table());
    if !session.rows.is_empty() {
        answer(&table::starts(&session.rows));
    }
    if let Some(usage) = &session.usage {
        answer(&format!("\n{}", table::idle(IDLE_SIZE, usage)));
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

    /// Every size once, then again: what changes on the machine meets them all.
    fn start(&mut self) -> anyhow::Result<()> {
        self.rows = SIZES
            .map(|(cluster, _)| Row {
                cluster,
                starts: Vec::new(),
            })
            .into();
        for _ in 0..self.options.runs {
            for (row, (_, options)) in self.rows.iter_mut().zip(SIZES) {
                row.starts.push(up(&self.runner, &self.cluster, options)?);
                self.cluster.down(&self.runner)?;
            }
        }
        Ok(())
    }

    fn idle(&mut self) -> anyhow::Result<()> {
        let size = SIZES.iter().find(|(name, _)| *name == IDLE_SIZE);
        let (_, options) = size.context("it is one of the sizes")?;
        up(&self.runner, &self.cluster, options)?;
        thread::sleep(SETTLE);
        self.usage = Some(Usage::over(IDLE, self.cluster.name())?);
        self.write_json()
    }

    fn write_json(&self) -> anyhow::Result<()> {
        let Some(path) = &self.options.json else {
            return Ok(());
        };
        let all = serde_json::json!({ "bench": "klab", "starts": self.rows, "idle": self.usage });
        fs::write(path, format!("{all:#}\n")).with_context(|| format!("writing {}", path.display()))
    }

    fn down(&mut self) -> anyhow::Result<()> {
        self.cluster.down(&self.runner)
    }
}

fn up(runner: &Runner, cluster: &Cluster, options: &[&str]) -> anyhow::Result<Took> {
    #[derive(Deserialize)]
    struct Up {
        took: Took,
    }
    let words = [&["--quiet", "up", "--output=json"], options].concat();
    let said = runner.output(&mut cluster.klab(&words))?;
    let up: Up = serde_json::from_str(&said).context("reading what klab said")?;
    Ok(up.took)
}
