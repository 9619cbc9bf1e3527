//! From 127.0.0.1 of the machine to a server inside the cluster.
//!
//! A socket stays in the network namespace it was made in. So one process can
//! listen in the machine's namespace and connect in the switch's, and no
//! packet filter, route or address of the machine is needed.

use std::{
    net::SocketAddr,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// A server that is there answers in less than a millisecond.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// How long a server may be silent, asked every second, until it counts as lost:
/// one that lost its power closes no connection.
const SILENCE: Duration = Duration::from_secs(4);

/// Servers of which any will do.
#[derive(Debug, Clone)]
pub struct Targets {
    addresses: Arc<[SocketAddr]>,
    /// The one that answered last.
    preferred: Arc<AtomicUsize>,
}

impl Targets {
    /// At least one; the first is tried first.
    #[must_use]
    pub fn new(addresses: impl Into<Arc<[SocketAddr]>>) -> Self {
        Self {
            addresses: addresses.into(),
            preferred: Arc::default(),
        }
    }

    /// A connection to the one that answered last, or to the next that does.
    async fn connect(&self) -> Option<TcpStream> {
        let count = self.addresses.len();
        let first = self.preferred.load(Ordering::Relaxed);
        for turn in 0..count {
            let index = (first + turn) % count;
            let connecting = TcpStream::connect(self.addresses[index]);
            if let Ok(Ok(server)) = timeout(CONNECT_LIMIT, connecting).await {
                self.preferred.store(index, Ordering::Relaxed);
                return Some(server);
            }
        }
        None
    }
}

/// Passes every connection on to one of `targets`, for ever.
pub async fn forward(listener: TcpListener, targets: Targets) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(pass(client, targets.clone()));
            }
            Err(error) => {
                // Out of file descriptors, mostly: some will be closed soon.
                eprintln!("switch: cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Passes one connection on.
pub async fn pass(mut client: TcpStream, targets: Targets) {
    // Closing the client's connection is the answer when no server is there.
    let Some(mut server) = targets.connect().await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let _ = notice_silence(&server);
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// Lets the kernel close a connection whose other end is gone without a word.
fn notice_silence(server: &TcpStream) -> nix::Result<()> {
    let socket = server.as_fd();
    setsockopt(&socket, sockopt::KeepAlive, &true)?;
    setsockopt(&socket, sockopt::TcpKeepIdle, &1)?;
    setsockopt(&socket, sockopt::TcpKeepInterval, &1)?;
    // With a user timeout set, it decides, not the number of probes (tcp(7)).
    setsockopt(
        &socket,
        sockopt::TcpUserTimeout,
        &(SILENCE.as_millis() as u32),
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that says its name to everybody.
    async fn named(name: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            while let Ok((mut client, _)) = listener.accept().await {
                client.write_all(name).await.unwrap();
            }
        };
        (address, tokio::spawn(serve))
    }

    async fn asked(address: SocketAddr) -> String {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_next_server_takes_over_and_stays() {
        let (one, first) = named(b"one").await;
        let (two, _second) = named(b"two").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = listener.local_addr().unwrap();
        tokio::spawn(forward(listener, Targets::new([one, two])));
        assert_eq!(asked(front).await, "one");
        first.abort();
        let _ = first.await;
        assert_eq!(asked(front).await, "two");
        // The first is there again, but connections do not go back and forth.
        let _again = TcpListener::bind(one).await.unwrap();
        assert_eq!(asked(front).await, "two");
    }
}
