//! What `up` asks before it starts anything.

use crate::{
    cgroup, components,
    error::{Context, Error, Result},
    spec::ClusterSpec,
    state::Folder,
};

pub(super) fn refuse_existing(folder: &Folder) -> Result<()> {
    existing(folder).map_or(Ok(()), Err)
}

/// Says what is there already, if there is something.
pub(super) fn existing(folder: &Folder) -> Option<Error> {
    if !folder.exists() {
        return None;
    }
    Some(match folder.spec() {
        Ok(spec) => {
            let names: Vec<_> = spec.nodes.iter().map(|node| node.name.as_str()).collect();
            Error::State(format!(
                "cluster {} exists already, with {}; look at it with: {}; remove it with: {}",
                spec.name,
                names.join(", "),
                folder.command("status"),
                folder.command("down")
            ))
        }
        Err(error) => error,
    })
}

pub(super) fn check_machine() -> Result<()> {
    cgroup::detect()?;
    let nft = std::process::Command::new("nft")
        .arg("--version")
        .stdout(std::process::Stdio::null())
        .status();
    if nft.is_ok_and(|status| status.success()) {
        Ok(())
    } else {
        Err(Error::Machine(
            "kube-proxy needs nft; install it with: apt-get install nftables".to_owned(),
        ))
    }
}

/// Asks the components about flags of the user's before anything is started: with
/// one that they do not know, they would never come up.
pub(super) fn check_arguments(spec: &ClusterSpec) -> Result<()> {
    let arguments = &spec.arguments;
    for (component, option, given) in [
        ("kubelet", "--kubelet-arg", &arguments.kubelet),
        ("kube-apiserver", "--apiserver-arg", &arguments.api_server),
    ] {
        if given.is_empty() {
            continue;
        }
        let program = spec.runtime.join(component);
        let output = std::process::Command::new(&program)
            .args(components::flags(given))
            .arg("--version")
            .output()
            .system(format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let reason = words
                .lines()
                .find(|line| line.contains("flag") || line.contains("rror"))
                .or(words.lines().last())
                .unwrap_or("it did not say why");
            return Err(Error::State(format!(
                "{option}: {component} refuses it: {reason}; nothing was started"
            )));
        }
    }
    Ok(())
}
