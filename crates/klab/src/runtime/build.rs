//! Building the programs: into a folder beside the final one, which appears
//! whole or not at all.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use nix::fcntl::{Flock, FlockArg};

use super::{Part, recipe::Module};
use crate::{
    error::{Context, Error, Result},
    progress::Progress,
};

/// Builds every program of a part into `folder`, the `bin` of a folder in the cache.
pub(super) fn build(part: Part, folder: &Path, progress: &Progress) -> Result<()> {
    let home = folder.parent().unwrap_or(folder);
    let cache = home.parent().unwrap_or(home);
    fs::create_dir_all(cache).file("cannot create", cache)?;
    // One build at a time: the second one finds it done.
    let handle = fs::File::open(cache).file("cannot open", cache)?;
    let _lock = Flock::lock(handle, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .file("cannot lock", cache)?;
    if folder.exists() {
        return Ok(());
    }
    check_tools(part)?;

    let unfinished = home.with_added_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).file("cannot remove", &unfinished)?;
    }
    let programs = unfinished.join("bin");
    fs::create_dir_all(&programs).file("cannot create", &programs)?;
    progress.say(&format!(
        "building the {part}'s programs once; this takes some minutes"
    ));
    let modules = part.modules();
    for (done, module) in modules.iter().enumerate() {
        build_module(
            module,
            &unfinished,
            &programs,
            &format!("{}/{}", done + 1, modules.len()),
            progress,
        )?;
    }
    for (name, target) in part.links() {
        symlink(target, programs.join(name)).file("cannot link", programs.join(name))?;
    }
    fs::rename(&unfinished, home).file("cannot rename to", home)
}

/// Whether everything is there to build a part with.
pub(super) fn check_tools(part: Part) -> Result<()> {
    let runs = |program: &str, argument: &str| {
        Command::new(program)
            .arg(argument)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let mut missing = Vec::new();
    if !runs("go", "version") {
        missing.push("Go 1.26 or later (https://go.dev/doc/install)");
    }
    // runc is the only one that is not Go alone.
    let c = part == Part::Cluster;
    if c && !runs("cc", "--version") {
        missing.push("a C compiler (apt-get install gcc libc6-dev)");
    }
    let seccomp = || {
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.args(["--exists", "libseccomp"]).status()
    };
    if c && !seccomp().is_ok_and(|status| status.success()) {
        missing.push(
            "libseccomp's headers and pkg-config (apt-get install libseccomp-dev pkg-config)",
        );
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Machine(format!(
            "to build the cluster's programs, klab needs: {}",
            missing.join("; ")
        )))
    }
}

fn build_module(
    module: &Module,
    work: &Path,
    programs: &Path,
    number: &str,
    progress: &Progress,
) -> Result<()> {
    let source = work.join("src").join(module.name);
    fs::create_dir_all(&source).file("cannot create", &source)?;
    for (name, content) in module.files {
        fs::write(source.join(name), content).file("cannot write", source.join(name))?;
    }
    let started = Instant::now();
    let step = progress.step(&format!("{number} {}", module.name));
    // "-o" with a final slash puts every main package into the folder.
    let (flags, package) = module.arguments.split_at(module.arguments.len() - 1);
    let mut go = Command::new("go")
        .args([
            "build",
            "-v",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            // The linker drops it (-s -w), and making it is a quarter of the compiler's work.
            "-gcflags=all=-dwarf=false",
            "-o",
        ])
        .arg(format!("{}/", programs.display()))
        .args(flags)
        .args(package)
        .current_dir(&source)
        // The caller's settings must not change what is built.
        .envs([
            ("GOFLAGS", ""),
            ("GOWORK", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOOS", "linux"),
        ])
        .env_remove("GOEXPERIMENT")
        .envs(module.environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .system("cannot start go")?;
    let mut said = Vec::new();
    if let Some(stderr) = go.stderr.take() {
        for line in BufReader::new(stderr)
            .lines()
            .map_while(std::result::Result::ok)
        {
            step.detail(&line);
            said.push(line);
        }
    }
    let status = go.wait().system("cannot wait for go")?;
    if !status.success() {
        let last = &said[said.len().saturating_sub(8)..];
        return Err(Error::Component(format!(
            "go could not build {}:\n  {}",
            module.name,
            last.join("\n  ")
        )));
    }
    step.done(&format!(
        "{} ({} s)",
        module.programs.join(", "),
        started.elapsed().as_secs()
    ));
    Ok(())
}
