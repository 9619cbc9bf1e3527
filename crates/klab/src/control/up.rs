//! `klab up`: from nothing to a cluster whose nodes are Ready.

mod checks;

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use futures::future::try_join;
use k8s_openapi::jiff::Timestamp;

use self::checks::{check_arguments, check_machine, existing, refuse_existing};
use super::{
    addons::Addons,
    down, load,
    timings::{Stopwatch, Timings, api_server_runs},
};
use crate::{
    api, cgroup, child, components,
    error::{Context, Error, Result},
    images, kubeconfig,
    net::{registry, switch},
    node::launch,
    pki::Authorities,
    process,
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

/// Starts a cluster, or leaves nothing of it; says what took how long.
///
/// # Errors
/// When it exists, when the machine lacks something, or a component does not
/// start: with the last words of its log.
pub async fn up(folder: &Folder, options: &Options, progress: &Progress) -> Result<Timings> {
    let mut whole = Stopwatch::start();
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
        Ok(mut timings) => {
            timings.total = whole.lap();
            progress.say(&format!(
                "cluster {} is up after {:.1} s",
                folder.name(),
                timings.total
            ));
            Ok(timings)
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

async fn start(folder: &Folder, mut spec: ClusterSpec, progress: &Progress) -> Result<Timings> {
    let mut timings = Timings::default();
    let mut watch = Stopwatch::start();
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
    progress.say("certificates and configuration written");
    timings.certificates = watch.lap();
    for node in &spec.nodes {
        launch::start(folder, node)?;
    }

    let step = progress.step("API server");
    let client = api::client(folder).await?;
    let ready = api::ready(&client, API_LIMIT);
    let both = try_join(give_images(folder, &spec), ready).await;
    let (images, ()) = both.map_err(|error| with_logs(folder, error))?;
    timings.images = images.as_secs_f64();
    step.done(&format!("ready at {url}"));
    let (both, members) = (watch.lap(), process::members(&folder.path())?);
    let runs = api_server_runs(&members).map_or(both, |age| age.as_secs_f64().min(both));
    (timings.etcd, timings.api_server) = (both - runs, runs);
    if let Some(port) = ports.registry {
        registry::ready(folder, port).await?;
        progress.say(&format!("registry: 127.0.0.1:{port}"));
    }
    if !spec.control_plane_only {
        let nodes = nodes_ready(folder, &spec.nodes, None, progress);
        // Its pods are there when the nodes are.
        let (addons, ()) = try_join(Addons::apply(folder, &spec), nodes).await?;
        timings.nodes = watch.lap();
        let step = progress.step("name server");
        addons.ready().await?;
        if spec.name_server.is_some() {
            step.done(&format!("answers at {DNS_SERVICE}"));
        }
        timings.add_ons = watch.lap();
    }
    spec.complete = true;
    folder.save(&spec)?;
    Ok(timings)
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

/// Packs klab's own images and gives them to the nodes, as soon as they take
/// them; says how long it took.
async fn give_images(folder: &Folder, spec: &ClusterSpec) -> Result<Duration> {
    let begun = Instant::now();
    if spec.control_plane_only {
        return Ok(Duration::ZERO);
    }
    images::keep_pause(folder, &spec.runtime)?;
    if let Some(program) = &spec.name_server {
        images::keep_name_server(folder, program)?;
    }
    load::import_kept(folder, &spec.nodes).await?;
    Ok(begun.elapsed())
}

/// Gives running nodes the cluster's images, and waits until they are Ready:
/// with `since`, until their kubelets say so after that.
pub(super) async fn make_ready(
    folder: &Folder,
    nodes: &[NodeSpec],
    since: Option<Timestamp>,
    progress: &Progress,
) -> Result<()> {
    load::import_kept(folder, nodes)
        .await
        .map_err(|error| with_logs(folder, error))?;
    nodes_ready(folder, nodes, since, progress).await
}

async fn nodes_ready(
    folder: &Folder,
    nodes: &[NodeSpec],
    since: Option<Timestamp>,
    progress: &Progress,
) -> Result<()> {
    let step = progress.step("nodes");
    let client = api::client(folder).await?;
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
