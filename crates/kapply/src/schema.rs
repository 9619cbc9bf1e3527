//! What a kind's fields are: which of them are merged and which are owned as a
//! whole, and which values they take. Known from what the server publishes, and
//! for kinds that the cluster does not serve yet from the CRDs of the input.

mod cache;
mod definitions;
mod load;
mod openapi;
mod required;
mod types;
mod validate;

use std::{collections::HashMap, sync::Arc};

use kube::core::GroupVersionKind;
use serde_json::Value;

pub(crate) use self::types::{Edge, List, Shape, Type};
pub use self::{
    load::{load, of_targets},
    validate::{Violation, validate},
};

/// The schema of one kind.
#[derive(Debug, Clone)]
pub struct Schema {
    types: Arc<[Type]>,
    root: u32,
    /// Whether `status` is only written through its own subresource.
    pub(crate) status: bool,
    /// Whether the cluster serves the kind by this schema.
    pub(crate) served: bool,
}

impl Schema {
    pub(crate) fn root(&self) -> Edge {
        Edge {
            to: self.root,
            atomic: None,
        }
    }

    pub(crate) fn of(&self, edge: Edge) -> &Type {
        &self.types[edge.to as usize]
    }

    /// What the server puts into a list item's key where the item itself says nothing.
    pub(crate) fn key_default(&self, items: Edge, key: &str) -> Option<&Value> {
        self.of(items).properties.get(key)?.default.as_ref()
    }
}

/// The schemas of some kinds.
#[derive(Debug, Clone, Default)]
pub struct Schemas {
    kinds: HashMap<GroupVersionKind, Schema>,
}

impl Schemas {
    /// The schema of a kind, if it is known.
    #[must_use]
    pub fn get(&self, kind: &GroupVersionKind) -> Option<&Schema> {
        self.kinds.get(kind)
    }

    /// Adds schemas of kinds that have none here.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (kind, schema) in others.kinds {
            self.kinds.entry(kind).or_insert(schema);
        }
        self
    }

    fn add(&mut self, types: Vec<Type>, roots: Vec<openapi::Root>, served: bool) {
        let types: Arc<[Type]> = types.into();
        for openapi::Root {
            kind,
            index,
            status,
        } in roots
        {
            let schema = Schema {
                types: types.clone(),
                root: index,
                status,
                served,
            };
            self.kinds.insert(kind, schema);
        }
    }
}
