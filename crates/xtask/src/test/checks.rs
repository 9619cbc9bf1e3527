//! The stages that need no cluster.

use std::process::Command;

use anyhow::bail;

use super::{Session, selection::Part};
use crate::setup::{self, DENY, NEXTEST};

pub(super) fn setup(session: &mut Session) -> anyhow::Result<()> {
    let phases = if session.cluster.is_some() {
        setup::SUITES
    } else {
        setup::CHECKS
    };
    setup::ensure(&session.repo, &session.runner, phases)
}

pub(super) fn rustfmt(session: &mut Session) -> anyhow::Result<()> {
    session
        .runner
        .run(session.repo.cargo().args(["fmt", "--all", "--check"]))
}

pub(super) fn gofmt(session: &mut Session) -> anyhow::Result<()> {
    if crate::repo::find_program("gofmt").is_none() && session.cluster.is_none() {
        // The quick checks are for machines without Go, too.
        return Ok(());
    }
    let folder = session.repo.root.join("crates/klab/runtime");
    let unformatted = session
        .runner
        .output(Command::new("gofmt").arg("-l").arg(folder))?;
    if !unformatted.is_empty() {
        bail!(
            "not formatted: {}; run: gofmt -w crates/klab/runtime",
            unformatted.replace('\n', ", ")
        );
    }
    Ok(())
}

pub(super) fn clippy(session: &mut Session) -> anyhow::Result<()> {
    let arguments = ["--workspace", "--all-targets", "--", "-D", "warnings"];
    session
        .runner
        .run(session.repo.compile("clippy").args(arguments))
}

pub(super) fn rustdoc(session: &mut Session) -> anyhow::Result<()> {
    let mut doc = session.repo.compile("doc");
    doc.args(["--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    session.runner.run(&mut doc)
}

pub(super) fn deny(session: &mut Session) -> anyhow::Result<()> {
    let deny = DENY.ensure(&session.repo, &session.runner)?;
    let mut check = Command::new(deny);
    check
        .current_dir(&session.repo.root)
        .args(["--log-level", "error"]);
    // Advisories live in a git repository that is not reachable everywhere.
    session
        .runner
        .run(check.args(["check", "bans", "licenses", "sources"]))
}

/// Tests and tools in one go: one selection, hence one set of features, built once.
pub(super) fn build(session: &mut Session) -> anyhow::Result<()> {
    let arguments = ["--workspace", "--bins", "--tests"];
    session
        .runner
        .run(session.repo.compile("build").args(arguments))
}

pub(super) fn select(session: &mut Session) -> anyhow::Result<()> {
    let mut list = nextest(session, "list")?;
    let list = session
        .runner
        .output(list.args(["--message-format", "json"]))?;
    session.selection.resolve(&list)?;
    let (unit, suites) = session.selection.counts();
    crate::run::say(&format!(
        "    {unit} unit tests, {suites} in suites that need a cluster"
    ));
    Ok(())
}

pub(super) fn unit_tests(session: &mut Session) -> anyhow::Result<()> {
    if session.selection.counts().0 == 0 {
        return Ok(());
    }
    let mut run = nextest(session, "run")?;
    run.args(["-E", &session.selection.expression(Part::Unit)]);
    session.runner.run(&mut run)
}

/// `cargo nextest COMMAND` on the whole workspace.
pub(super) fn nextest(session: &Session, command: &str) -> anyhow::Result<Command> {
    let nextest = NEXTEST.ensure(&session.repo, &session.runner)?;
    let mut nextest = session.repo.outside_of_cargo(Command::new(nextest));
    nextest.args(["nextest", command, "--workspace"]);
    Ok(nextest)
}
