//! Listening on the machine's loopback and connecting inside the cluster: one
//! thread in each network namespace, because a socket stays in the one it was
//! made in.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    thread,
};

use nix::sched::{CloneFlags, setns};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::Published;
use crate::{
    error::{Context, Error, Result},
    net::{
        forward::{Targets, pass},
        link::namespace_of,
    },
    process,
    state::Folder,
};

/// Takes connections to be passed on into the cluster.
#[derive(Debug, Clone)]
pub(super) struct Door {
    inside: UnboundedSender<(TcpStream, Targets)>,
}

impl Door {
    /// Starts the thread inside.
    ///
    /// # Errors
    /// When the switch does not run.
    pub(super) fn open(folder: &Folder) -> Result<Self> {
        let switch = process::switch(&folder.path())?
            .ok_or_else(|| Error::State("the switch does not run".to_owned()))?;
        let namespace = namespace_of(switch.pid)?;
        let (inside, connections) = unbounded_channel();
        thread::Builder::new()
            .name("inside".to_owned())
            .spawn(move || {
                let entered = setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                    .system("cannot enter the switch's network");
                if let Err(error) = entered.and_then(|()| pass_on(connections)) {
                    eprintln!("cloud: {error}");
                }
            })
            .system("cannot start a thread")?;
        Ok(Self { inside })
    }
}

fn pass_on(mut connections: UnboundedReceiver<(TcpStream, Targets)>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async {
        while let Some((client, targets)) = connections.recv().await {
            if let Ok(client) = tokio::net::TcpStream::from_std(client) {
                tokio::spawn(pass(client, targets));
            }
        }
        Ok(())
    })
}

/// The ports that are listened on at present.
#[derive(Debug)]
pub(super) struct Listeners {
    door: Door,
    open: BTreeMap<Published, JoinHandle<()>>,
}

impl Listeners {
    pub(super) fn new(door: Door) -> Self {
        Self {
            door,
            open: BTreeMap::new(),
        }
    }

    /// Listens on these and on no others. `nodes` says which nodes there are.
    pub(super) async fn become_these(
        &mut self,
        wanted: &[Published],
        nodes: impl Fn() -> Vec<std::net::Ipv4Addr> + Clone + Send + 'static,
    ) {
        let gone: Vec<_> = self
            .open
            .keys()
            .filter(|open| !wanted.contains(open))
            .cloned()
            .collect();
        for published in gone {
            if let Some(task) = self.open.remove(&published) {
                task.abort();
                // The port is free once its task has let go of it.
                let _ = task.await;
            }
        }
        for published in wanted {
            if self.open.contains_key(published) {
                continue;
            }
            match TcpListener::bind((published.address, published.port)).await {
                Ok(listener) => {
                    let task = accept(
                        listener,
                        published.node_port,
                        self.door.clone(),
                        nodes.clone(),
                    );
                    self.open.insert(published.clone(), tokio::spawn(task));
                }
                Err(error) => eprintln!(
                    "cloud: {}: cannot listen on {}:{}: {error}",
                    published.service, published.address, published.port
                ),
            }
        }
    }
}

async fn accept(
    listener: TcpListener,
    node_port: u16,
    door: Door,
    nodes: impl Fn() -> Vec<std::net::Ipv4Addr>,
) {
    loop {
        let client = match listener.accept().await {
            Ok((client, _)) => client.into_std(),
            Err(error) => Err(error),
        };
        match client {
            Ok(client) => {
                let targets: Vec<_> = nodes()
                    .into_iter()
                    .map(|node| SocketAddr::from((node, node_port)))
                    .collect();
                let _ = door.inside.send((client, Targets::new(targets)));
            }
            Err(error) => {
                eprintln!("cloud: cannot accept a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}
