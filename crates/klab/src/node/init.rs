//! A node's PID 1: prepares its mounts, says that it is ready, and keeps its
//! components running until the power is cut.

use std::fs;

use super::{mounts, supervise};
use crate::{
    child,
    components::NodePlan,
    error::{Context, Result},
    state::{Folder, read_json},
};

/// Never returns unless the node cannot be prepared.
///
/// # Errors
/// When the kernel refuses a mount, or the node's plan is unreadable.
pub fn run(folder: &Folder, node: &str) -> Result<()> {
    let folder = folder.node(node);
    let plan: NodePlan = read_json(&folder.plan())?;
    nix::unistd::sethostname(&plan.node.name).system("cannot set the host name")?;
    mounts::prepare(&folder)?;
    let temporary = "/var/lib/tmp";
    fs::create_dir_all(temporary).file("cannot create", temporary)?;
    child::report_ready("ready")?;
    supervise::run(plan)
}
