//! What of the machine a cluster could leave behind: taken before and after.
//!
//! The kernel is asked, not klab: its processes, mounts, namespaces, cgroups
//! and settings are what counts, whatever klab believes to have removed.

mod files;
mod network;
mod processes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

/// The kernel finishes some removals (dying cgroups, reaped processes) a little later.
const SETTLE: Duration = Duration::from_secs(15);

/// Kinds of which nothing may be missing afterwards either: they were the machine's own.
const OWN: &[&str] = &["address", "firewall", "link", "route", "setting"];

// kubelet, kube-proxy and network set-ups write these for the whole machine.
const SETTINGS: &[&str] = &[
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/core/somaxconn",
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// A listing of the machine, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    items: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Inventory {
    /// Lists network, mounts, settings and folders of the machine, and the
    /// processes, namespaces, cgroups and files of the clusters that `counts`
    /// names: others may come and go meanwhile.
    ///
    /// # Errors
    /// When /proc or /sys cannot be read, or nft cannot list the firewall.
    pub fn take(counts: &dyn Fn(&str) -> bool) -> anyhow::Result<Self> {
        let listed = processes::list(counts)?;
        let items = BTreeMap::from([
            ("address", network::addresses()?),
            ("cgroup", files::cgroups(counts)),
            ("file", files::traces(counts)),
            ("firewall", network::firewall()?),
            ("link", network::links()?),
            ("mount", mounts(&read("/proc/self/mountinfo")?)),
            ("namespace", listed.namespaces),
            ("process", listed.processes),
            ("route", network::routes()?),
            ("setting", settings(Path::new("/proc/sys"))),
        ]);
        Ok(Self { items })
    }

    /// What is there now and was not, and what of the machine's own is gone.
    #[must_use]
    pub fn changes_to(&self, after: &Self) -> Vec<String> {
        let nothing = BTreeSet::new();
        let mut changes = Vec::new();
        for (kind, now) in &after.items {
            let was = self.items.get(kind).unwrap_or(&nothing);
            changes.extend(
                now.difference(was)
                    .map(|item| format!("left behind: {kind} {item}")),
            );
            if OWN.contains(kind) {
                changes.extend(
                    was.difference(now)
                        .map(|item| format!("gone: {kind} {item}")),
                );
            }
        }
        changes
    }

    /// The clusters' processes, by id.
    pub fn processes(&self) -> impl Iterator<Item = &str> {
        let lines = self.items.get("process").into_iter().flatten();
        lines.filter_map(|line| line.split(' ').next())
    }

    /// Takes listings until nothing differs from this one, and returns what
    /// still does after 15 seconds.
    ///
    /// # Errors
    /// As [`Inventory::take`].
    pub fn changes_that_stay(&self, counts: &dyn Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let changes = self.changes_to(&Self::take(counts)?);
            if changes.is_empty() || Instant::now() > deadline {
                return Ok(changes);
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {path}"))
}

/// Mount points with type and source (proc(5), mountinfo).
fn mounts(mountinfo: &str) -> BTreeSet<String> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (fields, rest) = line.split_once(" - ")?;
            let mut rest = rest.split(' ');
            let (kind, source) = (rest.next()?, rest.next()?);
            Some(format!("{} ({kind}, {source})", fields.split(' ').nth(4)?))
        })
        .collect()
}

fn settings(root: &Path) -> BTreeSet<String> {
    let value = |name: &&str| {
        // Absent without IPv6, say; absent both times then.
        let value = fs::read_to_string(root.join(name)).ok()?;
        Some(format!("{} = {}", name.replace('/', "."), value.trim()))
    };
    SETTINGS.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(kind: &'static str, items: &[&str]) -> Inventory {
        let items = items.iter().map(ToString::to_string).collect();
        Inventory {
            items: BTreeMap::from([(kind, items)]),
        }
    }

    #[test]
    fn additions_count_in_every_kind() {
        let (before, after) = (
            inventory("mount", &["/a"]),
            inventory("mount", &["/a", "/b"]),
        );
        assert_eq!(before.changes_to(&after), ["left behind: mount /b"]);
    }

    #[test]
    fn losses_count_where_they_are_the_machines_own() {
        let changed =
            inventory("setting", &["vm.x = 0"]).changes_to(&inventory("setting", &["vm.x = 1"]));
        assert_eq!(
            changed,
            ["left behind: setting vm.x = 1", "gone: setting vm.x = 0"]
        );
        let ended = inventory("process", &["1 x"]).changes_to(&inventory("process", &[]));
        assert_eq!(ended, Vec::<String>::new());
    }

    #[test]
    fn mounts_are_named_by_place_type_and_source() {
        let line =
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n";
        assert_eq!(
            mounts(line),
            BTreeSet::from(["/mnt2 (ext3, /dev/root)".to_owned()])
        );
    }

    #[test]
    fn settings_have_their_sysctl_names() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("vm")).unwrap();
        fs::write(root.path().join("vm/panic_on_oom"), "2\n").unwrap();
        assert_eq!(
            settings(root.path()),
            BTreeSet::from(["vm.panic_on_oom = 2".to_owned()])
        );
    }
}
