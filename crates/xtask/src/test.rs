//! Everything that must hold: lints and unit tests, then the suites on a real cluster.

mod checks;
mod selection;
mod suites;

use crate::{
    cli,
    cluster::{Cluster, owned_name},
    flake::{Flake, Nix},
    image::Image,
    machine::Inventory,
    repo::{Repo, require_root},
    run::{Log, Runner, Stage, answer, run_all, say, tear_down},
    setup,
};
use selection::Selection;

/// The running cluster's name, for the suites.
pub const CLUSTER_VARIABLE: &str = "E2E_CLUSTER";
/// The image that its nodes have, for the suites.
pub const IMAGE_VARIABLE: &str = "E2E_IMAGE";
/// The suite that runs the flake's apps.
const FLAKE_SUITE: &str = "flake";
/// The archive of that image, for the suites.
pub const ARCHIVE_VARIABLE: &str = "E2E_ARCHIVE";

const TOOLS: &[Stage<Session>] = &[Stage {
    name: "setup",
    run: checks::setup,
}];

// The cheap ones first. Left out when somebody asks for certain tests.
const LINTS: &[Stage<Session>] = &[
    Stage {
        name: "rustfmt",
        run: checks::rustfmt,
    },
    Stage {
        name: "gofmt",
        run: checks::gofmt,
    },
    Stage {
        name: "clippy",
        run: checks::clippy,
    },
    Stage {
        name: "rustdoc",
        run: checks::rustdoc,
    },
    Stage {
        name: "licences and sources",
        run: checks::deny,
    },
];

const UNIT_TESTS: &[Stage<Session>] = &[
    Stage {
        name: "build",
        run: checks::build,
    },
    Stage {
        name: "select tests",
        run: checks::select,
    },
    Stage {
        name: "unit tests",
        run: checks::unit_tests,
    },
];

const SUITES: &[Stage<Session>] = &[
    Stage {
        name: "cluster components",
        run: suites::runtime,
    },
    Stage {
        name: "image",
        run: suites::image,
    },
    Stage {
        name: "cluster up",
        run: suites::up,
    },
    Stage {
        name: "load image",
        run: suites::load,
    },
    Stage {
        name: "flake: Nix and the stand-in",
        run: suites::flake_prepare,
    },
    Stage {
        name: "flake: evaluate",
        run: suites::flake_evaluate,
    },
    Stage {
        name: "flake: build and compare",
        run: suites::flake_build,
    },
    Stage {
        name: "examples in docs",
        run: suites::doc_tests,
    },
    Stage {
        name: "suites",
        run: suites::run,
    },
];

const TEARDOWN: &[Stage<Session>] = &[
    Stage {
        name: "cluster down",
        run: suites::down,
    },
    Stage {
        name: "nothing left behind",
        run: suites::leaks,
    },
];

/// One run.
struct Session {
    repo: Repo,
    runner: Runner,
    selection: Selection,
    /// None with `--no-cluster`.
    cluster: Option<Target>,
    image: Option<Image>,
    /// None where the suite `flake` does not run.
    flake: Option<Flake>,
    /// The profile of nextest for the suites, and what they are told besides.
    profile: &'static str,
    variables: Vec<(&'static str, String)>,
}

/// The cluster that the suites run on.
struct Target {
    cluster: Cluster,
    /// Whether this run starts and removes it.
    owned: bool,
    /// The machine before it was started.
    before: Option<Inventory>,
}

/// `cargo xtask test`
///
/// # Errors
/// A refusal before anything starts; else the first stage that failed.
pub fn command(repo: Repo, runner: Runner, options: &cli::Test) -> anyhow::Result<()> {
    run(repo, runner, options, "e2e", Vec::new())
}

/// `cargo xtask soak`
///
/// # Errors
/// As [`command`].
pub fn soak(repo: Repo, runner: Runner, options: &cli::Soak) -> anyhow::Result<()> {
    let mut variables = vec![("KILLS", options.kills.to_string())];
    variables.extend(options.seed.map(|seed| ("SEED", seed.to_string())));
    let killed = cli::Test {
        filters: vec!["killed".to_owned()],
        no_cluster: false,
        cluster: None,
    };
    run(repo, runner, &killed, "soak", variables)
}

/// `cargo xtask flake-check`
///
/// # Errors
/// As [`command`]; and a refusal when there is no Nix.
pub fn flake_check(repo: Repo, runner: Runner) -> anyhow::Result<()> {
    Nix::require()?;
    let flake = cli::Test {
        filters: vec![FLAKE_SUITE.to_owned()],
        no_cluster: false,
        cluster: None,
    };
    run(repo, runner, &flake, "e2e", Vec::new())
}

fn run(
    repo: Repo,
    runner: Runner,
    options: &cli::Test,
    profile: &'static str,
    variables: Vec<(&'static str, String)>,
) -> anyhow::Result<()> {
    let selection = Selection::new(&options.filters)?;
    let cluster = if options.no_cluster {
        None
    } else {
        require_root("test")?;
        setup::require_programs(&repo, setup::ALL)?;
        let own = owned_name(std::process::id(), "");
        let name = options.cluster.as_deref().unwrap_or(&own);
        Some(Target {
            cluster: Cluster::new(&repo, name),
            owned: options.cluster.is_none(),
            before: None,
        })
    };
    let lints = if options.filters.is_empty() {
        LINTS
    } else {
        &[]
    };
    let mut session = Session {
        repo,
        runner,
        selection,
        cluster,
        image: None,
        flake: None,
        profile,
        variables,
    };
    let mut log = Log::default();
    let outcome = [TOOLS, lints, UNIT_TESTS]
        .into_iter()
        .try_for_each(|stages| run_all(stages, &mut session, &mut log))
        .and_then(|()| {
            if session.cluster.is_none() || !session.selection.has_suites() {
                return Ok(());
            }
            run_all(SUITES, &mut session, &mut log)
        });
    let mut end = Ok(());
    // Taken right before `up`: from then on something may exist.
    if session
        .cluster
        .as_ref()
        .is_some_and(|target| target.before.is_some())
    {
        session.runner.start_teardown();
        end = tear_down(TEARDOWN, &mut session, &mut log);
    }
    answer(&log.table());
    if let (Err(_), Err(second)) = (&outcome, &end) {
        say(&format!("xtask: error: {second:#}"));
    }
    outcome.and(end)
}
