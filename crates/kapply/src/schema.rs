//! What the server's schemas say about a kind.

use kube::core::GroupVersionKind;
use serde_json::Value;

/// The schema of a kind.
#[derive(Debug)]
pub struct Schema {}

/// The schemas of the kinds of a run.
#[derive(Debug, Default)]
pub struct Schemas {}

impl Schemas {
    /// The schema of a kind, if it is known.
    #[must_use]
    pub fn get(&self, _kind: &GroupVersionKind) -> Option<&Schema> {
        None
    }
}

/// What a schema has against an object.
#[must_use]
pub fn validate(_object: &Value, _schema: &Schema) -> Vec<String> {
    Vec::new()
}
