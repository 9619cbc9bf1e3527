//! The processes of clusters, and the namespaces that they hold.

use std::{
    collections::BTreeSet,
    fs,
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
pub(super) fn list(counts: &dyn Fn(&str) -> bool) -> anyhow::Result<Listed> {
    let mut listed = Listed::default();
    for process in processes()? {
        let read = |name: &str| fs::read(process.join(name)).unwrap_or_default();
        let program = fs::read_link(process.join("exe")).unwrap_or_default();
        let cluster = cluster_of(&read("environ"), &String::from_utf8_lossy(&read("cgroup")))
            .or_else(|| commanded(&program, &read("cmdline")));
        let Some(cluster) = cluster.filter(|cluster| counts(cluster)) else {
            continue;
        };
        let pid = process.file_name().unwrap_or_default().to_string_lossy();
        listed
            .processes
            .insert(format!("{pid} {} {cluster}", program.display()));
        let links = NAMESPACES.iter().map(|name| process.join("ns").join(name));
        listed
            .namespaces
            .extend(links.filter_map(|link| Some(fs::read_link(link).ok()?.display().to_string())));
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

/// The cluster that a klab command was given on its command line.
fn commanded(program: &Path, command_line: &[u8]) -> Option<String> {
    if program.file_name()? != "klab" {
        return None;
    }
    let mut words = command_line.split(|byte| *byte == 0);
    words.find(|word| *word == b"--name")?;
    Some(String::from_utf8_lossy(words.next()?).into_owned())
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
        let up = b"/x/klab\0--name\0demo\0up\0";
        assert_eq!(commanded(Path::new("/x/klab"), up), Some("demo".to_owned()));
        assert_eq!(commanded(Path::new("/x/kdrill"), up), None);
    }

    #[test]
    fn a_marked_process_is_found_where_its_cluster_counts() {
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
        let with = list(&|name| name == "machine-test");
        let without = list(&|name| name != "machine-test");
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
