//! The flake under real Nix, on machines that cannot fetch nixpkgs.
//!
//! 1. [`Nix`] is found, or brought here privately;
//! 2. the stand-in for nixpkgs learns what tools this machine has;
//! 3. every output is evaluated, for both systems;
//! 4. what needs nothing but those tools is built in the sandbox, once more, and
//!    compared with what cargo has built.
//!
//! The suite `flake` then runs the apps against the cluster.

mod host;
mod nix;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    image::Image,
    repo::Repo,
    run::{Runner, say},
    setup::{self, Runtime},
};
pub use nix::Nix;

/// The program that stands for Nix, for the suites.
pub const NIX_VARIABLE: &str = "E2E_NIX";
/// The stand-in's folder, for the suites.
pub const NIXPKGS_VARIABLE: &str = "E2E_NIXPKGS";

/// What the stand-in can build and the suites run; everything else of the flake is evaluated.
const BUILT: &[&str] = &[
    "packages.SYSTEM.default",
    "packages.SYSTEM.image",
    "packages.SYSTEM.manifests",
    "checks.SYSTEM.manifests",
    "checks.SYSTEM.nixos-options",
    "checks.SYSTEM.template",
];

/// Programs of this machine that the stand-in's packages are, as apt calls them, too.
const PROGRAMS: &[&str] = &["jq", "mypy", "openssl", "shellcheck"];

/// This checkout's flake, ready to be evaluated and built.
#[derive(Debug)]
pub struct Flake {
    root: PathBuf,
    nix: Nix,
    nixpkgs: PathBuf,
}

impl Flake {
    /// Puts the stand-in together.
    ///
    /// # Errors
    /// When a file cannot be written or a tool does not tell its version.
    pub fn prepare(repo: &Repo, runner: &Runner, runtime: &Runtime) -> anyhow::Result<Self> {
        let folder = repo.target.join("flake");
        let nixpkgs = folder.join("nixpkgs");
        if nixpkgs.exists() {
            fs::remove_dir_all(&nixpkgs)
                .with_context(|| format!("removing {}", nixpkgs.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(repo.root.join("tests/flake/nixpkgs"));
        runner.run(copy.arg(&nixpkgs))?;
        let lock = "Cargo.lock";
        fs::copy(repo.root.join(lock), nixpkgs.join(lock)).context("copying Cargo.lock")?;
        setup::ensure_programs(runner, PROGRAMS)?;
        // The stand-in takes crates from where cargo has put them.
        runner.run(repo.cargo().args(["fetch", "--quiet", "--locked"]))?;
        let host = host::Host::look(repo, runner, runtime)?;
        host.write(&nixpkgs.join("host.json"))?;
        let nix = Nix::find_or_install(repo, runner, &folder, &host.paths())?;
        say(&format!(
            "    {}",
            runner.output(nix.command().arg("--version"))?
        ));
        Ok(Self {
            root: repo.root.clone(),
            nix,
            nixpkgs,
        })
    }

    /// `nix COMMAND` on this flake, with the stand-in in nixpkgs' place.
    fn nix(&self, command: &[&str]) -> Command {
        let mut nix = self.nix.command();
        nix.current_dir(&self.root)
            .args(command)
            .args([
                "--quiet",
                "--no-write-lock-file",
                "--override-input",
                "nixpkgs",
            ])
            .arg(format!("path:{}", self.nixpkgs.display()));
        nix
    }

    /// Evaluates all outputs for all systems, the checks down to their derivations.
    ///
    /// # Errors
    /// What Nix says.
    pub fn evaluate(&self, runner: &Runner) -> anyhow::Result<()> {
        runner.run(&mut self.nix(&["flake", "check", "--no-build", "--all-systems"]))
    }

    /// Builds, builds the image once more, and compares it with cargo's.
    ///
    /// # Errors
    /// When a build fails, or what was built differs.
    pub fn build(&self, runner: &Runner, image: &Image) -> anyhow::Result<()> {
        let system = format!("{}-linux", std::env::consts::ARCH);
        let output = |output: &&str| format!(".#{}", output.replace("SYSTEM", &system));
        let outputs: Vec<String> = BUILT.iter().map(output).collect();
        let mut build = vec!["build", "--no-link", "--print-build-logs"];
        build.extend(outputs.iter().map(String::as_str));
        runner.run(&mut self.nix(&build))?;
        runner.run(&mut self.nix(&["build", "--no-link", "--rebuild", ".#image"]))?;
        let printed = ["build", "--no-link", "--print-out-paths", ".#image^digest"];
        let file = runner.output(&mut self.nix(&printed))?;
        let digest = runner.output(self.nix.shell("cat").arg(&file))?;
        same(&digest, &image.digest)?;
        say(&format!("    Nix and cargo agree on {digest}"));
        Ok(())
    }

    /// What the suites are told.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            (NIX_VARIABLE, self.nix.program().display().to_string()),
            (NIXPKGS_VARIABLE, self.nixpkgs.display().to_string()),
        ]
    }
}

fn same(nix: &str, cargo: &str) -> anyhow::Result<()> {
    if nix == cargo {
        return Ok(());
    }
    bail!(
        "the image that Nix builds is {nix}, the one that cargo builds is {cargo}; \
         compare them with: ocipack diff"
    )
}

/// A file that is run, with everything around it.
fn write_program(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing {}", path.display()))
}
