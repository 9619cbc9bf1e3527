//! `klab up`: from nothing to a cluster whose nodes are Ready.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;

use super::{down, load};
use crate::{
    api, cgroup, child, components,
    error::{Context, Error, Result},
    images, kubeconfig,
    net::switch,
    node::launch,
    pki::Authorities,
    progress::Progress,
    runtime,
    spec::{ClusterSpec, NodeSpec},
    state::{Folder, write_private},
};

const API_LIMIT: Duration = Duration::from_secs(90);
const NODES_LIMIT: Duration = Duration::from_mins(2);

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes, the server among them.
    pub nodes: u8,
    /// Only the control plane.
    pub control_plane_only: bool,
    /// Leave a cluster that did not start for a look at its logs.
    pub keep_failed: bool,
}

/// Starts a cluster, or leaves nothing of it.
///
/// # Errors
/// When it exists, when the machine lacks something, or a component does not
/// start: with the last words of its log.
pub async fn up(folder: &Folder, options: &Options, progress: &Progress) -> Result<ClusterSpec> {
    let started = Instant::now();
    refuse_existing(folder)?;
    check_machine()?;
    let runtime = runtime::ensure(progress)?;

    let lock = folder
        .create()
        .map_err(|error| existing(folder).unwrap_or(error))?;
    let result = tokio::select! {
        result = start(folder, options, runtime, progress) => result,
        signal = interrupted() => Err(Error::State(format!("interrupted by {signal}"))),
    };
    drop(lock);
    match result {
        Ok(spec) => {
            progress.say(&format!(
                "cluster {} is up after {:.1} s",
                spec.name,
                started.elapsed().as_secs_f64()
            ));
            Ok(spec)
        }
        Err(error) if options.keep_failed => Err(Error::State(format!(
            "{error}; its logs are in {}; remove it with: {}",
            folder.path().display(),
            folder.command("down")
        ))),
        Err(error) => {
            down::down(folder)?;
            Err(error)
        }
    }
}

async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

fn refuse_existing(folder: &Folder) -> Result<()> {
    existing(folder).map_or(Ok(()), Err)
}

/// Says what is there already, if there is something.
fn existing(folder: &Folder) -> Option<Error> {
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

fn check_machine() -> Result<()> {
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

async fn start(
    folder: &Folder,
    options: &Options,
    runtime: std::path::PathBuf,
    progress: &Progress,
) -> Result<ClusterSpec> {
    let agents = if options.control_plane_only {
        0
    } else {
        options.nodes - 1
    };
    let mut spec = ClusterSpec {
        name: folder.name().clone(),
        nodes: std::iter::once(NodeSpec::server())
            .chain((1..=agents).map(NodeSpec::agent))
            .collect(),
        control_plane_only: options.control_plane_only,
        runtime,
        api_port: None,
        complete: false,
    };
    folder.save(&spec)?;
    let authorities = Authorities::create(folder)?;
    for node in &spec.nodes {
        write_node(folder, &spec, node, &authorities)?;
    }
    if !spec.control_plane_only {
        images::keep_pause(folder, &spec.runtime)?;
    }
    progress.say("certificates and configuration written");

    let port = switch::start(folder, None)?;
    spec.api_port = Some(port);
    folder.save(&spec)?;
    let admin = authorities.admin()?;
    let context = format!("klab-{}", spec.name);
    let url = format!("https://127.0.0.1:{port}");
    let admin_config = kubeconfig::for_admin(
        &context,
        &url,
        authorities.cluster.certificate(),
        &admin.certificate,
        &admin.key,
    );
    write_private(&folder.kubeconfig(), admin_config)?;
    for node in &spec.nodes {
        launch::start(folder, node)?;
    }

    let step = progress.step("API server");
    let client = api::client(folder).await?;
    api::ready(&client, API_LIMIT)
        .await
        .map_err(|error| with_logs(folder, error))?;
    step.done(&format!("ready at {url}"));
    if !spec.control_plane_only {
        make_ready(folder, &spec.nodes, None, progress).await?;
    }
    spec.complete = true;
    folder.save(&spec)?;
    Ok(spec)
}

/// Writes everything a node needs to start.
pub(super) fn write_node(
    folder: &Folder,
    spec: &ClusterSpec,
    node: &NodeSpec,
    authorities: &Authorities,
) -> Result<()> {
    let own = folder.node(&node.name);
    fs::create_dir_all(own.path()).file("cannot create", own.path())?;
    let pki = own.config().join("pki");
    authorities.equip_node(node, &pki)?;
    if node.is_server() {
        authorities.equip_server(node, &pki)?;
    }
    components::write_node(
        spec,
        node,
        &own,
        &cgroup::kubelet_root(&spec.name, &node.name),
    )
}

/// Gives running nodes the cluster's images, and waits until they are Ready:
/// with `since`, until their kubelets say so after that.
pub(super) async fn make_ready(
    folder: &Folder,
    nodes: &[NodeSpec],
    since: Option<Timestamp>,
    progress: &Progress,
) -> Result<()> {
    let step = progress.step("nodes");
    let client = api::client(folder).await?;
    load::import_kept(folder, nodes)
        .await
        .map_err(|error| with_logs(folder, error))?;
    step.detail("images imported");
    api::nodes_ready(&client, nodes, since, NODES_LIMIT, |name| {
        step.detail(&format!("{name} is Ready"));
    })
    .await
    .map_err(|error| with_logs(folder, error))?;
    let names: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
    step.done(&format!("Ready: {}", names.join(", ")));
    Ok(())
}

/// Adds what the nodes' PID 1s said last: which component keeps ending, and why.
fn with_logs(folder: &Folder, error: Error) -> Error {
    let mut text = error.to_string();
    let Ok(spec) = folder_spec(folder) else {
        return error;
    };
    for node in &spec.nodes {
        let log = folder.node(&node.name).log();
        let init = child::last_lines(&log.join("init.log"), 1);
        let Some(component) = init
            .strip_prefix("init: ")
            .and_then(|line| line.split(' ').next())
        else {
            continue;
        };
        let words = child::last_lines(&log.join(format!("{component}.log")), 3);
        let _ = write!(
            text,
            "\n  {}: {init}\n    {}",
            node.name,
            words.replace('\n', "\n    ")
        );
    }
    Error::Component(text)
}

fn folder_spec(folder: &Folder) -> Result<ClusterSpec> {
    crate::state::read_json(&folder.spec_file())
}
