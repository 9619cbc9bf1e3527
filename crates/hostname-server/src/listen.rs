//! Where the listening socket comes from: the service manager passes it, or it is bound here.
//!
//! A socket that is passed (systemd's `LISTEN_FDS`) outlives the process: while one stops and the
//! next starts, clients wait in its queue instead of being refused.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};
use tokio::net::TcpListener;

/// Where to listen when nobody says.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000);

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("cannot listen on {address}: {source}; choose another address with --listen or PORT")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(
        "a socket was passed (LISTEN_FDS) and {address} was asked for; \
         set the address in the socket unit, and drop --listen and PORT"
    )]
    Both { address: SocketAddr },
    #[error(
        "{count} sockets were passed (LISTEN_FDS); give one, with one ListenStream= in the socket unit"
    )]
    Many { count: usize },
    #[error(
        "the socket that was passed (LISTEN_FDS) is unusable: {0}; \
         it must be a listening TCP socket: ListenStream=PORT and Accept=no in the socket unit"
    )]
    Passed(io::Error),
}

/// The passed socket, or one bound to `address`.
pub(crate) async fn listener(address: Option<SocketAddr>) -> Result<TcpListener, ListenError> {
    if let Some(passed) = passed(ListenFd::from_env())? {
        return match address {
            Some(address) => Err(ListenError::Both { address }),
            None => Ok(passed),
        };
    }
    let address = address.unwrap_or(DEFAULT);
    TcpListener::bind(address)
        .await
        .map_err(|source| ListenError::Bind { address, source })
}

fn passed(mut sockets: ListenFd) -> Result<Option<TcpListener>, ListenError> {
    match sockets.len() {
        0 => return Ok(None),
        1 => {}
        count => return Err(ListenError::Many { count }),
    }
    let Some(socket) = sockets.take_tcp_listener(0).map_err(ListenError::Passed)? else {
        return Ok(None);
    };
    let listens = getsockopt(&socket, sockopt::AcceptConn)
        .map_err(|error| ListenError::Passed(error.into()))?;
    if !listens {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it does not listen");
        return Err(ListenError::Passed(error));
    }
    socket
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(socket))
        .map(Some)
        .map_err(ListenError::Passed)
}
