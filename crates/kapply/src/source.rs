//! Stage 1: `-f` paths become texts. Files, directories and standard input
//! are read in a fixed order, and every path that cannot be read is named.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::problem::{Place, Problem, Problems};

/// The bytes of one file or of standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the user wrote it, or `stdin`.
    pub name: Arc<str>,
    /// What was read.
    pub bytes: Vec<u8>,
}

/// Reads what the paths name: a file, the `.yaml`, `.yml` and `.json` files of
/// a directory in name order (with `recursive`, of its subdirectories too), or
/// `-` for standard input. A file that is reached twice is read once.
///
/// # Errors
/// Every path that is missing, unreadable, or a directory without manifests.
pub fn read(paths: &[PathBuf], recursive: bool) -> Result<Vec<Source>, Problems> {
    let mut problems = Problems::default();
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            files.push(path.clone());
        } else if path.is_dir() {
            let before = files.len();
            walk(path, recursive, &mut files, &mut problems);
            if files.len() == before && problems.0.is_empty() {
                problems.0.push(problem(path, "there is no .yaml, .yml or .json file in this directory (-R looks into subdirectories)"));
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut seen = Vec::new();
    let mut sources = Vec::new();
    for file in files {
        let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
        if seen.contains(&identity) {
            continue;
        }
        seen.push(identity);
        match read_one(&file) {
            Ok(source) => sources.push(source),
            Err(error) => problems.0.push(problem(
                &file,
                &format!("cannot read it: {}", plain(&error)),
            )),
        }
    }
    problems.or(sources)
}

fn walk(directory: &Path, recursive: bool, files: &mut Vec<PathBuf>, problems: &mut Problems) {
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries: Vec<_> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) => {
            problems.0.push(problem(
                directory,
                &format!("cannot list it: {}", plain(&error)),
            ));
            return;
        }
    };
    entries.sort();
    for path in entries {
        // A symbolic link to a directory is not followed: it may lead back up.
        let is_directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if is_directory {
            if recursive {
                walk(&path, recursive, files, problems);
            }
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
            && !path.is_dir()
        {
            files.push(path);
        }
    }
}

fn read_one(path: &Path) -> io::Result<Source> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(Source {
            name: "stdin".into(),
            bytes,
        });
    }
    Ok(Source {
        name: path.to_string_lossy().into(),
        bytes: fs::read(path)?,
    })
}

fn problem(path: &Path, message: &str) -> Problem {
    Problem::at(&Place::file(&path.to_string_lossy()), message)
}

/// An I/O error without Rust's `(os error 2)`.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_read_sorted_and_deep_only_if_asked() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        for name in ["b.yml", "a.yaml", "note.txt", "c.json", "sub/d.yaml"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        let names = |recursive| -> Vec<String> {
            let sources = read(&[root.path().to_owned()], recursive).unwrap();
            sources
                .into_iter()
                .map(|source| String::from_utf8(source.bytes).unwrap())
                .collect()
        };
        assert_eq!(names(false), ["a.yaml", "b.yml", "c.json"]);
        assert_eq!(names(true), ["a.yaml", "b.yml", "c.json", "sub/d.yaml"]);
    }

    #[test]
    fn a_file_named_twice_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.yaml");
        fs::write(&file, "x").unwrap();
        assert_eq!(
            read(&[file.clone(), root.path().to_owned()], false)
                .unwrap()
                .len(),
            1
        );
    }

    #[test]
    fn every_missing_path_is_named() {
        let error = read(&["no/such".into(), "nor/this".into()], false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no/such: cannot read it: no such file or directory\nnor/this: cannot read it: no such file or directory"
        );
    }

    #[test]
    fn a_directory_without_manifests_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(
            read(&[root.path().to_owned()], false)
                .unwrap_err()
                .to_string()
                .contains("no .yaml")
        );
    }
}
