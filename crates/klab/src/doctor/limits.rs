//! How much the machine has of what clusters use up.

use std::{fs, path::Path};

use nix::sys::statvfs::statvfs;

use super::Finding;
use crate::state::Folder;

const GIB: u64 = 1 << 30;
/// Three nodes idle, and some room for pods.
const MEMORY: u64 = 3 * GIB / 2;
const DISK: u64 = 2 * GIB;
/// containerd, kubelet and pods of a dozen nodes.
const WATCHES: [(&str, u64); 2] = [
    ("fs.inotify.max_user_instances", 512),
    ("fs.inotify.max_user_watches", 65536),
];

pub(super) fn examine(folder: &Folder) -> Vec<Finding> {
    let mut findings = vec![root(), memory(), disk(folder)];
    findings.extend(WATCHES.map(|(key, wanted)| setting(key, wanted)));
    findings
}

fn root() -> Finding {
    if nix::unistd::geteuid().is_root() {
        return Finding::ok("root", "yes");
    }
    let fix = "run it with: sudo klab doctor";
    Finding::failed("root", "namespaces, mounts and cgroups need it", fix)
}

fn memory() -> Finding {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = available_memory(&text);
    let detail = format!("{} MiB available", available >> 20);
    if available >= MEMORY {
        return Finding::ok("memory", detail);
    }
    let fix = "end other programs, or start fewer nodes: klab up --nodes 1";
    Finding::warning("memory", detail, fix)
}

fn available_memory(meminfo: &str) -> u64 {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

fn disk(folder: &Folder) -> Finding {
    let path = folder.path();
    let there = path.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/"));
    let fix = "free some space, or put clusters elsewhere: klab --state DIR …";
    let Ok(stat) = statvfs(there) else {
        let detail = format!("{} cannot be read", there.display());
        return Finding::failed("disk", detail, fix);
    };
    let free = stat.blocks_available() * stat.fragment_size();
    let detail = format!("{} MiB free at {}", free >> 20, there.display());
    if free >= DISK {
        Finding::ok("disk", detail)
    } else {
        Finding::warning("disk", detail, fix)
    }
}

fn setting(key: &'static str, wanted: u64) -> Finding {
    let path = Path::new("/proc/sys").join(key.replace('.', "/"));
    let value = fs::read_to_string(path).unwrap_or_default();
    let detail = format!("{key} = {}", value.trim());
    if value
        .trim()
        .parse::<u64>()
        .is_ok_and(|value| value >= wanted)
    {
        return Finding::ok("inotify", detail);
    }
    Finding::warning("inotify", detail, format!("sysctl -w {key}={wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_in_bytes() {
        let text = "MemTotal:       24650000 kB\nMemAvailable:   1048576 kB\n";
        assert_eq!(available_memory(text), GIB);
        assert_eq!(available_memory(""), 0);
    }
}
