//! Files appear whole or not at all: written under a temporary name beside their own, then renamed.

use std::{fs, path::Path};

use super::html;
use crate::{
    error::{Error, Result},
    timeline::document::Document,
};

/// The document's file name.
pub const TIMELINE: &str = "timeline.json";
/// The page's file name.
pub const PAGE: &str = "report.html";

/// Writes both files of a report; the data first, so that it is there even if the page fails.
///
/// # Errors
/// [`Error::File`], [`Error::Render`].
pub fn write_report(folder: &Path, document: &Document) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(document).map_err(|error| Error::Render(error.to_string()))?;
    json.push(b'\n');
    write_file(&folder.join(TIMELINE), &json)?;
    write_file(&folder.join(PAGE), html::page(document)?.as_bytes())
}

/// Writes a file whole.
///
/// # Errors
/// [`Error::File`].
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes).map_err(Error::file(&temporary))?;
    fs::rename(&temporary, path).map_err(Error::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_replaces_its_forerunner_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_file(&path, b"1").unwrap();
        write_file(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write_file(&folder.path().join("none/a.json"), b"").unwrap_err().to_string();
        assert!(error.contains("none/a.json"), "{error}");
    }
}
