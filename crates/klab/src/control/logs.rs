//! `klab logs`: what a node's components wrote.

use std::{fs, io, path::PathBuf};

use super::no_such_node;
use crate::{
    error::{Context, Error, Result},
    state::Folder,
};

/// The log of a component of a node.
///
/// # Errors
/// When there is no such log: with the names of those there are.
pub fn path(folder: &Folder, node: &str, component: &str) -> Result<PathBuf> {
    let spec = folder.spec()?;
    let node = spec.node(node).ok_or_else(|| no_such_node(&spec, node))?;
    let logs = folder.node(&node.name).log();
    let path = logs.join(format!("{component}.log"));
    if !component.contains('/') && path.exists() {
        return Ok(path);
    }
    let mut names: Vec<_> = fs::read_dir(&logs)
        .file("cannot list", &logs)?
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".log")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    Err(Error::State(format!(
        "node {} has no log of {component}; it has: {}",
        node.name,
        names.join(", ")
    )))
}

/// Copies a log to standard output.
///
/// # Errors
/// When it cannot be read.
pub fn print(folder: &Folder, node: &str, component: &str) -> Result<()> {
    let path = path(folder, node, component)?;
    let mut log = fs::File::open(&path).file("cannot open", &path)?;
    match io::copy(&mut log, &mut io::stdout().lock()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        copied => copied.map(drop).file("cannot read", &path),
    }
}
