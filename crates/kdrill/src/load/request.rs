//! One request, on a fresh connection or on one that was kept, and what became of it.

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

use super::{
    aim::Aim,
    pool::{Kept, Pool, Sender},
    ports::SourcePorts,
    record::Failure,
};

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

/// Sends `GET <path>`, reads the whole answer; gives up after `limit`. With a pool, a connection of
/// it is used and given back; without, the connection is a fresh one and ends with the request.
pub async fn send(aim: &Aim, limit: Duration, ports: &SourcePorts, pool: Option<&Pool>) -> Answer {
    let deadline = Instant::now() + limit;
    if let Some(kept) = pool.and_then(Pool::take) {
        let port = kept.port;
        match timeout_at(deadline, ask_kept(kept, aim, pool)).await {
            Ok(Some(answer)) => return answer,
            // It was closed before anything was sent: a fresh one takes its place.
            Ok(None) => {}
            Err(_) => {
                ports.avoid(port);
                return Failure::Timeout.into();
            }
        }
    }
    let address = match timeout_at(deadline, aim.address()).await {
        Err(_) => return Failure::NameTimeout.into(),
        Ok(Err(failure)) => return failure.into(),
        Ok(Ok(address)) => address,
    };
    let mut port = 0;
    let stream = match timeout_at(deadline, connect(address, ports, &mut port)).await {
        Err(_) => {
            ports.avoid(port);
            return Failure::ConnectTimeout.into();
        }
        Ok(Err(error)) => return connect_failure(&error).into(),
        Ok(Ok(stream)) => stream,
    };
    timeout_at(deadline, exchange(stream, port, aim, pool))
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
    // Closed, whatever is under way: a connection to a lost pod would go on asking for its end, and
    // connection tracking with it remember the pod, for minutes.
    socket.set_zero_linger()?;
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

async fn exchange(stream: TcpStream, port: u16, aim: &Aim, pool: Option<&Pool>) -> Answer {
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(pair) => pair,
        Err(error) => return broken(&error).into(),
    };
    let Some(pool) = pool else {
        // Polled together, so that the connection ends with the request and no task outlives it.
        let mut asked = std::pin::pin!(ask(&mut sender, aim, "close"));
        let connection = std::pin::pin!(connection);
        let (answer, _) = tokio::select! {
            asked = &mut asked => asked,
            _ = connection => asked.await,
        };
        return answer.unwrap_or_else(|error| broken(&error).into());
    };
    // It lives on between requests; it ends when its sender is dropped.
    tokio::spawn(connection);
    let (answer, may_stay) = ask(&mut sender, aim, "keep-alive").await;
    if may_stay {
        pool.give(Kept { sender, port });
    }
    answer.unwrap_or_else(|error| broken(&error).into())
}

/// Asks on a kept connection; `None` when nothing could be sent on it.
async fn ask_kept(mut kept: Kept, aim: &Aim, pool: Option<&Pool>) -> Option<Answer> {
    let (answer, may_stay) = ask(&mut kept.sender, aim, "keep-alive").await;
    if let (true, Some(pool)) = (may_stay, pool) {
        pool.give(kept);
    }
    match answer {
        Err(error) if error.is_canceled() => None,
        answer => Some(answer.unwrap_or_else(|error| broken(&error).into())),
    }
}

/// One request and its answer, and whether the connection may be used again.
async fn ask(
    sender: &mut Sender,
    aim: &Aim,
    connection: &'static str,
) -> (hyper::Result<Answer>, bool) {
    let request = Request::get(&aim.path)
        .header(header::HOST, &aim.host)
        .header(header::CONNECTION, connection)
        .body(Empty::<Bytes>::new());
    // Path and host come from a parsed URL, so that this cannot fail; a panic would be worse.
    let Ok(request) = request else {
        return (Ok(Failure::ConnectFailed.into()), false);
    };
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        Err(error) => return (Err(error), false),
    };
    let status = response.status();
    let closes = response
        .headers()
        .get(header::CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let result = match Limited::new(response.into_body(), LONGEST_BODY)
        .collect()
        .await
    {
        Err(error) => Err(broken(&*error)),
        Ok(_) if status != StatusCode::OK => Err(Failure::BadStatus),
        Ok(body) => host_name(&body.to_bytes()).ok_or(Failure::BadBody),
    };
    let may_stay = result.is_ok() && !closes && sender.ready().await.is_ok();
    let answer = Answer {
        result,
        status: Some(status.as_u16()),
    };
    (Ok(answer), may_stay)
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
