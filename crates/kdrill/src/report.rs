//! Stage 6: the report. The run becomes one document; the document becomes timeline.json, a page,
//! XML for CI systems, and a summary for the terminal.

use std::path::Path;

use crate::{
    error::{Error, Result},
    files::write_file,
    timeline::document::Document,
};

pub mod assemble;
pub mod axes;
pub mod html;
pub mod junit;
pub mod placement;
pub mod requests;
pub mod summary;
pub mod svg;

/// The document's file name.
pub const TIMELINE: &str = "timeline.json";
/// The page's file name.
pub const PAGE: &str = "report.html";
/// The file name of what CI systems read.
pub const JUNIT: &str = "junit.xml";

/// Writes the files of a report; the data first, so that it is there even if the page fails.
///
/// # Errors
/// [`Error::File`], [`Error::Render`].
pub fn write(folder: &Path, document: &Document) -> Result<()> {
    let mut json =
        serde_json::to_vec_pretty(document).map_err(|error| Error::Render(error.to_string()))?;
    json.push(b'\n');
    write_file(&folder.join(TIMELINE), &json)?;
    write_file(&folder.join(JUNIT), junit::xml(document).as_bytes())?;
    write_file(&folder.join(PAGE), html::page(document)?.as_bytes())
}
