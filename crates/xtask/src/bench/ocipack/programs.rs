//! The programs that are compared, each at one known version; Debian's are what
//! the machine has.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{bench::go_tool::GoTool, image, repo::Repo, run::Runner};

/// As in `tests/registry/go.mod`.
const CRANE_VERSION: &str = "v0.22.1";

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Programs {
    ocipack: PathBuf,
    pub(super) crane: PathBuf,
    pub(super) registry: PathBuf,
    /// The static server that goes into the image, and its platform.
    pub(super) server: image::Server,
    /// This program, which measures the others from close by.
    pub(super) xtask: PathBuf,
}

impl Programs {
    /// Builds what is not built yet: ocipack for release, crane once per machine.
    pub(super) fn build(repo: &Repo, runner: &Runner) -> anyhow::Result<Self> {
        let mut cargo = repo.cargo();
        runner.run(cargo.args(["build", "--quiet", "--release", "--package", "ocipack"]))?;
        let crane = GoTool {
            name: "crane",
            version: CRANE_VERSION,
            module: repo.root.join("tests/registry"),
            package: "github.com/google/go-containerregistry/cmd/crane",
            ldflags: "",
        };
        let mut path = Command::new(repo.tool("klab"));
        let registry = runner.output(path.args(["runtime", "path", "registry"]))?;
        Ok(Self {
            ocipack: repo.target.join("release/ocipack"),
            crane: crane.ensure(runner)?,
            registry: Path::new(&registry).join("registry"),
            server: image::Server::build(repo, runner)?,
            // Not the running one's: building all tools may have replaced it.
            xtask: repo.tool("xtask"),
        })
    }

    pub(super) fn ocipack(&self) -> Command {
        let mut command = Command::new(&self.ocipack);
        command.env_remove("SOURCE_DATE_EPOCH");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_pins_the_version() {
        let repo = Repo::find().unwrap();
        let text = std::fs::read_to_string(repo.root.join("tests/registry/go.mod")).unwrap();
        let line = format!("github.com/google/go-containerregistry {CRANE_VERSION}\n");
        assert!(text.contains(&line));
    }
}
