//! What is on its way goes with the command, also when somebody ends it: an image that was fetched
//! to be looked at can be large, as can one that is half unpacked.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use futures::future::select_all;
use ocipack::passing;
use tempfile::TempDir;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How often a folder is looked for again that what still runs could make anew.
const MAX_ROUNDS: usize = 100;
/// So many times nothing may be found.
const CALM: usize = 3;
const PAUSE: Duration = Duration::from_millis(5);

static WATCH: Once = Once::new();

/// A new folder.
pub(crate) fn folder() -> io::Result<TempDir> {
    watch();
    passing::make(|| tempfile::Builder::new().prefix("ocipack-").tempdir())
}

/// Waits aside for a signal that ends the command, and clears away before it does.
pub(crate) fn watch() {
    WATCH.call_once(|| {
        // Without the watch everything else works as well.
        if let Err(error) = start() {
            tracing::debug!("signals are not watched: {error}");
        }
    });
}

fn start() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let guard = runtime.enter();
    // As a shell tells that a signal ended a command.
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let mut signals = Vec::new();
    let ignored = ignored();
    for kind in kinds {
        if ignored >> (kind.as_raw_value() - 1) & 1 == 1 {
            continue;
        }
        signals.push((signal(kind)?, 128 + kind.as_raw_value()));
    }
    drop(guard);
    if signals.is_empty() {
        return Ok(());
    }
    thread::Builder::new().spawn(move || {
        let signals = signals.into_iter().map(|(mut signal, code)| {
            Box::pin(async move {
                signal.recv().await;
                code
            })
        });
        let (code, ..) = runtime.block_on(select_all(signals));
        // Held to the end: nothing is made while all goes, and the command does not end by itself.
        remove(&passing::hold());
        process::exit(code);
    })?;
    Ok(())
}

/// Removes files and folders until they stay away.
fn remove(paths: &[PathBuf]) {
    let mut calm = 0;
    for _ in 0..MAX_ROUNDS {
        let mut found = false;
        for path in paths.iter().filter(|path| path.exists()) {
            found = true;
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        calm = if found { 0 } else { calm + 1 };
        if calm == CALM {
            return;
        }
        // What is still being written in a folder has no event that tells of its end.
        thread::sleep(PAUSE);
    }
}

/// Does not come back when the command is being ended: what then fails is nobody's concern.
pub(crate) fn hold() {
    drop(passing::hold());
}

/// The signals that whoever started the command has it ignore, as nohup does: bit 0 is signal 1.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let mask = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
