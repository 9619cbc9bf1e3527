//! A file on this machine whose name reads as one in a registry.

use std::ffi::OsString;
use std::path::Path;

use ocipack::Reference;

use super::Command;

/// Whether images are named to a command that can be on this machine or in a registry.
pub(crate) fn takes_files(command: &Command) -> bool {
    matches!(
        command,
        Command::Build(_)
            | Command::Copy(_)
            | Command::Digest(_)
            | Command::Inspect { .. }
            | Command::Verify(_)
            | Command::Sbom(_)
            | Command::Provenance(_)
            | Command::Diff(_)
            | Command::Unpack(_)
    )
}

/// What to write instead of the word of the command line that an error is about, if that is also
/// the name of something here.
pub(crate) fn local_file(words: impl Iterator<Item = OsString>, error: &str) -> Option<String> {
    let mut words = words.filter_map(|word| word.into_string().ok());
    let is_meant = |word: &String| {
        let Ok(reference) = word.parse::<Reference>() else {
            return false;
        };
        let image = format!("{}/{}", reference.registry(), reference.repository());
        error.contains(&image) && Path::new(word).exists()
    };
    let word = words.find(is_meant)?;
    Some(format!("; for what has that name here write ./{word}"))
}
