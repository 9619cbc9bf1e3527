//! Files and folders with names that are gone, or have other names, once a command is done. Where
//! a signal ends it early nobody else removes them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static PASSING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Makes one and notes it.
///
/// # Errors
/// It cannot be made.
pub fn make<T: AsRef<Path>>(how: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut passing = hold();
    let made = how()?;
    passing.push(made.as_ref().to_owned());
    Ok(made)
}

/// All that were made, those that are gone too. None is made while they are held.
pub fn hold() -> MutexGuard<'static, Vec<PathBuf>> {
    PASSING.lock().unwrap_or_else(PoisonError::into_inner)
}
