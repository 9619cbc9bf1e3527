//! The real binary on a free port: what it answers, how it drains, how it refuses to start.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gethostname};

/// Far beyond what any step needs; a test that waits this long has failed.
const LIMIT: Duration = Duration::from_secs(20);

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostname-server"));
    command.env_remove("PORT").env_remove("GRACE_SECONDS");
    command
}

struct Server {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Server {
    fn start(grace: &str) -> Self {
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--grace", grace])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let words = line
            .strip_prefix("hostname-server: listening on ")
            .expect(&line);
        let (address, hostname) = words.trim_end().split_once(" as ").unwrap();
        assert_eq!(hostname, gethostname().unwrap().to_str().unwrap());
        Self {
            child,
            stderr,
            address: address.parse().unwrap(),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// One request on a connection of its own.
    fn request(&self, method: &str, path: &str) -> Answer {
        let mut stream = self.connect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        read_to_close(stream)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Sends SIGTERM and returns once the server says that it drains.
    fn drain(&mut self) {
        self.signal(Signal::SIGTERM);
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("hostname-server: draining for "), "{line}");
    }

    fn exit_code(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < LIMIT, "still running");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn read_to_close(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn greeting() -> String {
    format!(
        "Hello World! My Host name is {}\n\n",
        gethostname().unwrap().to_str().unwrap()
    )
}

fn run_to_end(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// Asserts exit code 2 and a single line on stderr that says each of `parts`.
fn assert_refused(output: &Output, parts: &[&str]) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("hostname-server: error: "), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no {part:?} in {stderr}");
    }
}

#[test]
fn answers_are_right_to_the_byte() {
    let server = Server::start("0");
    let answer = server.request("GET", "/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, greeting());
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        answer.header("content-length"),
        Some(greeting().len().to_string().as_str())
    );
    assert_eq!(server.request("GET", "/?query=1").body, greeting());

    let head = server.request("HEAD", "/");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        head.header("content-length"),
        answer.header("content-length")
    );

    for (path, status, body) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ok\n"),
        ("/other", 404, "not found\n"),
    ] {
        let answer = server.request("GET", path);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{path}"
        );
    }
    for path in ["/", "/healthz", "/readyz"] {
        let answer = server.request("DELETE", path);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD")),
            "{path}"
        );
    }
}

#[test]
fn draining_turns_readiness_off_while_still_serving() {
    let mut server = Server::start("600");
    let mut kept_alive = server.connect();
    write!(kept_alive, "GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut first = [0; 15];
    kept_alive.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    server.drain();
    let ready = server.request("GET", "/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    assert_eq!(server.request("GET", "/healthz").status, 200);
    assert_eq!(server.request("GET", "/").body, greeting());

    // The old connection is still served, told to close, and closed: the read ends.
    write!(kept_alive, "GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut rest = String::new();
    kept_alive.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\r\nconnection: close\r\n"), "{rest}");
    assert!(rest.ends_with(&greeting()), "{rest}");

    // A second signal ends the ten minutes at once.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_request_in_flight_is_finished() {
    let mut server = Server::start("0");
    let mut stream = server.connect();
    write!(stream, "GET / HTTP/1.1\r\nHost: te").unwrap();
    // An answer on a later connection proves that the half request above was accepted and read.
    assert_eq!(server.request("GET", "/healthz").status, 200);
    server.drain();
    let start = Instant::now();
    while TcpStream::connect(server.address).is_ok() {
        assert!(start.elapsed() < LIMIT, "still accepting");
    }
    write!(stream, "st\r\n\r\n").unwrap();
    let answer = read_to_close(stream);
    assert_eq!((answer.status, &answer.body), (200, &greeting()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_silent_client_does_not_hold_up_the_exit_for_long() {
    let mut server = Server::start("0");
    let mut stream = server.connect();
    write!(stream, "GET / HT").unwrap();
    assert_eq!(server.request("GET", "/healthz").status, 200);
    server.drain();
    assert_eq!(server.exit_code(), Some(0));
    let mut line = String::new();
    server.stderr.read_line(&mut line).unwrap();
    assert_eq!(
        line,
        "hostname-server: closing 1 connection(s) not finished within 5 s\n"
    );
}

#[test]
fn a_slow_head_is_cut_off_and_a_broken_one_refused() {
    let server = Server::start("0");
    let mut slow = server.connect();
    write!(slow, "GET / HTTP/1.1\r\n").unwrap();

    let mut broken = server.connect();
    broken
        .write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        .unwrap();
    assert_eq!(read_to_close(broken).status, 400);
    let mut huge = server.connect();
    let _ = huge
        .write_all(format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024)).as_bytes());
    let _ = huge.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = huge.read_to_end(&mut answer);
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );

    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(
        !rest.starts_with(b"HTTP/1.1 200"),
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
    assert_eq!(server.request("GET", "/").status, 200);
}

#[test]
fn sigint_ends_it_too() {
    let mut server = Server::start("0");
    server.signal(Signal::SIGINT);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn what_cannot_start_says_so_in_one_line() {
    assert_refused(
        &run_to_end(command().arg("--prot=1")),
        &["'--prot'", "see --help"],
    );
    assert_refused(
        &run_to_end(command().args(["--listen", "nowhere"])),
        &["'nowhere'", "--listen"],
    );
    assert_refused(&run_to_end(command().args(["--grace", "-3"])), &["-3"]);
    assert_refused(
        &run_to_end(command().env("GRACE_SECONDS", "soon")),
        &["'soon'", "--grace"],
    );
    assert_refused(&run_to_end(command().env("PORT", "http")), &["PORT=http"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    // The flag wins over PORT, even over a broken one.
    let output = run_to_end(command().env("PORT", "http").args(["--listen", &address]));
    assert_refused(&output, &[&address, "in use", "--listen"]);
    // An address of another machine (TEST-NET-1).
    assert_refused(
        &run_to_end(command().args(["--listen", "192.0.2.1:80"])),
        &["192.0.2.1:80"],
    );
}

#[test]
fn port_from_the_environment_listens_on_every_address() {
    let mut child = command()
        .env("PORT", "0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        line.starts_with("hostname-server: listening on 0.0.0.0:"),
        "{line}"
    );
}

#[test]
fn help_and_version_go_to_stdout() {
    let help = run_to_end(command().arg("--help"));
    assert_eq!(help.status.code(), Some(0));
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("GRACE_SECONDS")
    );
    let version = run_to_end(command().arg("--version"));
    assert_eq!(
        version.stdout,
        concat!("hostname-server ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
    );
}
