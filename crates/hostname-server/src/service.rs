//! What is answered: three paths, two methods, plain text.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

/// The answers of one process: its greeting never changes, its readiness once.
pub(crate) struct Service {
    greeting: Bytes,
    draining: AtomicBool,
}

impl Service {
    pub(crate) fn new(hostname: &str) -> Self {
        Self {
            greeting: format!("Hello World! My Host name is {hostname}\n\n").into(),
            draining: AtomicBool::new(false),
        }
    }

    /// Readiness goes off, and every answer from now on asks its client to reconnect elsewhere.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Answers one request. Bodies are neither needed nor read.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let draining = self.is_draining();
        let (mut status, mut body) = match request.uri().path() {
            "/" => (StatusCode::OK, self.greeting.clone()),
            "/readyz" if draining => (
                StatusCode::SERVICE_UNAVAILABLE,
                Bytes::from_static(b"draining\n"),
            ),
            "/healthz" | "/readyz" => (StatusCode::OK, Bytes::from_static(b"ok\n")),
            _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"not found\n")),
        };
        let method_allowed = matches!(*request.method(), Method::GET | Method::HEAD);
        if status != StatusCode::NOT_FOUND && !method_allowed {
            (status, body) = (
                StatusCode::METHOD_NOT_ALLOWED,
                Bytes::from_static(b"method not allowed\n"),
            );
        }

        // hyper leaves out the body of an answer to HEAD and keeps its Content-Length.
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if draining {
            // A kept-alive connection would otherwise stay here until the pod dies under it.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
