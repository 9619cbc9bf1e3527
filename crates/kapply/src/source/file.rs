//! One file, or standard input.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    thread,
};

use tokio::sync::oneshot;

use super::problem;
use crate::problem::{File, Problem};

/// More than any set of manifests; what is longer is no manifest, or does not end.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<File, Problem> {
    let name = path.to_string_lossy();
    let bytes = fs::File::open(path).and_then(bounded);
    named(&name, bytes)
}

/// Reads standard input to its end, on a thread that nobody has to wait for
/// when the user gives up.
pub(super) async fn stdin() -> Result<File, Problem> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        // Nobody is left to tell if the receiver is gone.
        let _ = sender.send(bounded(io::stdin().lock()));
    });
    let bytes = receiver
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the reader died")));
    named("stdin", bytes)
}

fn named(name: &str, bytes: io::Result<Vec<u8>>) -> Result<File, Problem> {
    match bytes {
        Ok(bytes) => Ok(File::read(name, bytes)),
        Err(error) => Err(problem(name, format!("cannot read it: {}", plain(&error)))),
    }
}

fn bounded(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(too_large(MAX_BYTES)));
    }
    Ok(bytes)
}

/// The message about something that is longer than `limit` bytes.
pub(super) fn too_large(limit: u64) -> String {
    format!(
        "it is larger than {} MiB, which is no set of manifests",
        limit >> 20
    )
}

/// An I/O error without Rust's `(os error 2)`.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}
