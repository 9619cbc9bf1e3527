//! `klab up --hold`: a cluster that lives no longer than who asked for it.
//!
//! Whoever that is holds the other end of the standard input, and the kernel
//! closes it with the process, however that ends.

use std::{
    io::{self, Read},
    thread,
};

use tokio::sync::oneshot;

use super::{down, up};
use crate::{
    error::{Context, Result},
    progress::Progress,
    state::Folder,
};

/// Said before the end of the input, it lets the cluster live on.
pub const KEEP: &str = "keep";

/// Starts a cluster, does what is to be done when it is `up`, and removes it
/// when the standard input ends or a signal says so.
///
/// # Errors
/// As [`up::up`] and [`down::down`].
pub async fn hold(
    folder: &Folder,
    options: &up::Options,
    progress: &Progress,
    ready: impl AsyncFnOnce() -> Result<()>,
) -> Result<()> {
    let mut end = end_of_input()?;
    let ready = tokio::select! {
        // First, so that what there is at the end is of this one's making.
        biased;
        started = up::up(folder, options, progress) => {
            started?;
            ready().await
        }
        _ = &mut end => return down::down(folder).map(drop),
    };
    let keep = tokio::select! {
        keep = end => keep.unwrap_or(false),
        _ = up::interrupted() => false,
    };
    if !keep {
        down::down(folder)?;
    }
    ready
}

/// Whether the cluster is to live on, once the input ends. A thread waits for
/// that, which the end of this process does not wait for.
fn end_of_input() -> Result<oneshot::Receiver<bool>> {
    let (tell, told) = oneshot::channel();
    let read = move || {
        let mut said = String::new();
        let _ = io::stdin().read_to_string(&mut said);
        let _ = tell.send(said.trim() == KEEP);
    };
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(read)
        .system("cannot start a thread")?;
    Ok(told)
}
