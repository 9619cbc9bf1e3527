//! What is wrong with the input, and where: every message about a manifest
//! names its file and line, and all of them are reported together.

use std::{fmt, ops::Deref, sync::Arc};

/// A file of the input: its name and, where it was read, its bytes, in which
/// lines are looked up. Files are told apart by name alone.
#[derive(Clone)]
pub struct File {
    name: Arc<str>,
    bytes: Option<Arc<[u8]>>,
}

impl File {
    /// A file that was read.
    #[must_use]
    pub fn read(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            bytes: Some(bytes.into()),
        }
    }

    /// What was read; empty if nothing was.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl From<&str> for File {
    fn from(name: &str) -> Self {
        Self {
            name: name.into(),
            bytes: None,
        }
    }
}

impl Deref for File {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for File {}

impl std::hash::Hash for File {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for File {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for File {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(out)
    }
}

impl fmt::Display for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(out)
    }
}

/// A place in the input: a file (or `stdin`) and a 1-based line, 0 for the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Path as the user wrote it, or `stdin`.
    pub file: File,
    /// 1-based line; 0 means the whole file.
    pub line: usize,
}

impl Place {
    /// The file as a whole.
    #[must_use]
    pub fn file(file: &str) -> Self {
        Self {
            file: file.into(),
            line: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => out.write_str(&self.file),
            line => write!(out, "{}:{line}", self.file),
        }
    }
}

/// One thing wrong at one place of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is; `None` for what has no place, such as a flag.
    pub place: Option<Place>,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            message: message.into(),
        }
    }

    /// A problem that no file is to blame for.
    pub fn general(message: impl Into<String>) -> Self {
        Self {
            place: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(out, "{place}: {}", self.message),
            None => out.write_str(&self.message),
        }
    }
}

/// Everything that is wrong with the input; never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// `value` if nothing is wrong, otherwise all problems.
    ///
    /// # Errors
    /// The problems themselves, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            problem.fmt(out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
