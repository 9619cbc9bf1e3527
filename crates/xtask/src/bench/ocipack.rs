//! ocipack beside those who do the same: buildah and umoci build, gzip alone
//! compresses, crane and skopeo push.

mod builders;
mod programs;
mod pushers;
mod registry;

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use tempfile::TempDir;

use self::{builders::Builder, programs::Programs, pushers::Pusher};
use super::{
    measure::{self, Taken},
    table::{self, Measured, Row},
};
use crate::{
    cli,
    repo::{Repo, require_root},
    run::{Log, Runner, Stage, answer, run_all, say},
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
        name: "measure",
        run: Session::measure,
    },
];

/// Whose median is 1 in the table.
const OURS: &str = "ocipack";
/// The size of the file in the large image, in bytes: 200 MB.
const LARGE: u64 = 200_000_000;

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Build the image of the hostname server
    Small,
    /// Build an image with a file of 200 MB that cannot be compressed
    Large,
    /// Push that image to an empty registry on the loopback
    Push,
}

struct Session {
    repo: Repo,
    runner: Runner,
    options: cli::BenchOcipack,
    programs: Option<Programs>,
    folder: TempDir,
    rows: Vec<Row>,
}

/// `cargo xtask bench ocipack`
///
/// # Errors
/// A refusal before anything starts; else the first stage that failed.
pub fn command(repo: Repo, runner: Runner, options: &cli::BenchOcipack) -> anyhow::Result<()> {
    require_root("bench ocipack")?;
    setup::require_programs(&repo, setup::BENCH)?;
    let folder = super::folder(&repo)?;
    let mut session = Session {
        repo,
        runner,
        options: options.clone(),
        programs: None,
        folder,
        rows: Vec::new(),
    };
    let mut log = Log::default();
    let outcome = run_all(STAGES, &mut session, &mut log);
    say(&log.table());
    if !session.rows.is_empty() {
        answer(&table::text(&session.rows, OURS));
    }
    outcome
}

impl Session {
    fn setup(&mut self) -> anyhow::Result<()> {
        setup::ensure(&self.repo, &self.runner, setup::BENCH)
    }

    fn programs(&mut self) -> anyhow::Result<()> {
        self.programs = Some(Programs::build(&self.repo, &self.runner)?);
        Ok(())
    }

    fn measure(&mut self) -> anyhow::Result<()> {
        let noise = self.folder.path().join("noise");
        write_noise(&noise)?;
        let wanted = |work: Work| self.options.only.is_empty() || self.options.only.contains(&work);
        let mut all = Vec::new();
        for run in 0..self.options.runs {
            // Nobody is always first.
            if wanted(Work::Small) {
                for builder in turned(Builder::ALL, run) {
                    let taken = self.build(builder, None, run)?;
                    all.push(measured("build hostname-server", builder.name(), taken));
                }
            }
            if wanted(Work::Large) {
                for builder in turned(Builder::ALL, run) {
                    let taken = self.build(builder, Some(&noise), run)?;
                    all.push(measured("build 200 MB", builder.name(), taken));
                }
            }
            if wanted(Work::Push) {
                for pusher in turned(Pusher::ALL, run) {
                    let taken = self.push(pusher, &noise, run)?;
                    all.push(measured("push 200 MB", pusher.name(), taken));
                }
            }
        }
        self.rows = table::add(Vec::new(), all);
        if let Some(path) = &self.options.json {
            table::write(path, "ocipack", &self.rows, OURS)?;
        }
        Ok(())
    }

    /// Builds an image once, and looks whether it is one.
    fn build(&self, builder: Builder, file: Option<&PathBuf>, run: usize) -> anyhow::Result<Taken> {
        say(&format!("    build, {}, run {}", builder.name(), run + 1));
        let programs = self.built()?;
        let folder = self.folder.path().join("build");
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let command = builder.command(programs, file, &folder);
        let taken = measure::run(&self.runner, &programs.xtask, &folder, &command)?;
        taken.ended_with(0, &command)?;
        if builder.makes_images() {
            let layout = folder.join("layout");
            self.runner
                .output(programs.ocipack().arg("verify").arg(layout))?;
        }
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        Ok(taken)
    }

    /// Pushes the large image once to a registry of its own, and looks whether it is there.
    fn push(&self, pusher: Pusher, file: &PathBuf, run: usize) -> anyhow::Result<Taken> {
        say(&format!("    push, {}, run {}", pusher.name(), run + 1));
        let programs = self.built()?;
        let folder = self.folder.path().join("push");
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let build = &mut Builder::Ocipack.command(programs, Some(file), &folder);
        self.runner.output(build)?;
        let layout = folder.join("layout");
        let registry = registry::start(&self.runner, &programs.registry, &folder)?;
        let reference = format!("{}/web:1", registry.address);
        let command = pusher.command(programs, &layout, &reference);
        let taken = measure::run(&self.runner, &programs.xtask, &folder, &command)?;
        taken.ended_with(0, &command)?;
        let mut verify = programs.ocipack();
        verify
            .arg("verify")
            .arg(&layout)
            .args(["--against", &reference]);
        self.runner.output(&mut verify)?;
        drop(registry);
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        Ok(taken)
    }

    fn built(&self) -> anyhow::Result<&Programs> {
        self.programs.as_ref().context("built before")
    }
}

fn turned<T: Copy, const N: usize>(mut all: [T; N], turns: usize) -> [T; N] {
    all.rotate_left(turns % N);
    all
}

fn measured(what: &str, tool: &'static str, taken: Taken) -> Measured {
    Measured {
        what: what.to_owned(),
        tool,
        taken,
        requests: None,
    }
}

/// A large file of random bytes.
fn write_noise(path: &PathBuf) -> anyhow::Result<()> {
    let random = fs::File::open("/dev/urandom").context("opening /dev/urandom")?;
    let mut file = fs::File::create(path).with_context(|| format!("making {}", path.display()))?;
    std::io::copy(&mut std::io::Read::take(random, LARGE), &mut file)
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}
