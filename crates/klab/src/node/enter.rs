//! `klab exec`: a command on a node.

use std::{fs::File, os::fd::AsFd, process::ExitStatus};

use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    error::{Context, Error, Result},
    process,
    state::Folder,
};

/// Runs a command inside a node's namespaces with this process's standard
/// streams, passes signals on to it, and returns how it ended. The calling
/// process must have one thread, and stays in the node.
///
/// # Errors
/// When the node does not run, or has no such command.
pub fn exec(folder: &Folder, node: &str, command: &[String]) -> Result<ExitStatus> {
    let spec = folder.spec()?;
    let node = spec
        .node(node)
        .ok_or_else(|| crate::control::no_such_node(&spec, node))?;
    let init = process::node_init(&folder.path(), &node.name)?.ok_or_else(|| {
        let start = folder.command(&format!("node start {}", node.name));
        Error::State(format!(
            "node {} is stopped; start it with: {start}",
            node.name
        ))
    })?;
    enter(init.pid)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(run(command, &spec.runtime))
}

fn enter(pid: i32) -> Result<()> {
    // All are opened first: /proc is another one once the mounts are entered.
    let namespaces = [
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("net", CloneFlags::CLONE_NEWNET),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ]
    .map(|(name, flag)| {
        let path = format!("/proc/{pid}/ns/{name}");
        File::open(&path)
            .file("cannot open", path)
            .map(|file| (file, flag))
    });
    let folder = std::env::current_dir().ok();
    for namespace in namespaces {
        let (file, flag) = namespace?;
        setns(file.as_fd(), flag).system("cannot enter the node's namespaces")?;
    }
    // Entering mounts moves us to "/"; most of the machine's folders are there too.
    if let Some(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}

async fn run(command: &[String], runtime: &std::path::Path) -> Result<ExitStatus> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Error::State("no command was given".to_owned()))?;
    let mut folders = vec![runtime.to_owned()];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(folders)
        .map_err(|error| Error::State(format!("PATH is unusable: {error}")))?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .spawn()
        .system(format!("cannot run {program}"))?;

    let mut terminate = signal(SignalKind::terminate()).system("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).system("cannot listen to signals")?;
    let mut hang_up = signal(SignalKind::hangup()).system("cannot listen to signals")?;
    loop {
        let received = tokio::select! {
            status = child.wait() => return status.system(format!("cannot wait for {program}")),
            _ = terminate.recv() => Signal::SIGTERM,
            _ = interrupt.recv() => Signal::SIGINT,
            _ = hang_up.recv() => Signal::SIGHUP,
        };
        if let Some(pid) = child.id() {
            let _ = kill(Pid::from_raw(pid.cast_signed()), received);
        }
    }
}
