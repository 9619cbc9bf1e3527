//! `kdrill run`: its flags, and the plan that they make.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::Args;
use kapply::{connect::ConnectOptions, resolve::ImageOverride};

use super::Output;
use crate::{
    cluster::manifests::Manifests,
    command::UserCommand,
    drills::{self, Params},
    error::{Error, Result},
    limits::{Change, Changes, ForDrill, MaxFailed, duration},
    load::{
        generate::{self, Connections},
        handle::{LoadOptions, Place},
    },
    plan::{Choice, Plan},
};

const RUN_EXAMPLES: &str = "\
CMD is split into words as a shell does and run without one.

Examples:
  On a node of the cluster, where the Service's address is reachable:
    kdrill run replicas balance scale --namespace demo --report out
  Against a local cluster, whose network is entered by --load-via:
    kdrill run all --namespace demo --report out \\
        --load-via 'klab --name demo exec server --' --node-add 'klab --name demo node add' \\
        --node-down 'klab --name demo node stop' --node-up 'klab --name demo node start'
  Against a cluster of which this machine is no node, from a pod of it:
    kdrill run replicas balance --namespace demo --report out --load-image ghcr.io/me/kdrill
  While something else crashes machines:
    kdrill run node-loss --namespace demo --report out \\
        --expect-lost agent1 --ready-marker /tmp/crash-it --recovered-marker /tmp/start-it";

/// `kdrill run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArgs {
    /// The drills, carried out in this order, or `all`: `kdrill list` explains them
    #[arg(required = true, value_name = "DRILL", value_parser = choice)]
    pub drills: Vec<Choice>,
    /// The namespace of the Deployment and the Service [default: the context's]
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, then ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context
    #[arg(long)]
    pub context: Option<String>,
    /// The Deployment
    #[arg(long, value_name = "NAME", default_value = "web-deployment")]
    pub deployment: String,
    /// The Service in front of it
    #[arg(long, value_name = "NAME", default_value = "python-service")]
    pub service: String,
    /// The folder for timeline.json and report.html
    #[arg(long, value_name = "DIR")]
    pub report: PathBuf,
    /// How many replicas there must be
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub replicas: u16,
    /// How many the scale drill scales to [default: 10, or twice --replicas if that is more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=2000))]
    pub scale_to: Option<u16>,
    /// How many requests the balance drill counts
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: u64,
    /// Requests per second
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(generate::HIGHEST_RATE)))]
    pub rate: u32,
    /// Which connections requests use; balance is judged by the fresh ones
    #[arg(long, value_enum, default_value_t)]
    pub connections: Connections,
    /// The command behind which to run the load generator, in the cluster's network
    #[arg(long, value_name = "CMD")]
    pub load_via: Option<String>,
    /// Run the load generator as a Job in the namespace, from this image, whose entrypoint is kdrill
    #[arg(long, value_name = "REF", conflicts_with = "load_via")]
    pub load_image: Option<String>,
    /// The command that cuts a node; its name is appended
    #[arg(long, value_name = "CMD")]
    pub node_down: Option<String>,
    /// The command that starts a node; its name is appended
    #[arg(long, value_name = "CMD")]
    pub node_up: Option<String>,
    /// The command that adds a node
    #[arg(long, value_name = "CMD")]
    pub node_add: Option<String>,
    /// The command that cuts a node off the network; its name is appended
    #[arg(long, value_name = "CMD")]
    pub partition: Option<String>,
    /// The command that gives a node its network back; its name is appended
    #[arg(long, value_name = "CMD")]
    pub heal: Option<String>,
    /// The command that restarts the control plane and comes back when that is under way or done
    #[arg(long, value_name = "CMD")]
    pub control_plane_restart: Option<String>,
    /// The image that the rollout drill rolls out
    #[arg(long, value_name = "REF")]
    pub image_next: Option<String>,
    /// The image of the bad-rollout drill [default: the one in use by a tag that does not exist]
    #[arg(long, value_name = "REF")]
    pub image_broken: Option<String>,
    /// What every container's image must resolve to in the replicas drill: the digest of its configuration, manifest or index (repeatable, any of them)
    #[arg(long, value_name = "sha256:HEX", value_parser = digest)]
    pub image_digest: Vec<String>,
    /// The name server that the dns drill asks [default: the address of the service labelled k8s-app=kube-dns in kube-system]
    #[arg(long, value_name = "IP")]
    pub name_server: Option<IpAddr>,
    /// The domain of the cluster's names
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,
    /// What the stack was applied from, as for kapply's -f (repeatable)
    #[arg(long, value_name = "PATH")]
    pub manifests: Vec<PathBuf>,
    /// An image set in the manifests, as for kapply's --image (repeatable)
    #[arg(long, value_name = "NAME=REF")]
    pub image: Vec<ImageOverride>,
    /// A node never to cut, such as the one the load runs on; control-plane nodes never are
    #[arg(long, value_name = "NODE")]
    pub protect_node: Vec<String>,
    /// Wait for others to cut this node and to bring it back
    #[arg(long, value_name = "NODE")]
    pub expect_lost: Option<String>,
    /// Write the node's name to this file once it may be cut
    #[arg(long, value_name = "FILE")]
    pub ready_marker: Option<PathBuf>,
    /// Write the node's name to this file once it may be started again
    #[arg(long, value_name = "FILE")]
    pub recovered_marker: Option<PathBuf>,
    /// A TOML file with what promises allow; flags come after it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How many requests may fail: N or P%, for one drill or for all; when a node is lost, outside its window (repeatable)
    #[arg(long, value_name = "[DRILL=]N", value_parser = |text: &str| ForDrill::<MaxFailed>::parse(text, str::parse))]
    pub max_failed: Vec<ForDrill<MaxFailed>>,
    /// How long it may take until all replicas are Ready on living nodes, or the API answers again (repeatable)
    #[arg(long, value_name = "[DRILL=]TIME", value_parser = |text: &str| ForDrill::parse(text, duration))]
    pub max_recovery: Vec<ForDrill<Duration>>,
    /// How long 99 of 100 answers may take (repeatable)
    #[arg(long, value_name = "[DRILL=]TIME", value_parser = |text: &str| ForDrill::parse(text, duration))]
    pub max_p99: Vec<ForDrill<Duration>>,
    /// How long to wait for a state before its promise counts as broken
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
    /// How long all requests must have been answered before something is done, and again after
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub steady: Duration,
    /// How to print the answer
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Output,
}

