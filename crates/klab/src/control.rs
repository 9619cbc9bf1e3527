//! What klab's commands do, each in its file.

mod addons;
pub mod down;
pub mod hold;
pub mod load;
pub mod logs;
pub mod nodes;
pub mod restart;
pub mod status;
pub mod up;

use crate::{Error, spec::ClusterSpec};

/// Names the nodes there are.
pub(crate) fn no_such_node(spec: &ClusterSpec, name: &str) -> Error {
    let names: Vec<_> = spec.nodes.iter().map(|node| node.name.as_str()).collect();
    Error::State(format!(
        "cluster {} has no node {name}; it has: {}",
        spec.name,
        names.join(", ")
    ))
}
