//! What differs between an object as it is and as it would be: field by field,
//! without what the server writes by itself, and with the items of a list
//! matched by what identifies them.

mod assigned;
mod change;
mod list;
mod noise;
mod tree;

use serde_json::Value;

pub use self::change::{Change, Op, changes};
pub(crate) use self::{
    assigned::mark_assigned,
    list::{Item, List},
    noise::without_noise,
    tree::{Node, compare},
};

/// A part of a JSON Pointer (RFC 6901, section 3).
pub(crate) fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

/// Text of one line for a value that identifies an item: JSON.
fn label(value: &Value) -> String {
    value.to_string()
}
