//! A node's cable: plugged in when it starts, cut when it loses power or is
//! partitioned from the others.

use std::os::fd::AsFd;

use nix::sched::{CloneFlags, unshare};
use tokio::runtime::Builder;

use super::{
    link::{Links, namespace_of},
    switch::BRIDGE,
};
use crate::{
    error::{Context, Error, Result},
    process,
    spec::{NODE_NET, NodeSpec, SWITCH},
    state::Folder,
};

/// The node's end of its cable.
pub(super) const NODE_END: &str = "eth0";

/// Puts this process into a new network namespace and connects that to the
/// switch. The calling process must have one thread.
///
/// # Errors
/// When the switch does not run or the kernel refuses.
pub fn plug_in(node: &NodeSpec, switch_pid: i32) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).system("cannot make a network namespace")?;
    let own = namespace_of(std::process::id().cast_signed())?;
    let switch = namespace_of(switch_pid)?;

    // The end in the switch is named after the node. One of a former life may
    // still be there: the kernel takes namespaces apart in its own time.
    in_namespace(switch.as_fd(), async |links| links.remove(&node.name).await)?;
    in_namespace(own.as_fd(), async |links| {
        links.up("lo").await?;
        links.add_cable(NODE_END, &node.name).await?;
        links.give_to(&node.name, switch.as_fd()).await?;
        links.set_mac(NODE_END, node.mac()).await?;
        links.add_address(NODE_END, node.ip(), NODE_NET.1).await?;
        links.up(NODE_END).await
    })?;
    in_namespace(switch.as_fd(), async |links| {
        links.plug_into(&node.name, BRIDGE).await?;
        links.up(&node.name).await?;
        links.set_route(node.pod_net(), node.ip()).await
    })?;
    in_namespace(own.as_fd(), async |links| {
        links
            .set_route((std::net::Ipv4Addr::UNSPECIFIED, 0), SWITCH)
            .await
    })
}

/// Whether a node's cable is plugged in at the switch's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// Nothing gets out or in.
    Cut,
    /// As it was when the node started.
    Connected,
}

/// Turns the switch's end of a node's cable off or on. The node itself goes on.
///
/// # Errors
/// When the switch does not run or the kernel refuses.
pub fn set(folder: &Folder, node: &NodeSpec, cable: Cable) -> Result<()> {
    at_switch(folder, async |links| match cable {
        Cable::Cut => links.down(&node.name).await,
        Cable::Connected => links.up(&node.name).await,
    })
}

/// The nodes among `nodes` whose cable is connected.
///
/// # Errors
/// When the switch does not run or the kernel refuses.
pub fn connected(folder: &Folder, nodes: &[NodeSpec]) -> Result<Vec<String>> {
    at_switch(folder, async |links| {
        let mut connected = Vec::new();
        for node in nodes {
            if links.is_up(&node.name).await? {
                connected.push(node.name.clone());
            }
        }
        Ok(connected)
    })
}

/// The switch's process.
///
/// # Errors
/// When it does not run.
pub fn switch_pid(folder: &Folder) -> Result<i32> {
    let switch = process::switch(&folder.path())?.ok_or_else(|| {
        Error::State(format!(
            "the switch of cluster {name} does not run, so the cluster is broken; remove it with: {down}",
            name = folder.name(),
            down = folder.command("down")
        ))
    })?;
    Ok(switch.pid)
}

/// Does `work` in the switch's network namespace, on a thread of its own: the
/// caller's may be in the middle of something else, and stays where it is.
fn at_switch<T: Send>(
    folder: &Folder,
    work: impl AsyncFnOnce(&Links) -> Result<T> + Send,
) -> Result<T> {
    let switch = namespace_of(switch_pid(folder)?)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| in_namespace(switch.as_fd(), work));
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Does `work` in a namespace; the thread stays there.
fn in_namespace<T>(
    namespace: std::os::fd::BorrowedFd<'_>,
    work: impl AsyncFnOnce(&Links) -> Result<T>,
) -> Result<T> {
    nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET)
        .system("cannot enter a network namespace")?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async { work(&Links::open()?).await })
}
