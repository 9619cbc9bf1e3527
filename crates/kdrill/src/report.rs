//! Stage 6: the report. The run becomes one document; the document becomes timeline.json, a page,
//! and a summary for the terminal.

pub mod assemble;
pub mod axes;
pub mod files;
pub mod html;
pub mod placement;
pub mod requests;
pub mod summary;
pub mod svg;
