//! A part of a blob as a request's body, read while it is sent.
//!
//! Buffers come back when they have been sent: fresh memory for each piece takes the kernel
//! longer to provide than the piece takes to read.

use std::io;
use std::sync::mpsc::{Sender, channel};

use bytes::Bytes;
use futures::stream;
use reqwest::Body;

use crate::content::Content;

/// Bytes read from the disk at once: few enough to be in the processor's cache when they are sent.
const PIECE: usize = 64 * 1024;

/// `length` bytes of a content, from `offset` on.
pub(super) fn body(content: Content, offset: u64, length: u64) -> Body {
    let end = offset + length;
    let (home, sent) = channel::<Vec<u8>>();
    let read = move |position: u64| {
        let wanted = usize::try_from(end - position).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 {
            return Ok(None);
        }
        let mut piece = Piece {
            buffer: sent.try_recv().unwrap_or_else(|_| vec![0; PIECE]),
            length: wanted,
            home: home.clone(),
        };
        let read = content.read_at(&mut piece.buffer[..wanted], position)?;
        if read < wanted {
            return Err(io::Error::other(
                "the blob became shorter while it was read",
            ));
        }
        Ok(Some((Bytes::from_owner(piece), position + read as u64)))
    };
    Body::wrap_stream(stream::try_unfold(offset, move |position| {
        std::future::ready(read(position))
    }))
}

/// What is being sent.
struct Piece {
    buffer: Vec<u8>,
    length: usize,
    home: Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // After the last piece nobody takes it any more.
        let _ = self.home.send(std::mem::take(&mut self.buffer));
    }
}
