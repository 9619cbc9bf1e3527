//! One Kubernetes object of the input: its JSON value and where it came from.

mod field_path;

use std::fmt;

use kube::core::GroupVersionKind;
use serde_json::Value;

use crate::{decode::locate_field, problem::Place};

/// An object as the input gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The whole object, `apiVersion`, `kind` and `metadata.name` included.
    pub value: Value,
    /// File and line of its first key.
    pub place: Place,
    /// 0-based index of its document in the file.
    pub document: usize,
}

impl Object {
    /// `apiVersion`, such as `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// `kind`, such as `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, if it is there and not empty.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text("/metadata/namespace")).filter(|namespace| !namespace.is_empty())
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version()
            .rsplit_once('/')
            .map_or("", |(group, _)| group)
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> GroupVersionKind {
        let version = self
            .api_version()
            .rsplit_once('/')
            .map_or(self.api_version(), |(_, version)| version);
        GroupVersionKind::gvk(self.group(), version, self.kind())
    }

    /// The same without what says which object in the cluster it is.
    pub(crate) fn anew(&self) -> Self {
        let mut object = self.clone();
        if let Some(metadata) = object.value["metadata"].as_object_mut() {
            metadata.shift_remove("uid");
            metadata.shift_remove("resourceVersion");
        }
        object
    }

    /// `deployment.apps/web`, as kubectl writes it.
    #[must_use]
    pub fn label(&self) -> Label<'_> {
        Label(self)
    }

    /// File and line of the field that a JSON pointer (RFC 6901) names, or of the
    /// nearest field around it that the input writes out. The text is read
    /// again for it, so this is for messages.
    #[must_use]
    pub fn place_of(&self, pointer: &str) -> Place {
        locate_field(&self.place, pointer)
    }

    /// The same for a field path in the API server's words, such as
    /// `spec.ports[0].port` or `.spec.containers[name="web"].image`.
    #[must_use]
    pub fn place_of_field(&self, path: &str) -> Place {
        self.place_of(&field_path::pointer(&self.value, path))
    }

    fn text(&self, pointer: &str) -> &str {
        self.value
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// Displays an object as `kind.group/name`.
#[derive(Debug, Clone, Copy)]
pub struct Label<'object>(&'object Object);

impl fmt::Display for Label<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.kind().to_lowercase())?;
        if !self.0.group().is_empty() {
            write!(out, ".{}", self.0.group())?;
        }
        write!(out, "/{}", self.0.name())
    }
}
