//! Stage 1: what `-f` and `-k` name becomes texts. Files, directories, standard
//! input, URLs, artifacts and kustomizations are read in a fixed order, and
//! everything that cannot be read is named.

mod directory;
mod file;
mod kustomize;
mod oci;
mod url;

use std::{collections::HashSet, fs, path::PathBuf};

use crate::problem::{File, Place, Problem, Problems};

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Files, directories, `oci://` artifacts, `https://` URLs, or `-` for standard input.
    pub paths: Vec<PathBuf>,
    /// Directories with a `kustomization.yaml`.
    pub kustomizations: Vec<PathBuf>,
    /// Whether the subdirectories of directories are read, too.
    pub recursive: bool,
    /// Whether anything may be fetched from a URL.
    pub allow_urls: bool,
}

/// Reads a file, the `.yaml`, `.yml` and `.json` files of a directory in name
/// order (hidden ones included, as for kubectl), a URL, standard input, and what
/// kustomize makes of a directory. A file that is reached twice is read once.
///
/// # Errors
/// Everything that is missing, unreadable, too large, or a directory without
/// manifests; and every URL that is not allowed.
pub async fn read(inputs: &Inputs) -> Result<Vec<File>, Problems> {
    let mut problems = Problems::default();
    let mut paths = Vec::new();
    for path in &inputs.paths {
        if path.is_dir() {
            match directory::manifests(path, inputs.recursive) {
                Ok(found) => paths.extend(found),
                Err(problem) => problems.0.push(problem),
            }
        } else {
            paths.push(path.clone());
        }
    }
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    for path in paths {
        let identity = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if !seen.insert(identity) {
            continue;
        }
        if let Some(text) = path.to_str().filter(|text| oci::is_artifact(text)) {
            match Box::pin(oci::pull(text)).await {
                Ok(found) => files.extend(found),
                Err(problem) => problems.0.push(problem),
            }
            continue;
        }
        let read = match path.to_str() {
            Some("-") => file::stdin().await,
            Some(text) if url::is_url(text) => url::fetch(text, inputs.allow_urls).await,
            _ => file::read(&path),
        };
        match read {
            Ok(file) => files.push(file),
            Err(problem) => problems.0.push(problem),
        }
    }
    for directory in &inputs.kustomizations {
        match kustomize::build(directory).await {
            Ok(file) => files.push(file),
            Err(problem) => problems.0.push(problem),
        }
    }
    problems.or(files)
}

fn problem(name: &str, message: impl Into<String>) -> Problem {
    Problem::at(&Place::file(name), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(paths: &[&std::path::Path], recursive: bool) -> Inputs {
        Inputs {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            recursive,
            ..Inputs::default()
        }
    }

    #[tokio::test]
    async fn directories_are_read_sorted_and_deep_only_if_asked() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("sub")).unwrap();
        for name in [
            "b.yml",
            "a.yaml",
            "note.txt",
            "c.json",
            ".hidden.yaml",
            "d.YAML",
            "sub/d.yaml",
        ] {
            fs::write(root.path().join(name), name).unwrap();
        }
        for (recursive, expected) in [
            (false, vec![".hidden.yaml", "a.yaml", "b.yml", "c.json"]),
            (
                true,
                vec![".hidden.yaml", "a.yaml", "b.yml", "c.json", "sub/d.yaml"],
            ),
        ] {
            let files = read(&inputs(&[root.path()], recursive)).await.unwrap();
            let found: Vec<_> = files
                .iter()
                .map(|file| std::str::from_utf8(file.bytes()).unwrap())
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[tokio::test]
    async fn a_file_named_twice_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a.yaml");
        fs::write(&file, "x").unwrap();
        let files = read(&inputs(&[&file, root.path()], false)).await.unwrap();
        assert_eq!(files.len(), 1);
    }

    #[tokio::test]
    async fn everything_that_cannot_be_read_is_named() {
        let empty = tempfile::tempdir().unwrap();
        let paths = ["no/such".as_ref(), "nor/this".as_ref(), empty.path()];
        let error = read(&inputs(&paths, false)).await.unwrap_err().to_string();
        let missing = "cannot read it: no such file or directory";
        assert!(
            error.contains(&format!("no/such: {missing}\nnor/this: {missing}")),
            "{error}"
        );
        assert!(error.contains("there is no .yaml"), "{error}");
    }
}
