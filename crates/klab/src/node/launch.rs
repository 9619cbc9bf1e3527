//! From a node's folder to its running PID 1.

use std::{fs, process::Stdio};

use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cgroup, child,
    components::NodePlan,
    error::{Context, Error, Result},
    net::cable::{self, Cable},
    process::{self, MEMBER_VARIABLE, marker, own_program},
    spec::NodeSpec,
    state::{Folder, read_json},
};

/// Starts a node whose folder is written, and returns when its PID 1 runs.
///
/// # Errors
/// When it runs already, or cannot be started: with the last words of whoever failed.
pub fn start(folder: &Folder, node: &NodeSpec) -> Result<()> {
    if process::node_init(&folder.path(), &node.name)?.is_some() {
        return Err(Error::State(format!("node {} runs already", node.name)));
    }
    let state = folder.node(&node.name);
    fs::create_dir_all(state.log()).file("cannot create", state.log())?;
    let mut command = own_program();
    command
        .args(["internal", "launch"])
        .arg(folder.path())
        .arg(&node.name)
        .env(MEMBER_VARIABLE, marker(&folder.path(), &node.name))
        .stdin(Stdio::null());
    child::start_and_listen(
        command,
        &state.log().join("init.log"),
        &format!("node {}", node.name),
    )?;
    Ok(())
}

/// The launcher's own life: ends as soon as the node's PID 1 runs.
///
/// # Errors
/// When the switch does not run or the kernel refuses.
pub fn run(folder: &Folder, node: &str) -> Result<()> {
    nix::unistd::setsid().system("cannot start a session")?;
    let plan: NodePlan = read_json(&folder.node(node).plan())?;
    let switch = process::switch(&folder.path())?.ok_or_else(|| {
        Error::State(format!(
            "the switch of cluster {} does not run",
            folder.name()
        ))
    })?;

    cgroup::detect()?.create(folder.name(), node)?;
    cable::plug_in(&plan.node, switch.pid)?;
    let others = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    unshare(others).system("cannot make the node's namespaces")?;

    // The next process is the first of the new PID namespace. It inherits the
    // standard output that `start` listens to, and says when it is ready.
    let mut init = own_program();
    init.args(["internal", "init"]).arg(folder.path()).arg(node);
    init.spawn().system("cannot start the node's PID 1")?;
    Ok(())
}

/// A power cut: the cable goes dead first, so that no FIN or RST tells anyone,
/// then everything on the node dies at once. One without power stays so.
///
/// # Errors
/// When something of it cannot be ended.
pub fn cut_power(folder: &Folder, node: &NodeSpec) -> Result<()> {
    if let Some(init) = process::node_init(&folder.path(), &node.name)? {
        cable::set(folder, node, Cable::Cut)?;
        // The kernel kills the rest of the PID namespace with its first process.
        let _ = kill(Pid::from_raw(init.pid), Signal::SIGKILL);
    }
    sweep(folder, &node.name)
}

/// Ends whatever is left of a node, and removes its cgroups.
///
/// # Errors
/// When something cannot be ended.
pub fn sweep(folder: &Folder, node: &str) -> Result<()> {
    process::kill_members(&folder.path(), |member| member.role == node)?;
    cgroup::detect()?.remove(folder.name(), Some(node))
}
