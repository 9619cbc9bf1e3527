//! The memory and processor time of a cluster's processes, by program.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

use crate::machine::Inventory;

/// What a program's processes cost together.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    /// Their proportional set sizes: what they share is counted once.
    pub(super) pss_kib: u64,
    /// Of one processor.
    pub(super) cpu_percent: f64,
}

/// By program.
#[derive(Debug, Serialize)]
pub(super) struct Usage(pub(super) BTreeMap<String, Cost>);

impl Usage {
    /// Looks at a cluster's processes for a while.
    pub(super) fn over(while_: Duration, cluster: &str) -> anyhow::Result<Self> {
        let (before, begun) = (ticks(cluster)?, Instant::now());
        thread::sleep(while_);
        let (after, passed) = (ticks(cluster)?, begun.elapsed().as_secs_f64());
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("a clock ticks")? as f64;
        let mut costs: BTreeMap<String, Cost> = BTreeMap::new();
        for (pid, now) in after {
            // One that was not there before ran for all of its time within.
            let used = now - before.get(&pid).copied().unwrap_or(0);
            // It may have ended by now: then it costs nothing.
            let (Some(program), Some(pss_kib)) = (program(&pid), pss(&pid)) else {
                continue;
            };
            let cost = costs.entry(program).or_default();
            cost.pss_kib += pss_kib;
            cost.cpu_percent += used as f64 / per_second / passed * 100.0;
        }
        Ok(Self(costs))
    }

    pub(super) fn sum(&self) -> Cost {
        self.0.values().fold(Cost::default(), |sum, cost| Cost {
            pss_kib: sum.pss_kib + cost.pss_kib,
            cpu_percent: sum.cpu_percent + cost.cpu_percent,
        })
    }
}

/// The processor time of every process of a cluster so far, by its id.
fn ticks(cluster: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let machine = Inventory::take(&|name| name == cluster)?;
    let used = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid.to_owned(), spent(&stat)?))
    };
    Ok(machine.processes().filter_map(used).collect())
}

/// proc(5): fields 14 and 15, after the second one, which may have spaces in it.
fn spent(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let user: u64 = fields.get(11)?.parse().ok()?;
    let system: u64 = fields.get(12)?.parse().ok()?;
    Some(user + system)
}

fn pss(pid: &str) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// As it was started: several programs are one file.
fn program(pid: &str) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = line.split(|byte| *byte == 0).next()?;
    let name = String::from_utf8_lossy(first);
    Some(name.rsplit('/').next().unwrap_or(&name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_no_field() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 2 3 4 50 7 0 0 20 0 1 0 99";
        assert_eq!(spent(stat), Some(57));
    }

    #[test]
    fn this_process_has_memory_and_a_name() {
        let own = std::process::id().to_string();
        assert!(pss(&own).unwrap() > 100);
        assert!(program(&own).unwrap().starts_with("xtask"));
    }
}
