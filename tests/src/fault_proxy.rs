//! A proxy that fails on purpose, before any server that speaks plain HTTP/1.1.
//!
//! Which request fails, how, and how often is said by rules, so that a test is the same every
//! time. What a rule does not name is passed on as it is.

mod body;
mod gate;

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Request, Response, Uri, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use body::{Body, Shaped};
pub use gate::Gate;

/// What is done to a request or its answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Passes so many bytes of the request's body on, then closes both connections.
    CutRequest(u64),
    /// Passes so many bytes of the answer's body on, then closes the connection.
    CutAnswer(u64),
    /// Answers by itself, with a status and headers.
    Answer(u16, Vec<(&'static str, String)>),
    /// Waits before each piece of the answer's body.
    Slow(Duration),
    /// Changes one byte of the answer's body.
    WrongByte,
    /// Asks for what changed since the very first version, which the server has forgotten.
    Forgotten,
    /// Does something before it passes the request on: somebody else is faster.
    First(Deed),
}

/// What somebody else does meanwhile.
#[derive(Clone)]
pub struct Deed(Arc<dyn Fn() + Send + Sync>);

impl Deed {
    /// This.
    pub fn new(deed: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(deed))
    }
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deed")
    }
}

/// Which requests a fault befalls.
#[derive(Debug, Clone)]
pub struct Rule {
    method: &'static str,
    path: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

impl Rule {
    /// The first request of a method whose path and query contain `path`.
    pub fn new(method: &'static str, path: &str, fault: Fault) -> Self {
        Self {
            method,
            path: path.to_owned(),
            skip: 0,
            times: 1,
            fault,
        }
    }

    /// Lets so many of them pass first.
    pub fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// Befalls so many of them.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    fn befalls(&mut self, method: &str, path: &str) -> bool {
        if self.method != method || !path.contains(&self.path) || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// One request that came, and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// The answer's status; none if the connection was cut before there was one.
    pub status: Option<u16>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self
            .status
            .map_or_else(|| "cut".into(), |code| code.to_string());
        write!(f, "{} {} {status}", self.method, self.path)
    }
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    gate: Option<Gate>,
}

/// A running proxy; it stops when dropped.
pub struct FaultProxy {
    /// Where it listens, on the loopback.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a proxy before a server.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(upstream: SocketAddr, rules: Vec<Rule>) -> Self {
        Self::with_gate(upstream, rules, None)
    }

    /// The same, with a gate that asks for tokens.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn with_gate(upstream: SocketAddr, rules: Vec<Rule>, gate: Option<Gate>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has ports");
        listener.set_nonblocking(true).expect("a socket can be set");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State {
            rules,
            seen: Vec::new(),
            gate,
        }));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be made");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, upstream, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// All requests so far, in the order of their answers.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state).seen.clone()
    }

    /// Replaces the rules.
    pub fn set(&self, rules: Vec<Rule>) {
        lock(&self.state).rules = rules;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: std::net::TcpListener, upstream: SocketAddr, state: Arc<Mutex<State>>) {
    let listener = TcpListener::from_std(listener).expect("it is a listening socket");
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| handle(request, upstream, Arc::clone(&state)));
            // A cut connection ends in an error, which is the point.
            let server = hyper::server::conn::http1::Builder::new();
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// A connection that ends here.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn handle(
    request: Request<Incoming>,
    upstream: SocketAddr,
    state: Arc<Mutex<State>>,
) -> Result<Response<Body>, Cut> {
    let method = request.method().to_string();
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let path = path.to_owned();
    let (refused, fault) = {
        let mut state = lock(&state);
        let refused = state.gate.as_mut().and_then(|gate| gate.judge(&request));
        let mut rules = state.rules.iter_mut();
        let befallen = rules.find_map(|rule| {
            let befalls = refused.is_none() && rule.befalls(&method, &path);
            befalls.then(|| rule.fault.clone())
        });
        (refused, befallen)
    };
    let answer = match (refused, fault) {
        (Some(refusal), _) => Ok(refusal.map(|text| text.map_err(|never| match never {}).boxed())),
        (None, Some(Fault::Answer(status, headers))) => {
            // To its end: who is cut while it still sends may not read the answer.
            drop(request.into_body().collect().await);
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(name, value);
            }
            let empty = Empty::new()
                .map_err(|never: Infallible| match never {})
                .boxed();
            answer.body(empty).map_err(|_| Cut)
        }
        (None, Some(Fault::First(Deed(deed)))) => {
            // One that panics fails its test by what it did not do.
            drop(tokio::task::spawn_blocking(move || deed()).await);
            forward(request, upstream, None).await
        }
        (None, fault) => forward(request, upstream, fault).await,
    };
    lock(&state).seen.push(Seen {
        method,
        path,
        status: answer.as_ref().ok().map(|answer| answer.status().as_u16()),
    });
    answer
}

async fn forward(
    mut request: Request<Incoming>,
    upstream: SocketAddr,
    fault: Option<Fault>,
) -> Result<Response<Body>, Cut> {
    if matches!(fault, Some(Fault::Forgotten)) {
        *request.uri_mut() = since_the_beginning(request.uri());
    }
    let stream = TcpStream::connect(upstream).await.map_err(|_| Cut)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Cut)?;
    tokio::spawn(connection);
    let request = match &fault {
        Some(Fault::CutRequest(after)) => {
            request.map(|body| Shaped::new(body).cut_after(*after).boxed())
        }
        _ => request.map(|body| Shaped::new(body).boxed()),
    };
    let answer = sender.send_request(request).await.map_err(|_| Cut)?;
    Ok(answer.map(|body| {
        let body = Shaped::new(body);
        match fault {
            Some(Fault::CutAnswer(after)) => body.cut_after(after).boxed(),
            Some(Fault::Slow(pause)) => body.pausing(pause).boxed(),
            Some(Fault::WrongByte) => body.with_a_wrong_byte().boxed(),
            _ => body.boxed(),
        }
    }))
}

/// The same path and query, with the first version of all.
fn since_the_beginning(uri: &Uri) -> Uri {
    let old = uri.to_string();
    let Some((before, rest)) = old.split_once("resourceVersion=") else {
        return uri.clone();
    };
    let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let new = format!("{before}resourceVersion=1{after}");
    new.parse().expect("only digits were changed")
}

/// A short text as a body.
fn text(text: &str) -> Full<Bytes> {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
}