impl RunArgs {
    /// The plan; `program` is this binary and `namespace` what the context names.
    ///
    /// # Errors
    /// [`Error::Usage`] for a command that cannot be split, or flags that do not go together.
    pub fn plan(self, program: PathBuf, namespace: &str) -> Result<Plan> {
        let command = |flag, text: Option<String>| {
            text.map(|text| UserCommand::parse(flag, &text)).transpose()
        };
        let replicas = usize::from(self.replicas);
        let limits = self.limits()?;
        let namespace = self.namespace.unwrap_or_else(|| namespace.to_owned());
        let manifests = Manifests {
            connect: ConnectOptions {
                kubeconfig: self.kubeconfig,
                context: self.context,
                namespace: Some(namespace.clone()).filter(|namespace| !namespace.is_empty()),
                ..ConnectOptions::default()
            },
            paths: self.manifests,
            images: self.image,
        };
        let mut plan = Plan {
            drills: Vec::new(),
            every: false,
            left_out: Vec::new(),
            namespace,
            deployment: self.deployment,
            service: self.service,
            report: self.report,
            program,
            load_image: self.load_image,
            load: LoadOptions {
                place: command("--load-via", self.load_via)?.map_or(Place::Here, Place::Via),
                connections: self.connections,
                ..LoadOptions::to("", self.rate)
            },
            params: Params {
                replicas,
                scale_to: self.scale_to.map_or((2 * replicas).max(10), usize::from),
                requests: self.requests,
                name_server: self.name_server,
                cluster_domain: self.cluster_domain,
                limits,
                timeout: self.timeout,
                steady: self.steady,
                node_down: command("--node-down", self.node_down)?,
                node_up: command("--node-up", self.node_up)?,
                node_add: command("--node-add", self.node_add)?,
                partition: command("--partition", self.partition)?,
                heal: command("--heal", self.heal)?,
                control_plane_restart: command(
                    "--control-plane-restart",
                    self.control_plane_restart,
                )?,
                image_next: self.image_next,
                image_broken: self.image_broken,
                image_digests: self.image_digest,
                manifests,
                protect: self.protect_node,
                expect_lost: self.expect_lost,
                ready_marker: self.ready_marker,
                recovered_marker: self.recovered_marker,
            },
        };
        plan.choose(&self.drills)?;
        plan.check()?;
        Ok(plan)
    }

    fn limits(&self) -> Result<Changes> {
        let mut changes = match &self.config {
            Some(path) => Changes::read(path)?,
            None => Changes::default(),
        };
        // Those for all first: what is said for one drill counts more.
        for one in [false, true] {
            let meant = |drill: Option<&str>| drill.is_some() == one;
            for limit in self.max_failed.iter().filter(|limit| meant(limit.drill)) {
                set(&mut changes, limit, |change| &mut change.max_failed);
            }
            for limit in self.max_recovery.iter().filter(|limit| meant(limit.drill)) {
                set(&mut changes, limit, |change| &mut change.max_recovery);
            }
            for limit in self.max_p99.iter().filter(|limit| meant(limit.drill)) {
                set(&mut changes, limit, |change| &mut change.max_p99);
            }
        }
        Ok(changes)
    }
}

