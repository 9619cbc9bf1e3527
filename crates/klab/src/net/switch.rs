//! The switch: a process that owns a network namespace with a bridge in it,
//! joins the nodes, routes between their pod networks, and forwards what the
//! machine may reach.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    thread,
};

use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

use super::{
    SWITCH_ROLE,
    forward::{Targets, forward},
    link::Links,
    registry,
    supervise::Supervised,
};
use crate::{
    child, cloud,
    error::{Context, Result},
    process::{MEMBER_VARIABLE, marker, own_program},
    spec::{API_PORT, ClusterSpec, NODE_NET, REGISTRY_PORT, SWITCH, SWITCH_MAC},
    state::{Folder, read_json},
};

/// The bridge's name, in the switch's namespace.
pub const BRIDGE: &str = "nodes";

/// The ports that the switch listens on, on 127.0.0.1 of the machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ports {
    /// The API server's.
    pub api: u16,
    /// The registry's, if the cluster has one.
    pub registry: Option<u16>,
}

/// Starts the switch of a cluster whose spec is written, and returns its ports:
/// those the spec asks for, else free ones.
///
/// # Errors
/// When a port is taken or the kernel refuses; the text says what the switch said.
pub fn start(folder: &Folder) -> Result<Ports> {
    let mut command = own_program();
    command
        .args(["internal", "switch"])
        .arg(folder.path())
        .env(MEMBER_VARIABLE, marker(&folder.path(), SWITCH_ROLE))
        .stdin(Stdio::null());
    let answer = child::start_and_listen(command, &folder.switch_log(), "the switch")?;
    serde_json::from_str(&answer).map_err(|_| {
        crate::Error::Component(format!(
            "the switch answered {answer:?} instead of its ports"
        ))
    })
}

/// The switch's own life: never returns unless it cannot start.
///
/// # Errors
/// When a port is taken or the kernel refuses.
pub fn run(folder: &Folder) -> Result<()> {
    nix::unistd::setsid().system("cannot start a session")?;
    let spec: ClusterSpec = read_json(&folder.spec_file())?;
    // Still in the machine's namespace: these two stay there.
    let api = listen(spec.api_port)?;
    let listener = spec.registry.as_ref().map(|wanted| listen(wanted.port));
    let listener = listener.transpose()?;
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    let ports = Ports {
        api: port(&api).system("cannot read the port")?,
        registry: listener
            .as_ref()
            .map(port)
            .transpose()
            .system("cannot read the port")?,
    };
    if !spec.control_plane_only {
        keep_outside(cloud::supervised(folder))?;
    }
    unshare(CloneFlags::CLONE_NEWNET).system("cannot make a network namespace")?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async {
        prepare().await?;
        let servers: Vec<_> = spec
            .servers()
            .map(|server| SocketAddr::from((server.ip(), API_PORT)))
            .collect();
        let servers = Targets::new(servers);
        // For agents, when there are several servers.
        let inside = TcpListener::bind((SWITCH, API_PORT)).system("cannot listen at the switch")?;
        tokio::spawn(forward(tokio_listener(inside)?, servers.clone()));
        if let (Some(listener), Some(registry)) = (listener, spec.registry.clone()) {
            let target = Targets::new([SocketAddr::from((SWITCH, REGISTRY_PORT))]);
            tokio::spawn(forward(tokio_listener(listener)?, target));
            let registry = registry::supervised(folder, &registry.program);
            tokio::spawn(registry.keep_running());
        }
        let api = tokio_listener(api)?;
        child::report_ready(&serde_json::json!(ports).to_string())?;
        forward(api, servers).await;
        Ok(())
    })
}

/// Runs something in the machine's network, where a thread stays that is started
/// before this one leaves.
fn keep_outside(process: Supervised) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    thread::Builder::new()
        .name("outside".to_owned())
        .spawn(move || runtime.block_on(process.keep_running()))
        .map(drop)
        .system("cannot start a thread")
}

fn listen(port: Option<u16>) -> Result<TcpListener> {
    let port = port.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).system(format!(
        "cannot listen on 127.0.0.1:{port}; is another program using it?"
    ))
}

fn tokio_listener(listener: TcpListener) -> Result<tokio::net::TcpListener> {
    listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .system("cannot use the port")
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
