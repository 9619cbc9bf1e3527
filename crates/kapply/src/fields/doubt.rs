//! Why something about an object is not certain.

use std::fmt;

use super::{Path, PathElement};

/// The field that is not certain, and why. Names no values of the object but
/// those of list keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// From the field up: a doubt is rare, the way to it is walked all the time.
    reversed: Vec<PathElement>,
    why: &'static str,
}

impl Doubt {
    /// A doubt about the object as a whole.
    pub(crate) fn new(why: &'static str) -> Self {
        Self {
            reversed: Vec::new(),
            why,
        }
    }

    /// The same doubt, seen from one step further out.
    pub(crate) fn below(mut self, element: PathElement) -> Self {
        self.reversed.push(element);
        self
    }

    /// The same doubt, seen from the object that has this field.
    pub(crate) fn field(self, name: &str) -> Self {
        self.below(PathElement::Field(name.into()))
    }

    /// Why, without the field.
    #[must_use]
    pub fn why(&self) -> &'static str {
        self.why
    }

    /// The field; without elements for the object as a whole.
    #[must_use]
    pub fn path(&self) -> Path {
        Path(self.reversed.iter().rev().cloned().collect())
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.reversed.is_empty() {
            write!(out, "{}: ", self.path())?;
        }
        out.write_str(self.why)
    }
}

impl std::error::Error for Doubt {}