/// Sets one limit; what a flag says for all drills also outweighs what a file says for one.
fn set<T: Copy>(
    changes: &mut Changes,
    limit: &ForDrill<T>,
    field: fn(&mut Change) -> &mut Option<T>,
) {
    if limit.drill.is_none() {
        for change in changes.drills.values_mut() {
            *field(change) = None;
        }
    }
    *field(changes.of(limit.drill)) = Some(limit.value);
}

fn choice(name: &str) -> Result<Choice> {
    if name == "all" {
        return Ok(Choice::All);
    }
    drills::named(name).map(Choice::One).ok_or_else(|| {
        Error::Usage(format!(
            "there is no such drill; there are {}, and all",
            drills::names()
        ))
    })
}

fn digest(text: &str) -> Result<String> {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Error::Usage(
        "not a digest: sha256: and 64 hexadecimal digits, as `ocipack digest` prints it".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::{
        cli::{Cli, Command},
        limits::Limits,
    };

    fn plan(arguments: &str) -> Result<Plan> {
        let words = shell_words::split(arguments).unwrap();
        let cli = Cli::try_parse_from(
            ["kdrill", "run", "--report", "r"]
                .into_iter()
                .chain(words.iter().map(String::as_str)),
        )
        .map_err(|error| Error::Usage(error.to_string()))?;
        let Command::Run(run) = cli.command else {
            panic!("not run")
        };
        run.plan(PathBuf::from("kdrill"), "default")
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn drills_keep_their_order_and_the_defaults_are_the_documented_ones() {
        let plan = plan("scale replicas -n demo").unwrap();
        let names: Vec<_> = plan.drills.iter().map(|drill| drill.name).collect();
        assert_eq!(names, ["scale", "replicas"]);
        assert_eq!(
            (plan.params.replicas, plan.params.scale_to, plan.load.rate),
            (3, 10, 1000)
        );
        assert_eq!(plan.namespace, "demo");
    }

    #[test]
    fn a_flag_outweighs_the_file_and_a_drill_outweighs_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drills.toml");
        std::fs::write(&file, "[drills.drain]\nmax-failed = 7\nmax-p99 = \"3s\"\n").unwrap();
        let file = file.display();
        let plan = plan(&format!(
            "drain --config {file} --max-failed scale=1 --max-failed 2 --max-recovery drain=9s"
        ))
        .unwrap();
        let limits = |drill| plan.params.limits.applied(drill, Limits::USUAL);
        assert_eq!(limits("drain").max_failed, MaxFailed::Count(2));
        assert_eq!(limits("scale").max_failed, MaxFailed::Count(1));
        assert_eq!(limits("drain").max_p99, Duration::from_secs(3));
        assert_eq!(limits("drain").max_recovery, Duration::from_secs(9));
    }

    #[test]
    fn all_is_every_drill_that_the_flags_allow_and_says_what_is_left_out() {
        let plan = plan("all --image-next web:2").unwrap();
        let names: Vec<_> = plan.drills.iter().map(|drill| drill.name).collect();
        assert!(
            names.contains(&"rollout") && names.contains(&"drain"),
            "{names:?}"
        );
        assert!(!names.contains(&"node-loss"), "{names:?}");
        assert!(
            plan.left_out
                .iter()
                .any(|(name, why)| *name == "node-loss" && why.contains("--node-down"))
        );
    }

    #[test]
    fn what_a_drill_needs_is_asked_for_first() {
        let refused = |arguments: &str, word: &str| {
            let error = plan(arguments).unwrap_err().to_string();
            assert!(error.contains(word), "{arguments}: {error}");
        };
        refused(
            "nonsense",
            "no such drill; there are replicas, balance, dns",
        );
        refused("node-loss", "--node-down CMD");
        refused("node-loss --node-down x", "--node-up CMD");
        refused(
            "node-loss --node-down x --node-up y --expect-lost n",
            "give one of them",
        );
        refused("node-partition --partition x", "--heal CMD");
        refused("rollout", "--image-next REF");
        refused("drift", "--manifests PATH");
        refused("control-plane-restart", "--control-plane-restart CMD");
        refused("replicas --image-digest sha256:12", "not a digest");
        refused("all scale", "name no other beside it");
        refused("scale --max-failed drian=3", "there is no drill drian");
        refused("node-add", "--node-add CMD");
        refused("node-add --node-add \"a 'b\"", "--node-add a 'b");
        refused(
            "scale --scale-to 3",
            "--scale-to 3 is not more than --replicas 3",
        );
        refused("scale --timeout 0s", "not a length of time");
        refused("scale --rate 0", "0 is not in 1..=20000");
        assert!(plan("node-loss --expect-lost agent1").is_ok());
    }
}
