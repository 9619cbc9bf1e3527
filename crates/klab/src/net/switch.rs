//! The switch: a process that owns a network namespace with a bridge in it,
//! joins the nodes, routes between their pod networks, and forwards the API.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
};

use nix::sched::{CloneFlags, unshare};

use super::{SWITCH_ROLE, forward::forward, link::Links};
use crate::{
    child,
    error::{Context, Result},
    process::{MEMBER_VARIABLE, marker, own_program},
    spec::{API_PORT, NODE_NET, NodeSpec, SWITCH, SWITCH_MAC},
    state::Folder,
};

/// The bridge's name, in the switch's namespace.
pub const BRIDGE: &str = "nodes";

/// Starts the switch and returns its port on 127.0.0.1. With `port` it takes
/// that one, else a free one.
///
/// # Errors
/// When the port is taken or the kernel refuses; the text says what the switch said.
pub fn start(folder: &Folder, port: Option<u16>) -> Result<u16> {
    let mut command = own_program();
    command
        .args(["internal", "switch", &port.unwrap_or(0).to_string()])
        .env(MEMBER_VARIABLE, marker(&folder.path(), SWITCH_ROLE))
        .stdin(Stdio::null());
    let answer = child::start_and_listen(command, &folder.switch_log(), "the switch")?;
    answer.parse().map_err(|_| {
        crate::Error::Component(format!(
            "the switch answered {answer:?} instead of its port"
        ))
    })
}

/// The switch's own life: never returns unless it cannot start.
///
/// # Errors
/// When the port is taken or the kernel refuses.
pub fn run(port: u16) -> Result<()> {
    nix::unistd::setsid().system("cannot start a session")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).system(format!(
        "cannot listen on 127.0.0.1:{port}; is another program using it?"
    ))?;
    let port = listener.local_addr().system("cannot read the port")?.port();
    unshare(CloneFlags::CLONE_NEWNET).system("cannot make a network namespace")?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async {
        prepare().await?;
        listener
            .set_nonblocking(true)
            .system("cannot use the port")?;
        let listener = tokio::net::TcpListener::from_std(listener).system("cannot use the port")?;
        child::report_ready(&port.to_string())?;
        forward(
            listener,
            SocketAddr::from((NodeSpec::server().ip(), API_PORT)),
        )
        .await;
        Ok(())
    })
}

async fn prepare() -> Result<()> {
    let links = Links::open()?;
    links.up("lo").await?;
    links.add_bridge(BRIDGE).await?;
    links.set_mac(BRIDGE, SWITCH_MAC).await?;
    links.add_address(BRIDGE, SWITCH, NODE_NET.1).await?;
    links.up(BRIDGE).await?;
    for (key, value) in [
        ("ip_forward", "1"),
        // Nodes on one wire would be told to talk to each other directly.
        ("conf/all/send_redirects", "0"),
        ("conf/nodes/send_redirects", "0"),
    ] {
        let path = Path::new("/proc/sys/net/ipv4").join(key);
        fs::write(&path, value).file("cannot write", path)?;
    }
    Ok(())
}
