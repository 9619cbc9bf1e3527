//! The manifests of a directory, chosen by name as kubectl chooses them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{file::plain, problem};
use crate::problem::Problem;

/// The directory's files that end in `.yaml`, `.yml` or `.json`, in name order.
pub(super) fn manifests(directory: &Path, recursive: bool) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    walk(directory, recursive, &mut found)?;
    if found.is_empty() {
        let hint = if recursive {
            ""
        } else {
            " (-R looks into subdirectories)"
        };
        return Err(problem(
            &directory.to_string_lossy(),
            format!("there is no .yaml, .yml or .json file in this directory{hint}"),
        ));
    }
    Ok(found)
}

fn walk(directory: &Path, recursive: bool, found: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let listed = fs::read_dir(directory)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<Vec<_>>>()
        })
        .map_err(|error| {
            problem(
                &directory.to_string_lossy(),
                format!("cannot list it: {}", plain(&error)),
            )
        });
    let mut paths = listed?;
    paths.sort();
    for path in paths {
        // A symbolic link to a directory is not followed: it may lead back up.
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            if recursive {
                walk(&path, recursive, found)?;
            }
        } else if has_manifest_name(&path) && !is_special(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether it is named as manifests are.
pub(super) fn has_manifest_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
}

/// A pipe or a device that happens to have such a name would never end, and a
/// link to a directory is none of this directory's files. A broken link is
/// neither: it is read, and what is wrong with it is said.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}
