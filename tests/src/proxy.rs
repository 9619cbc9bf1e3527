//! A TCP proxy on loopback between a tool and the API server: it can cut every
//! connection, refuse new ones for a while, and act as an HTTP CONNECT proxy.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// Forwards connections until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    target: String,
    is_connect: bool,
    is_closed: AtomicBool,
    is_over: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Proxy {
    /// Forwards everything to `target`, such as `127.0.0.1:6443`.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn to(target: &str) -> Self {
        Self::start(target, false)
    }

    /// An HTTP proxy that knows CONNECT, and only for `target`.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn connect_to(target: &str) -> Self {
        Self::start(target, true)
    }

    fn start(target: &str, is_connect: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            target: target.to_owned(),
            is_connect,
            is_closed: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            open: Mutex::default(),
            accepted: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(client));
            }
        });
        Self { address, state }
    }

    /// Cuts every connection that is open now.
    ///
    /// # Panics
    /// Never: no thread panics while it holds the list.
    pub fn cut(&self) {
        for stream in self.state.open.lock().expect("nobody panics").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes new connections and closes them at once, until [`Proxy::open`].
    pub fn close(&self) {
        self.state.is_closed.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Forwards again.
    pub fn open(&self) {
        self.state.is_closed.store(false, Ordering::SeqCst);
    }

    /// How many connections were forwarded so far.
    pub fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// How many connections came while it was closed.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.cut();
        // The listener wakes up for one last connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(&self, mut client: TcpStream) {
        if self.is_closed.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if self.is_connect && self.greet(&mut client).is_none() {
            return;
        }
        let Ok(server) = TcpStream::connect(&self.target) else {
            return;
        };
        if self.is_connect && client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_err() {
            return;
        }
        let copies = [client.try_clone(), server.try_clone()];
        self.open
            .lock()
            .expect("nobody panics")
            .extend(copies.into_iter().flatten());
        // Only now: whoever sees the count may cut what it counts.
        self.accepted.fetch_add(1, Ordering::SeqCst);
        let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        let up = thread::spawn(move || pump(from, to));
        pump(server, client);
        let _ = up.join();
    }

    /// Reads `CONNECT HOST:PORT HTTP/1.1` and its headers.
    fn greet(&self, client: &mut TcpStream) -> Option<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let wanted = format!("CONNECT {} ", self.target);
        head.starts_with(wanted.as_bytes()).then_some(())
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    // Either side may go at any time; that is what the proxy is for.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
