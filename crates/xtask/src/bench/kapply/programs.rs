//! The programs that are compared, each at one known version.

use std::path::PathBuf;

use crate::{bench::go_tool::GoTool, repo::Repo, run::Runner, setup::Runtime};

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
        runner.run(cargo.args(["--bins", "--example", "bare_applies"]))?;
        let release = repo.target.join("release");
        Ok(Self {
            kapply: release.join("kapply"),
            bare: release.join("examples/bare_applies"),
            kubectl: Runtime::find(repo)?.kubectl(),
            helm: helm(repo, runner)?,
            // Not the running one's: building all tools may have replaced it.
            xtask: repo.tool("xtask"),
        })
    }
}

/// Helm, built once per machine.
fn helm(repo: &Repo, runner: &Runner) -> anyhow::Result<PathBuf> {
    GoTool {
        name: "helm",
        version: HELM_VERSION,
        module: repo.root.join("crates/xtask/bench/helm"),
        package: "helm.sh/helm/v4/cmd/helm",
        ldflags: &format!("-X helm.sh/helm/v4/internal/version.version={HELM_VERSION}"),
    }
    .ensure(runner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_pins_the_version() {
        let repo = Repo::find().unwrap();
        let text =
            std::fs::read_to_string(repo.root.join("crates/xtask/bench/helm/go.mod")).unwrap();
        assert!(text.contains(&format!("helm.sh/helm/v4 {HELM_VERSION} ")));
    }
}
