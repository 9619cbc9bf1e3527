//! One request on a fresh connection, and what became of it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout_at},
};

use super::{ports::SourcePorts, record::Failure};

/// What an exact answer begins with; the pod's host name and two newlines follow.
const GREETING: &str = "Hello World! My Host name is ";
/// A longer body cannot be an exact answer (host names have 253 bytes at most).
const LONGEST_BODY: usize = 1024;
/// How many source ports are tried before a request fails for want of one.
const PORT_TRIES: u32 = 32;

/// What became of a request: the pod that answered, or how it failed, and the status if any.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The pod that gave the exact answer, or the failure.
    pub result: Result<String, Failure>,
    /// The HTTP status, if an answer began.
    pub status: Option<u16>,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            status: None,
        }
    }
}

/// Connects, sends `GET <path>`, reads the whole answer; gives up after `limit`.
pub async fn send(
    address: SocketAddr,
    host: &str,
    path: &str,
    limit: Duration,
    ports: &SourcePorts,
) -> Answer {
    let deadline = Instant::now() + limit;
    let mut port = 0;
    let stream = match timeout_at(deadline, connect(address, ports, &mut port)).await {
        Err(_) => {
            ports.avoid(port);
            return Failure::ConnectTimeout.into();
        }
        Ok(Err(error)) => return connect_failure(&error).into(),
        Ok(Ok(stream)) => stream,
    };
    timeout_at(deadline, exchange(stream, host, path))
        .await
        .unwrap_or_else(|_| {
            ports.avoid(port);
            Failure::Timeout.into()
        })
}

/// Connects from the next source port that is free; `port` says which, even while connecting.
async fn connect(
    address: SocketAddr,
    ports: &SourcePorts,
    port: &mut u16,
) -> io::Result<TcpStream> {
    let mut tries = 0;
    loop {
        *port = ports.take();
        tries += 1;
        match connect_from(address, *port).await {
            Err(error) if taken(&error) && tries < PORT_TRIES => {}
            outcome => return outcome,
        }
    }
}

async fn connect_from(address: SocketAddr, port: u16) -> io::Result<TcpStream> {
    let (socket, any) = if address.is_ipv4() {
        (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED))
    } else {
        (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED))
    };
    // A port whose former connection is still being forgotten can be taken all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(any, port))?;
    // Without this the request's few bytes could wait for an acknowledgement.
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Whether the source port cannot be had.
fn taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

async fn exchange(stream: TcpStream, host: &str, path: &str) -> Answer {
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    // Path and host come from a parsed URL, so that this cannot fail; a panic would be worse.
    let Ok(request) = request else {
        return Failure::ConnectFailed.into();
    };
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(pair) => pair,
        Err(error) => return broken(&error).into(),
    };
    let ask = async {
        let response = match sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => return broken(&error).into(),
        };
        let status = response.status();
        let result = match Limited::new(response.into_body(), LONGEST_BODY)
            .collect()
            .await
        {
            Err(error) => Err(broken(&*error)),
            Ok(_) if status != StatusCode::OK => Err(Failure::BadStatus),
            Ok(body) => host_name(&body.to_bytes()).ok_or(Failure::BadBody),
        };
        Answer {
            result,
            status: Some(status.as_u16()),
        }
    };
    // Polled together, so that the connection ends with the request and no task outlives it.
    let mut ask = std::pin::pin!(ask);
    let connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut ask => answer,
        _ = connection => ask.await,
    }
}

/// The host name in an exact answer.
fn host_name(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let name = text.strip_prefix(GREETING)?.strip_suffix("\n\n")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!name.is_empty() && name.chars().all(plain)).then(|| name.to_owned())
}

fn connect_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::ConnectRefused,
        io::ErrorKind::ConnectionReset => Failure::Reset,
        io::ErrorKind::TimedOut => Failure::ConnectTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Failure::ConnectUnreachable
        }
        _ => Failure::ConnectFailed,
    }
}

/// What went wrong after the connection stood, from the cause deepest down.
fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return Failure::BadBody;
        }
        if let Some(io_error) = error.downcast_ref::<io::Error>() {
            return match io_error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::Reset,
                io::ErrorKind::TimedOut => Failure::Timeout,
                _ => Failure::Incomplete,
            };
        }
        cause = error.source();
    }
    Failure::Incomplete
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_answer_names_a_pod() {
        let name = |text: &str| host_name(text.as_bytes());
        assert_eq!(
            name("Hello World! My Host name is web-1\n\n").as_deref(),
            Some("web-1")
        );
        for wrong in [
            "",
            "Hello World! My Host name is \n\n",
            "Hello World! My Host name is web-1\n",
            "Hello World! My Host name is web-1\n\n\n",
            "Hello World! My Host name is web 1\n\n",
            "hello World! My Host name is web-1\n\n",
        ] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
    }
}
