//! `klab up`: from nothing to a cluster whose nodes are Ready.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use futures::future::try_join;
use k8s_openapi::jiff::Timestamp;

use super::{addons::Addons, down, load};
use crate::{
    api, cgroup, child, components,
    error::{Context, Error, Result},
    images, kubeconfig,
    net::{registry, switch},
    node::launch,
    pki::Authorities,
    progress::Progress,
    runtime::{self, Part},
    spec::{ClusterSpec, DNS_SERVICE, ExtraArguments, NodeSpec, Registry},
    state::{Folder, write_private},
};

const API_LIMIT: Duration = Duration::from_secs(90);
const NODES_LIMIT: Duration = Duration::from_mins(2);

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes, the servers among them.
    pub nodes: u8,
    /// How many of them run the control plane.
    pub servers: u8,
    /// Only the control plane.
    pub control_plane_only: bool,
    /// The API server's port on 127.0.0.1; a free one unless it is given.
    pub api_port: Option<u16>,
    /// The port on 127.0.0.1 of a registry that the nodes pull from, 0 for a free one.
    pub registry: Option<u16>,
    /// Whether names of Services are resolved.
    pub dns: bool,
    /// Further flags of components.
    pub arguments: ExtraArguments,
    /// Leave a cluster that did not start for a look at its logs.
    pub keep_failed: bool,
}

impl Options {
    fn has_dns(&self) -> bool {
        self.dns && !self.control_plane_only
    }

    fn node_specs(&self) -> Vec<NodeSpec> {
        let agents = if self.control_plane_only {
            0
        } else {
            self.nodes.saturating_sub(self.servers)
        };
        let servers = (1..=self.servers).map(NodeSpec::server);
        servers.chain((1..=agents).map(NodeSpec::agent)).collect()
    }
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
    let runtime = runtime::ensure(Part::Cluster, progress)?;
    let registry = options.registry.map(|port| wanted_registry(port, progress));
    let name_server = options
        .has_dns()
        .then(|| runtime::ensure(Part::Dns, progress));
    let spec = ClusterSpec {
        name: folder.name().clone(),
        nodes: options.node_specs(),
        control_plane_only: options.control_plane_only,
        runtime,
        api_port: options.api_port,
        registry: registry.transpose()?,
        name_server: name_server
            .transpose()?
            .map(|folder| folder.join("coredns")),
        arguments: options.arguments.clone(),
        complete: false,
    };
    check_arguments(&spec)?;

    let lock = folder
        .create()
        .map_err(|error| existing(folder).unwrap_or(error))?;
    let result = tokio::select! {
        result = start(folder, spec, progress) => result,
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

/// Returns when somebody wants this process to end.
pub(super) async fn interrupted() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        _ = hang_up.recv() => "SIGHUP",
    }
}

fn wanted_registry(port: u16, progress: &Progress) -> Result<Registry> {
    Ok(Registry {
        port: Some(port).filter(|port| *port != 0),
        program: runtime::ensure(Part::Registry, progress)?.join("registry"),
    })
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

/// Asks the components about flags of the user's before anything is started: with
/// one that they do not know, they would never come up.
fn check_arguments(spec: &ClusterSpec) -> Result<()> {
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

async fn start(folder: &Folder, mut spec: ClusterSpec, progress: &Progress) -> Result<ClusterSpec> {
    folder.save(&spec)?;
    // First, because the nodes are told its ports.
    let ports = switch::start(folder)?;
    spec.api_port = Some(ports.api);
    if let Some(registry) = &mut spec.registry {
        registry.port = ports.registry;
    }
    folder.save(&spec)?;
    let authorities = Authorities::create(folder)?;
    for node in &spec.nodes {
        write_node(folder, &spec, node, &authorities)?;
    }
    if !spec.control_plane_only {
        images::keep_pause(folder, &spec.runtime)?;
    }
    if let Some(program) = &spec.name_server {
        images::keep_name_server(folder, program)?;
    }
    progress.say("certificates and configuration written");

    let admin = authorities.admin()?;
    let context = format!("klab-{}", spec.name);
    let url = format!("https://127.0.0.1:{}", ports.api);
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
    if let Some(port) = ports.registry {
        registry::ready(folder, port).await?;
        progress.say(&format!("registry: 127.0.0.1:{port}"));
    }
    if !spec.control_plane_only {
        let nodes = make_ready(folder, &spec.nodes, None, progress);
        // Its pods are there when the nodes are.
        let (addons, ()) = try_join(Addons::apply(folder, &spec), nodes).await?;
        let step = progress.step("name server");
        addons.ready().await?;
        if spec.name_server.is_some() {
            step.done(&format!("answers at {DNS_SERVICE}"));
        }
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
    // Each node needs some, and 128 for all of root's programs are usual.
    if text.contains("too many open files") {
        text.push_str("\n  the machine's inotify instances are used up: sysctl -w fs.inotify.max_user_instances=512");
    }
    Error::Component(text)
}

fn folder_spec(folder: &Folder) -> Result<ClusterSpec> {
    crate::state::read_json(&folder.spec_file())
}
