//! What the stand-in has to know of this machine.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use serde::Serialize;

use crate::{
    repo::{Repo, find_program},
    run::Runner,
    setup::{self, Runtime},
};

/// Tools that make what is built: another version is another derivation.
const COMPILERS: &[&[&str]] = &[
    &["rustc", "--version"],
    &["cc", "--version"],
    &["ld", "--version"],
    &["go", "version"],
];

/// `host.json`
#[derive(Debug, Serialize)]
pub(super) struct Host {
    triple: String,
    /// Where programs are looked for.
    path: Vec<PathBuf>,
    versions: BTreeMap<&'static str, String>,
    /// The folder of downloaded crates.
    crates: PathBuf,
    /// The compiler's wrapper that lists a program's crates in it.
    auditable: PathBuf,
    /// The folder of the cluster's programs.
    runtime: PathBuf,
    /// Cargo's home, with the crates that it has unpacked.
    cargo: PathBuf,
    /// This checkout, and the folder that it is compiled into.
    root: PathBuf,
    target: PathBuf,
    #[serde(skip)]
    toolchain: PathBuf,
    #[serde(skip)]
    go: Option<PathBuf>,
}

impl Host {
    pub(super) fn look(repo: &Repo, runner: &Runner, runtime: &Runtime) -> anyhow::Result<Self> {
        let mut versions = BTreeMap::new();
        for command in COMPILERS {
            let [program, arguments @ ..] = *command else {
                continue;
            };
            let said = runner.output(Command::new(program).args(arguments))?;
            versions.insert(*program, said.lines().next().unwrap_or_default().to_owned());
        }
        let rustc = runner.output(Command::new("rustc").arg("-vV"))?;
        let triple = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let sysroot = runner.output(Command::new("rustc").args(["--print", "sysroot"]))?;
        let toolchain = real(Path::new(&sysroot))?;
        let home = cargo_home()?;
        // /usr/local/go/bin/go may be linked from elsewhere.
        let go = find_program("go").map(|go| real(&go)).transpose()?;
        let go = go.and_then(|go| go.ancestors().nth(2).map(Path::to_path_buf));
        let mut path = vec![toolchain.join("bin")];
        path.extend(go.iter().map(|go| go.join("bin")));
        path.extend(["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"].map(PathBuf::from));
        Ok(Self {
            triple: triple.context("rustc -vV names no host")?.to_owned(),
            path,
            versions,
            crates: crates(&home)?,
            auditable: real(&setup::AUDITABLE.ensure(repo, runner)?)?,
            runtime: real(&runtime.bin)?,
            root: real(&repo.root)?,
            target: real(&repo.target)?,
            cargo: home,
            toolchain,
            go,
        })
    }

    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    /// What builders see besides the store.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let system = ["/bin", "/usr", "/lib", "/lib64", "/etc/alternatives"].map(PathBuf::from);
        // RUNTIME/bin: the cluster's other parts lie beside RUNTIME.
        let parts = self.runtime.ancestors().nth(2).unwrap_or(&self.runtime);
        let own = [
            &self.toolchain,
            &self.auditable,
            &self.cargo,
            &parts.to_path_buf(),
            &self.root,
            &self.target,
        ];
        let all = own.into_iter().chain(&self.go).cloned().chain(system);
        all.filter(|path| path.exists()).collect()
    }
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    real(&home.context("neither CARGO_HOME nor HOME is set")?)
}

/// Cargo keeps the crates of each registry in a folder; there is one registry here.
fn crates(home: &Path) -> anyhow::Result<PathBuf> {
    let cache = home.join("registry/cache");
    let listed = fs::read_dir(&cache).with_context(|| format!("listing {}", cache.display()))?;
    let mut folders: Vec<_> = listed.flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.is_dir());
    // The one that was used last.
    folders.sort_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
    let newest = folders.pop();
    newest.with_context(|| format!("{} is empty; run: cargo fetch", cache.display()))
}

fn real(path: &Path) -> anyhow::Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("looking at {}", path.display()))
}
