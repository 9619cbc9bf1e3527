//! Hashing a large file while its next bytes are read: sha256 is one long chain, so that copying
//! out of the page cache is all that another thread can take off it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::content::{PIECE, Section};

/// Buffers that go round between both threads.
const BUFFERS: usize = 4;

/// The hash of all that is left of a section.
pub(super) fn hash(section: Section) -> io::Result<Sha256> {
    let (full, arriving) = sync_channel::<(Vec<u8>, usize)>(BUFFERS);
    let (empty, returning) = sync_channel::<Vec<u8>>(BUFFERS);
    for _ in 0..BUFFERS {
        // The channel has room for all of them.
        let _ = empty.send(vec![0; PIECE]);
    }
    thread::scope(|scope| {
        let reading =
            thread::Builder::new().spawn_scoped(scope, move || read(section, &full, &returning))?;
        let mut hasher = Sha256::new();
        for (buffer, length) in arriving {
            hasher.update(&buffer[..length]);
            // Near the end nobody takes it any more.
            let _ = empty.send(buffer);
        }
        match reading.join() {
            Ok(read) => read.map(|()| hasher),
            Err(_) => Err(io::Error::other("a thread that reads has stopped")),
        }
    })
}

fn read(
    mut section: Section,
    full: &SyncSender<(Vec<u8>, usize)>,
    returning: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    while let Ok(mut buffer) = returning.recv() {
        let length = section.read(&mut buffer)?;
        if length == 0 || full.send((buffer, length)).is_err() {
            break;
        }
    }
    Ok(())
}
