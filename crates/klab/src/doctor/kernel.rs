//! What the kernel must be able to do: tried in namespaces of this check's own.

use std::{fs, path::Path, thread};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::Finding;
use crate::{
    cgroup::{self, Hierarchies},
    error::{Context, Result},
    net::{
        link::Links,
        slow::{self, Slowness},
    },
};

pub(super) fn examine() -> Vec<Finding> {
    vec![
        namespaces(),
        cgroups(),
        links(),
        firewall(),
        overlay(),
        seccomp(),
        slowness(),
    ]
}

fn namespaces() -> Finding {
    let missing: Vec<_> = ["net", "mnt", "pid", "uts", "ipc"]
        .into_iter()
        .filter(|kind| !Path::new("/proc/self/ns").join(kind).exists())
        .collect();
    if missing.is_empty() {
        return Finding::ok("namespaces", "net, mnt, pid, uts, ipc");
    }
    let fix = "use a kernel with CONFIG_NAMESPACES and these in it";
    Finding::failed("namespaces", format!("no {}", missing.join(", ")), fix)
}

fn cgroups() -> Finding {
    match cgroup::detect() {
        Ok(Hierarchies::V2(mount)) => Finding::ok("cgroups", format!("v2 at {}", mount.display())),
        Ok(Hierarchies::V1(mounts)) => {
            Finding::ok("cgroups", format!("v1, {} hierarchies", mounts.len()))
        }
        Err(error) => Finding::failed("cgroups", error.to_string(), "mount them"),
    }
}

/// Does something on a thread with namespaces of its own, which go with it.
fn apart<T: Send>(namespaces: CloneFlags, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(namespaces).system("cannot make a namespace")?;
            work()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn links() -> Finding {
    let made = apart(CloneFlags::CLONE_NEWNET, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .system("cannot start")?;
        runtime.block_on(async {
            let links = Links::open()?;
            links.add_bridge("nodes").await?;
            links.add_cable("one", "other").await?;
            links.plug_into("one", "nodes").await
        })
    });
    match made {
        Ok(()) => Finding::ok("links", "bridge, veth"),
        Err(error) => Finding::failed("links", error.to_string(), "modprobe -a bridge veth"),
    }
}

/// What kube-proxy and portmap write.
const RULES: &str = "\
table ip klab {
    map services { type ipv4_addr . inet_proto . inet_service : verdict; }
    chain target { meta l4proto tcp dnat to 10.0.0.1:80; }
    chain out { type nat hook postrouting priority 100; ct mark 1 masquerade; }
    chain in { type nat hook prerouting priority -100; ip daddr . meta l4proto . th dport vmap @services; \
numgen random mod 2 vmap { 0 : goto target, 1 : goto target }; }
}
";

fn firewall() -> Finding {
    let loaded = apart(CloneFlags::CLONE_NEWNET, || nft(RULES));
    match loaded {
        Ok(()) => Finding::ok("firewall", "nftables with NAT, in namespaces"),
        Err(error) => Finding::failed(
            "firewall",
            error.to_string(),
            "apt-get install nftables && modprobe -a nf_tables nft_chain_nat nft_masq nft_numgen",
        ),
    }
}

fn nft(rules: &str) -> Result<()> {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .system("cannot run nft")?;
    if let Some(stdin) = &mut nft.stdin {
        stdin
            .write_all(rules.as_bytes())
            .system("cannot talk to nft")?;
    }
    let output = nft.wait_with_output().system("cannot wait for nft")?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().next().unwrap_or("it failed");
    Err(crate::Error::Machine(format!("nft: {first}")))
}

/// Containers' file systems. `/run` is a tmpfs nearly everywhere, and overlayfs takes that.
fn overlay() -> Finding {
    let mounted = apart(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS, || {
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_PRIVATE | MsFlags::MS_REC,
            None::<&str>,
        )
        .file("cannot change the propagation of", "/")?;
        let flags = MsFlags::empty();
        mount(Some("tmpfs"), "/mnt", Some("tmpfs"), flags, None::<&str>)
            .file("cannot mount", "/mnt")?;
        for folder in ["lower", "upper", "work", "all"] {
            let path = Path::new("/mnt").join(folder);
            fs::create_dir(&path).file("cannot create", path)?;
        }
        let options = "lowerdir=/mnt/lower,upperdir=/mnt/upper,workdir=/mnt/work";
        mount(
            Some("overlay"),
            "/mnt/all",
            Some("overlay"),
            flags,
            Some(options),
        )
        .file("cannot mount an overlay at", "/mnt/all")
    });
    match mounted {
        Ok(()) => Finding::ok("overlayfs", "mounts"),
        Err(error) => Finding::failed("overlayfs", error.to_string(), "modprobe overlay"),
    }
}

fn seccomp() -> Finding {
    if Path::new("/proc/sys/kernel/seccomp/actions_avail").exists() {
        return Finding::ok("seccomp", "there");
    }
    let fix = "use a kernel with CONFIG_SECCOMP_FILTER";
    Finding::failed("seccomp", "the kernel has none, and runc needs it", fix)
}

/// Only `node slow` needs these.
fn slowness() -> Finding {
    let some = |value: &str| Some(value.to_owned());
    let kinds = [
        ("--rate", some("1mbit"), None),
        ("--delay and --loss", None, some("50ms")),
    ];
    let lacking: Vec<_> = kinds
        .into_iter()
        .filter(|(_, rate, delay)| {
            let slowness = Slowness {
                rate: rate.clone(),
                delay: delay.clone(),
                loss: None,
            };
            apart(CloneFlags::CLONE_NEWNET, || slow::try_out(&slowness)).is_err()
        })
        .map(|(options, ..)| options)
        .collect();
    if lacking.is_empty() {
        return Finding::ok("slow networks", "rate, delay and loss");
    }
    Finding::warning(
        "slow networks",
        format!("`node slow` without {}", lacking.join(", ")),
        "apt-get install iproute2; modprobe -a sch_netem sch_tbf",
    )
}
