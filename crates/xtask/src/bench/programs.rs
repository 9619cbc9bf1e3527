//! The programs that are compared, each at one known version.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    repo::Repo,
    run::{Runner, say},
    setup::{self, Runtime},
};

/// As in `bench/helm/go.mod`.
const HELM_VERSION: &str = "v4.3.1";

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) kapply: PathBuf,
    pub(super) bare: PathBuf,
    pub(super) kubectl: PathBuf,
    pub(super) helm: PathBuf,
    /// This program, which measures the others from close by.
    pub(super) xtask: PathBuf,
}

impl Programs {
    /// Builds what is not built yet: kapply and the bare client for release, Helm once per machine.
    pub(super) fn build(repo: &Repo, runner: &Runner) -> anyhow::Result<Self> {
        let mut cargo = repo.cargo();
        cargo.args(["build", "--quiet", "--release", "--package", "kapply"]);
        runner.run(cargo.args(["--bins", "--example", "bare_creates"]))?;
        let release = repo.target.join("release");
        Ok(Self {
            kapply: release.join("kapply"),
            bare: release.join("examples/bare_creates"),
            kubectl: Runtime::find(repo)?.kubectl(),
            helm: helm(repo, runner)?,
            xtask: std::env::current_exe().context("reading the path of this program")?,
        })
    }
}

fn helm(repo: &Repo, runner: &Runner) -> anyhow::Result<PathBuf> {
    let folder = setup::cache().join(format!("helm-{HELM_VERSION}"));
    let path = folder.join("helm");
    if path.is_file() {
        return Ok(path);
    }
    say(&format!(
        "xtask: building Helm {HELM_VERSION} (minutes, once)"
    ));
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let unfinished = folder.join(format!("helm.{}", std::process::id()));
    let built = runner.run(&mut go_build(
        &repo.root.join("crates/xtask/bench/helm"),
        &unfinished,
    ));
    if let Err(error) = built {
        let _ = fs::remove_file(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &path).with_context(|| format!("renaming to {}", path.display()))?;
    Ok(path)
}

fn go_build(module: &Path, to: &Path) -> Command {
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
        .arg("-ldflags")
        .arg(format!(
            "-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}"
        ))
        .arg("-o")
        .arg(to)
        .arg("helm.sh/helm/v4/cmd/helm")
        .current_dir(module)
        .envs([
            ("GOFLAGS", ""),
            ("GOWORK", "off"),
            ("GOTOOLCHAIN", "local"),
            ("CGO_ENABLED", "0"),
        ]);
    go
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_pins_the_version() {
        let repo = Repo::find().unwrap();
        let text = fs::read_to_string(repo.root.join("crates/xtask/bench/helm/go.mod")).unwrap();
        assert!(text.contains(&format!("helm.sh/helm/v4 {HELM_VERSION} ")));
    }
}
