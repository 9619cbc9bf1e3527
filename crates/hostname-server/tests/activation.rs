//! Socket activation: the service manager listens, and the server takes the socket over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far beyond what any step needs; a test that waits this long has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// The server with file descriptor 3, which is given as standard input, passed as systemd does.
fn activated(socket: impl Into<OwnedFd>, count: u8, arguments: &[&str]) -> Command {
    let script = format!(
        "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$0\" \"$@\""
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_hostname-server")])
        .args(arguments)
        .env_remove("PORT")
        .env("GRACE_SECONDS", "0")
        .stdin(Stdio::from(socket.into()))
        .stderr(Stdio::piped());
    command
}

struct Server {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Server {
    fn start(socket: TcpListener) -> Self {
        let mut child = activated(socket, 1, &[]).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    fn stop(mut self) {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )
        .unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_passed_socket_is_served_and_outlives_the_process() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // The test is the service manager: it keeps the socket.
        let socket = TcpListener::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        // Asked before anybody serves, answered by the first server.
        let early = ask(address);
        let mut first = Server::start(socket.try_clone().unwrap());
        let line = first.line();
        assert!(
            line.starts_with(&format!("hostname-server: listening on {address} as ")),
            "{line}"
        );
        assert!(answer(early).starts_with("HTTP/1.1 200"));
        first.stop();
        // Nobody serves now; the client waits for the next server instead of being refused.
        let between = ask(address);
        let second = Server::start(socket);
        assert!(answer(between).contains("Hello World! My Host name is "));
        second.stop();
    }
}

#[test]
fn a_socket_of_another_process_is_not_taken() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hostname-server"))
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("PORT")
        .envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1")])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("listening on 127.0.0.1:"), "{line}");
}

#[test]
fn what_is_no_single_listening_socket_is_refused() {
    let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = |output: Output, words: &[&str]| {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in words {
            assert!(text.contains(word), "{word} is missing: {text}");
        }
    };
    let both = activated(socket(), 1, &["--listen", "127.0.0.1:0"]).output();
    refused(both.unwrap(), &["127.0.0.1:0", "socket unit"]);
    let many = activated(socket(), 2, &[]).output();
    refused(many.unwrap(), &["2 sockets", "ListenStream="]);

    let listener = socket();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let connected = activated(connection, 1, &[]).output();
    refused(connected.unwrap(), &["does not listen", "Accept=no"]);
    let file = std::fs::File::open("/dev/null").unwrap();
    refused(activated(file, 1, &[]).output().unwrap(), &["not a socket"]);
}
