//! The stages around the cluster.

use anyhow::{Context, bail};

use super::{
    ARCHIVE_VARIABLE, CLUSTER_VARIABLE, FLAKE_SUITE, IMAGE_VARIABLE, Session, Target, checks,
    selection::Part,
};
use crate::{
    cluster::{Cluster, orphans, owned_here},
    flake::{Flake, Nix},
    image::{self, Image},
    machine::Inventory,
    run::say,
    setup::Runtime,
};

const NODES: u8 = 3;

impl Session {
    fn target(&self) -> anyhow::Result<&Target> {
        self.cluster
            .as_ref()
            .context("this stage runs with a cluster only")
    }

    fn built(&self) -> anyhow::Result<&Image> {
        self.image
            .as_ref()
            .context("the image is built before it is used")
    }

    /// Removes what runs left that were killed, or tests that timed out.
    fn remove_orphans(&self) -> anyhow::Result<()> {
        for name in orphans() {
            say(&format!("    removing cluster {name}, whose run is dead"));
            Cluster::new(&self.repo, &name).down(&self.runner)?;
        }
        Ok(())
    }
}

pub(super) fn runtime(session: &mut Session) -> anyhow::Result<()> {
    Runtime::build(&session.repo, &session.runner).map(drop)
}

pub(super) fn image(session: &mut Session) -> anyhow::Result<()> {
    let out = session.repo.target.join("image");
    let ocipack = session.repo.tool("ocipack");
    let image = image::build(&session.repo, &session.runner, &ocipack, &out)?;
    say(&format!("    {} {}", image.reference, image.digest));
    session.image = Some(image);
    Ok(())
}

pub(super) fn up(session: &mut Session) -> anyhow::Result<()> {
    let target = session.target()?;
    if !target.owned {
        if !target.cluster.exists() {
            let name = target.cluster.name();
            bail!("there is no cluster {name}; start it with: klab --name {name} up");
        }
        return Ok(());
    }
    session.remove_orphans()?;
    let before = Inventory::take(&owned_here)?;
    if let Some(target) = &mut session.cluster {
        target.before = Some(before);
    }
    session.target()?.cluster.up(&session.runner, NODES)
}

pub(super) fn load(session: &mut Session) -> anyhow::Result<()> {
    session
        .target()?
        .cluster
        .load(&session.runner, &session.built()?.archive)
}

pub(super) fn flake_prepare(session: &mut Session) -> anyhow::Result<()> {
    if !session.selection.has_binary(FLAKE_SUITE) {
        return Ok(());
    }
    if let Err(refusal) = Nix::require() {
        say(&format!("    the flake is not checked: {refusal}"));
        session.selection.leave_out(FLAKE_SUITE);
        return Ok(());
    }
    let runtime = Runtime::find(&session.repo)?;
    let flake = Flake::prepare(&session.repo, &session.runner, &runtime)?;
    session.variables.extend(flake.variables());
    session.flake = Some(flake);
    Ok(())
}

pub(super) fn flake_evaluate(session: &mut Session) -> anyhow::Result<()> {
    let evaluate = |flake: &Flake| flake.evaluate(&session.runner);
    session.flake.as_ref().map_or(Ok(()), evaluate)
}

pub(super) fn flake_build(session: &mut Session) -> anyhow::Result<()> {
    let image = session.built()?;
    let build = |flake: &Flake| flake.build(&session.runner, image);
    session.flake.as_ref().map_or(Ok(()), build)
}

/// klab's starts a cluster. nextest leaves them out.
pub(super) fn doc_tests(session: &mut Session) -> anyhow::Result<()> {
    if !session.selection.is_everything() {
        return Ok(());
    }
    let mut test = session.repo.compile("test");
    test.args(["--doc", "--workspace"])
        .env("KLAB", session.repo.tool("klab"));
    session.runner.run(&mut test)
}

pub(super) fn run(session: &mut Session) -> anyhow::Result<()> {
    if !session.selection.has_suites() {
        return Ok(());
    }
    let image = session.built()?;
    let mut run = checks::nextest(session, "run")?;
    run.args([
        "--profile",
        session.profile,
        "-E",
        &session.selection.expression(Part::Suites),
    ]);
    run.env(CLUSTER_VARIABLE, session.target()?.cluster.name());
    run.env(IMAGE_VARIABLE, &image.reference)
        .env(ARCHIVE_VARIABLE, &image.archive);
    run.envs(session.variables.iter().map(|(name, value)| (name, value)));
    session.runner.run(&mut run)
}

pub(super) fn down(session: &mut Session) -> anyhow::Result<()> {
    let removed = session.target()?.cluster.down(&session.runner);
    session.remove_orphans()?;
    removed
}

pub(super) fn leaks(session: &mut Session) -> anyhow::Result<()> {
    let before = session
        .target()?
        .before
        .as_ref()
        .context("the machine was listed before")?;
    let changes = before.changes_that_stay(&owned_here)?;
    if changes.is_empty() {
        return Ok(());
    }
    bail!("the machine is not as it was:\n  {}", changes.join("\n  "))
}
