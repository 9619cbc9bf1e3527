//! klab's processes, and the namespaces that any process of root holds.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

const NAMESPACES: &[&str] = &["cgroup", "ipc", "mnt", "net", "pid", "uts"];
/// In the environment of every process that klab starts: `FOLDER#ROLE`.
const MARKER: &str = "KLAB_MEMBER=";

/// What [`list`] found.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) processes: BTreeSet<String>,
    pub(super) namespaces: BTreeSet<String>,
}

/// Processes come and go while this runs: one that is gone is left out.
pub(super) fn list(except: Option<&str>) -> anyhow::Result<Listed> {
    let mut listed = Listed::default();
    for process in processes()? {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        let cgroups = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
        let cluster = cluster_of(&environment, &cgroups);
        if cluster.is_some() && cluster.as_deref() == except {
            continue;
        }
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let pid = process
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if cluster.is_some() || program.file_name().is_some_and(|name| name == "klab") {
            let cluster = cluster.unwrap_or_default();
            listed.processes.insert(
                format!("{pid} {} {cluster}", program.display())
                    .trim()
                    .to_owned(),
            );
        }
        // Browsers and desktop sandboxes make namespaces all the time, but not as root.
        if fs::metadata(&process).is_ok_and(|process| process.uid() == 0) {
            let links = NAMESPACES.iter().map(|name| process.join("ns").join(name));
            listed.namespaces.extend(
                links.filter_map(|link| Some(fs::read_link(link).ok()?.display().to_string())),
            );
        }
    }
    Ok(listed)
}

fn processes() -> anyhow::Result<impl Iterator<Item = PathBuf>> {
    let entries = fs::read_dir("/proc").context("listing /proc")?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    }))
}

/// The cluster a process belongs to: by klab's mark, or by the cgroup of its pod.
fn cluster_of(environment: &[u8], cgroups: &str) -> Option<String> {
    if let Some(folder) = marked_folder(environment) {
        return Some(folder.file_name()?.to_string_lossy().into_owned());
    }
    // cgroups(7): hierarchy:controllers:path
    cgroups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let (_, below) = path.split_once("/klab/")?;
        below.split('/').next().map(str::to_owned)
    })
}

fn marked_folder(environment: &[u8]) -> Option<&Path> {
    environment.split(|byte| *byte == 0).find_map(|variable| {
        let value = str::from_utf8(variable).ok()?.strip_prefix(MARKER)?;
        value
            .rsplit_once('#')
            .map(|(folder, _role)| Path::new(folder))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        process::{Command, Stdio},
    };

    #[test]
    fn a_mark_or_a_cgroup_tells_the_cluster() {
        let environment = b"HOME=/root\0KLAB_MEMBER=/var/lib/klab/demo#agent1\0X=1\0";
        assert_eq!(cluster_of(environment, ""), Some("demo".to_owned()));
        let pod = "9:cpu,cpuacct:/klab/demo/agent1/kubepods/pod1/abc\n";
        assert_eq!(cluster_of(b"", pod), Some("demo".to_owned()));
        assert_eq!(cluster_of(b"HOME=/root\0", "0::/user.slice/klab\n"), None);
    }

    #[test]
    fn a_marked_process_is_found_and_left_out_on_demand() {
        let mut child = Command::new("cat")
            .env("KLAB_MEMBER", "/nonexistent/machine-test#role1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It has its name and its environment once it answers.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"!").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let with = list(None);
        let without = list(Some("machine-test"));
        drop(stdin);
        child.wait().unwrap();
        let pid = child.id();
        let line = |listed: &Listed| {
            listed
                .processes
                .iter()
                .any(|line| line.starts_with(&format!("{pid} ")))
        };
        assert!(line(&with.unwrap()));
        assert!(!line(&without.unwrap()));
    }
}
