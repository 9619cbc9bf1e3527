//! Where words go: answers to stdout, everything else to stderr.

use std::io::{self, Write as _};

/// A line of the answer.
pub(super) fn answer(line: &str) {
    text(&format!("{line}\n"));
}

/// A part of the answer as it is. A reader that went away wants no more of it.
pub(super) fn text(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        self::error(&format!("cannot write to stdout: {error}"));
        std::process::exit(super::exit::Exit::Error as i32);
    }
}

/// A message with the tool's name; the first word says what kind it is.
pub(super) fn line(message: &str) {
    // There is nobody to tell if stderr is gone.
    let _ = writeln!(io::stderr().lock(), "kapply: {message}");
}

/// What went wrong.
pub(super) fn error(message: &str) {
    line(&format!("error: {message}"));
}

/// What the reader should know although all went well.
pub(super) fn warning(message: &str) {
    line(&format!("warning: {message}"));
}
