//! One process' life: listen, serve, drain for the grace, finish what is in flight, stop.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::listen::{self, ListenError};
use crate::options::Options;
use crate::say;
use crate::service::Service;

/// How long a client may take for a request's head, or keep a connection idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may leave an answer unread, in milliseconds.
const UNREAD_TIMEOUT_MS: u32 = 10_000;
/// How long requests in flight may take once the grace is over.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections served at once; more wait in the kernel's queue. Bounds memory.
const MAX_CONNECTIONS: u32 = 1024;
/// Bytes buffered per connection: a GET's head fits many times (hyper's least is 8 KiB).
const MAX_BUFFER: usize = 16 * 1024;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("cannot read the host name: {0}")]
    Hostname(nix::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cannot read the address of the listening socket: {0}")]
    Address(io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
}

/// Serves until SIGTERM or SIGINT and returns once drained.
pub(crate) async fn run(options: &Options) -> Result<(), StartError> {
    let hostname = nix::unistd::gethostname().map_err(StartError::Hostname)?;
    let hostname = hostname.to_string_lossy();
    // Before listening: PID 1 has no default action for signals, so an early one would be lost.
    let mut signals = Signals::new().map_err(StartError::Signals)?;
    let listener = listen::listener(options.listen).await?;
    let address = listener.local_addr().map_err(StartError::Address)?;
    say(&format!("listening on {address} as {hostname}"));

    let server = Server::new(&hostname);
    server.accept_until(&listener, signals.next()).await;

    say(&format!("draining for {} s", options.grace.as_secs_f64()));
    server.service.start_draining();
    let grace_over = async {
        tokio::select! {
            () = sleep(options.grace) => {}
            () = signals.next() => {}
        }
    };
    server.accept_until(&listener, grace_over).await;

    server.accept_backlog(listener);
    server.finish().await;
    Ok(())
}

struct Server {
    service: Arc<Service>,
    graceful: GracefulShutdown,
    slots: Arc<Semaphore>,
}

impl Server {
    fn new(hostname: &str) -> Self {
        Self {
            service: Arc::new(Service::new(hostname)),
            graceful: GracefulShutdown::new(),
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS as usize)),
        }
    }

    async fn accept_until(&self, listener: &TcpListener, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                (stream, slot) = self.accept(listener) => self.serve(stream, slot),
            }
        }
    }

    async fn accept(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                // Never: nothing closes this semaphore.
                return std::future::pending().await;
            };
            match listener.accept().await {
                Ok((stream, _)) => return (stream, slot),
                // Out of file descriptors or memory: give connections time to end instead of spinning.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Takes the clients that the kernel has already let in: closing the listener would reset them.
    fn accept_backlog(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else {
            return;
        };
        // Not blocking since tokio made it so: the first "would block" says that nobody is waiting.
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                return;
            };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.serve(stream, slot);
            }
        }
    }

    fn serve(&self, stream: TcpStream, slot: OwnedSemaphorePermit) {
        // Either can only fail on a socket that is already dead, which serving it will find out.
        let _ = stream.set_nodelay(true);
        let _ = setsockopt(&stream, sockopt::TcpUserTimeout, &UNREAD_TIMEOUT_MS);

        let service = Arc::clone(&self.service);
        let draining = service.is_draining();
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_BUFFER)
            .keep_alive(!draining)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    std::future::ready(Ok::<_, Infallible>(service.answer(&request)))
                }),
            );
        // A connection made while draining ends with its one answer. It is not told to shut down,
        // because hyper would then drop a request that has arrived but was not read yet.
        let watcher = (!draining).then(|| self.graceful.watcher());
        tokio::spawn(async move {
            // What a connection dies of is its client's affair.
            let _ = match watcher {
                Some(watcher) => watcher.watch(connection).await,
                None => connection.await,
            };
            drop(slot);
        });
    }

    /// Closes idle connections and waits, for a bounded time, for those with a request in flight.
    async fn finish(self) {
        let Self {
            graceful, slots, ..
        } = self;
        let all_closed = async {
            graceful.shutdown().await;
            let _ = slots.acquire_many(MAX_CONNECTIONS).await;
        };
        let outcome = timeout(FINISH_TIMEOUT, all_closed).await;
        if outcome.is_err() {
            let open = MAX_CONNECTIONS as usize - slots.available_permits();
            say(&format!(
                "closing {open} connection(s) not finished within {} s",
                FINISH_TIMEOUT.as_secs()
            ));
        }
    }
}

/// The signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
