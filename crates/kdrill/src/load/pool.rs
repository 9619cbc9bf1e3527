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

/// How many may wait: those of a burst are not kept for ever.
const MOST: usize = 64;

/// The connections that wait for a request.
#[derive(Debug, Default)]
pub struct Pool(Mutex<VecDeque<Sender>>);

impl Pool {
    /// The connection that waited longest, leaving out those that were closed meanwhile.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let sender = waiting.pop_front()?;
            if sender.is_ready() && !sender.is_closed() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose answer was read.
    pub(super) fn give(&self, sender: Sender) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            waiting.push_back(sender);
        }
    }
}
