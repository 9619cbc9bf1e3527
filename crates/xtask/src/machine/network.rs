//! The machine's own network: what a cluster must never touch.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use super::read;
use crate::repo::find_program;

pub(super) fn links() -> anyhow::Result<BTreeSet<String>> {
    let entries = fs::read_dir("/sys/class/net").context("listing /sys/class/net")?;
    Ok(entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

pub(super) fn routes() -> anyhow::Result<BTreeSet<String>> {
    let mut routes = parse_routes(&read("/proc/net/route")?);
    // Absent without IPv6.
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    routes.extend(parse_routes6(&v6));
    Ok(routes)
}

pub(super) fn addresses() -> anyhow::Result<BTreeSet<String>> {
    Ok(parse_addresses(&read("/proc/net/fib_trie")?))
}

/// The rules without their counters.
pub(super) fn firewall() -> anyhow::Result<BTreeSet<String>> {
    let nft = find_program("nft").context("nft is missing; run: cargo xtask setup")?;
    let output = Command::new(nft)
        .args(["--stateless", "list", "ruleset"])
        .stdin(Stdio::null())
        .output()
        .context("starting nft")?;
    if !output.status.success() {
        bail!(
            "nft cannot list the firewall: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    // Indentation tells rules of different chains apart from the lines that hold them.
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// Interface, destination, gateway and mask; the rest are counters.
fn parse_routes(text: &str) -> BTreeSet<String> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (name, to, via, mask) = (
            fields.first()?,
            fields.get(1)?,
            fields.get(2)?,
            fields.get(7)?,
        );
        Some(format!("{to}/{mask} via {via} dev {name}"))
    };
    text.lines().skip(1).filter_map(route).collect()
}

/// Destination, prefix, next hop and interface; the rest are counters.
fn parse_routes6(text: &str) -> BTreeSet<String> {
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (to, prefix, via, name) = (
            fields.first()?,
            fields.get(1)?,
            fields.get(4)?,
            fields.last()?,
        );
        Some(format!("{to}/{prefix} via {via} dev {name}"))
    };
    text.lines().filter_map(route).collect()
}

/// In the trie, an address is the line before `/32 host LOCAL`.
fn parse_addresses(trie: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = trie.lines().map(str::trim).collect();
    let local = |pair: &[&str]| {
        (pair[1] == "/32 host LOCAL").then(|| pair[0].trim_start_matches("|-- ").to_owned())
    };
    lines.windows(2).filter_map(local).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_compared_without_their_counters() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                    eth0\t00000000\t0100A8C0\t0003\t0\t17\t0\t00000000\t0\n";
        assert_eq!(
            parse_routes(text),
            BTreeSet::from(["00000000/00000000 via 0100A8C0 dev eth0".to_owned()])
        );
    }

    #[test]
    fn addresses_are_read_from_the_trie() {
        let trie = "Local:\n  +-- 127.0.0.0/8 2 0 2\n     |-- 127.0.0.1\n        /32 host LOCAL\n\
                    \x20    |-- 127.255.255.255\n        /32 link BROADCAST\n";
        assert_eq!(
            parse_addresses(trie),
            BTreeSet::from(["127.0.0.1".to_owned()])
        );
    }

    #[test]
    fn this_machine_has_a_loopback() {
        assert!(links().unwrap().contains("lo"));
    }
}
