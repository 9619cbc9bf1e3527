//! Connections that are kept between requests, as most clients keep them. The one that waited
//! longest is used first: each is used often, and a dead one is found out soon.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http1::SendRequest};

/// One end of a connection; dropping it closes the connection.
pub(super) type Sender = SendRequest<Empty<Bytes>>;

/// A connection that waits for its next request.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) sender: Sender,
    /// Its source port.
    pub(super) port: u16,
}

/// How many may wait: those of a burst are not kept for ever.
const MOST: usize = 64;

/// The connections that wait for a request.
#[derive(Debug, Default)]
pub struct Pool(Mutex<VecDeque<Kept>>);

impl Pool {
    /// The connection that waited longest, leaving out those that were closed meanwhile.
    pub(super) fn take(&self) -> Option<Kept> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let kept = waiting.pop_front()?;
            if kept.sender.is_ready() && !kept.sender.is_closed() {
                return Some(kept);
            }
        }
    }

    /// Keeps a connection whose answer was read.
    pub(super) fn give(&self, kept: Kept) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            waiting.push_back(kept);
        }
    }
}
