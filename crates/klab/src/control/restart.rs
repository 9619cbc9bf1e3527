//! `klab node restart`: ends a node's components, which its PID 1 starts again.
//! Pods go on meanwhile, as they do when k3s is restarted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::sleep;

use super::nodes;
use crate::{
    components::NodePlan,
    error::{Error, Result},
    process,
    progress::Progress,
    state::{Folder, read_json},
};

/// How long a component may take to end by itself.
const END_LIMIT: Duration = Duration::from_secs(10);
/// PID 1 waits a second, and a component may wait for another.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Ends these components of a node, or all of them, and waits until they run
/// and the node is Ready again.
///
/// # Errors
/// When the node is stopped or has no such component, and when one does not come back.
pub async fn restart(
    folder: &Folder,
    name: &str,
    components: &[String],
    progress: &Progress,
) -> Result<()> {
    let _lock = folder.lock()?;
    let spec = folder.spec()?;
    let node = nodes::find(&spec, name)?;
    nodes::running(folder, node)?;
    let chosen = chosen(folder, name, components)?;
    let since = Timestamp::now();
    let before = running(folder, name, &chosen)?;
    end(folder, name, &chosen, &before).await?;
    come_back(folder, name, &chosen, &before).await?;
    nodes::serves_again(folder, &spec, node, since, progress).await
}

fn chosen(folder: &Folder, node: &str, wanted: &[String]) -> Result<Vec<String>> {
    let plan: NodePlan = read_json(&folder.node(node).plan())?;
    let all: Vec<String> = plan.components.into_iter().map(|one| one.name).collect();
    match wanted.iter().find(|name| !all.contains(name)) {
        Some(unknown) => Err(Error::State(format!(
            "node {node} has no component {unknown}; it has: {}",
            all.join(", ")
        ))),
        None if wanted.is_empty() => Ok(all),
        None => Ok(wanted.to_vec()),
    }
}

/// The components' processes, by name.
fn running(folder: &Folder, node: &str, names: &[String]) -> Result<BTreeMap<String, i32>> {
    let members = process::members(&folder.path())?;
    let of_node = members.into_iter().filter(|member| member.role == node);
    let found = of_node.filter_map(|member| {
        let program = member.command.first()?.rsplit('/').next()?;
        names
            .iter()
            .find(|name| *name == program)
            .map(|name| (name.clone(), member.pid))
    });
    Ok(found.collect())
}

async fn end(
    folder: &Folder,
    node: &str,
    names: &[String],
    before: &BTreeMap<String, i32>,
) -> Result<()> {
    // Already gone is what we want; asked twice, some would not tidy up.
    let send = |pid: i32, signal| {
        let _ = kill(Pid::from_raw(pid), signal);
    };
    for pid in before.values() {
        send(*pid, Signal::SIGTERM);
    }
    let asked = Instant::now();
    loop {
        let now = running(folder, node, names)?;
        let left: Vec<_> = before
            .iter()
            .filter(|(name, pid)| now.get(*name) == Some(pid))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if asked.elapsed() > END_LIMIT {
            for (_, pid) in left {
                send(*pid, Signal::SIGKILL);
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// PID 1 says nothing when it has started something: the process table does.
async fn come_back(
    folder: &Folder,
    node: &str,
    names: &[String],
    before: &BTreeMap<String, i32>,
) -> Result<()> {
    let asked = Instant::now();
    loop {
        let now = running(folder, node, names)?;
        let missing: Vec<&str> = names
            .iter()
            .filter(|name| {
                now.get(*name)
                    .is_none_or(|pid| before.get(*name) == Some(pid))
            })
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if asked.elapsed() > START_LIMIT {
            return Err(Error::Component(format!(
                "after {} s, node {node} still runs no new {}; see: {}",
                START_LIMIT.as_secs(),
                missing.join(", "),
                folder.command(&format!("logs {node} {}", missing[0]))
            )));
        }
        sleep(Duration::from_millis(100)).await;
    }
}
