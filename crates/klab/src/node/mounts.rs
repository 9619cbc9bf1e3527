//! A node's view of the file system: the machine's, but with folders of its
//! own wherever the components write, and with kernel settings they cannot
//! change for the machine.

use std::{fs, path::Path};

use nix::mount::{MsFlags, mount};

use crate::{
    error::{Context, Result},
    state::NodeFolder,
};

/// What the kubelet wants these settings to be, and would set for the whole
/// machine. It finds them as it likes them, and the machine keeps its own.
/// Source: kubelet's `setupKernelTunables`.
const SHIELDED_SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Builds the view, in the mount namespace of the calling process, which must
/// be its own and in a PID namespace of its own.
///
/// # Errors
/// When the kernel refuses a mount.
pub(super) fn prepare(folder: &NodeFolder) -> Result<()> {
    // Nothing done here reaches the machine; what containers mount reaches the
    // kubelet, as it must for volumes.
    propagate(MsFlags::MS_PRIVATE)?;
    // The second one may hide the folder that both come from.
    for (own, path) in [(folder.log(), "/var/log"), (folder.lib(), "/var/lib")] {
        bind(&own, Path::new(path))?;
    }
    let no_flags = MsFlags::empty();
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        no_flags,
        Some("mode=755"),
    )
    .file("cannot mount", "/run")?;
    mount(Some("proc"), "/proc", Some("proc"), no_flags, None::<&str>)
        .file("cannot mount", "/proc")?;
    propagate(MsFlags::MS_SHARED)?;
    shield_sysctls()
}

fn propagate(kind: MsFlags) -> Result<()> {
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        kind | MsFlags::MS_REC,
        None::<&str>,
    )
    .file("cannot change the propagation of", "/")
}

fn bind(from: &Path, onto: &Path) -> Result<()> {
    mount(
        Some(from),
        onto,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .file("cannot mount over", onto)
}

fn shield_sysctls() -> Result<()> {
    let shields = Path::new("/run/klab/sysctl");
    fs::create_dir_all(shields).file("cannot create", shields)?;
    for (key, value) in SHIELDED_SYSCTLS {
        let setting = Path::new("/proc/sys").join(key);
        if !setting.exists() {
            continue;
        }
        let shield = shields.join(key.replace('/', "."));
        fs::write(&shield, format!("{value}\n")).file("cannot write", &shield)?;
        bind(&shield, &setting)?;
    }
    Ok(())
}
