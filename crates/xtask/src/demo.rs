//! From source to replicas that survive losing a node, on a cluster of its own.

use std::{env, ffi::OsString, fs, path::PathBuf, process::Command};

use anyhow::{Context, bail};

use crate::{
    cli,
    cluster::Cluster,
    image::{self, Image},
    repo::{Repo, require_root},
    run::{Log, Runner, Stage, answer, run_all, say, tear_down},
    setup::{self, Runtime},
};

const NAMESPACE: &str = "hello";

const STAGES: &[Stage<Demo>] = &[
    Stage {
        name: "setup",
        run: Demo::setup,
    },
    Stage {
        name: "image",
        run: Demo::image,
    },
    Stage {
        name: "cluster of two nodes",
        run: Demo::up,
    },
    Stage {
        name: "publish image",
        run: Demo::publish,
    },
    Stage {
        name: "apply manifests",
        run: Demo::apply,
    },
    Stage {
        name: "drills",
        run: Demo::drills,
    },
];

const TEARDOWN: &[Stage<Demo>] = &[Stage {
    name: "cluster down",
    run: Demo::down,
}];

struct Demo {
    repo: Repo,
    runner: Runner,
    cluster: Cluster,
    report: PathBuf,
    started: bool,
    built: Option<(Runtime, Image)>,
    kubeconfig: Option<PathBuf>,
    registry: Option<String>,
    /// What is deployed: a repository and a digest, no tag that could move.
    published: Option<String>,
    /// Another version, to roll out.
    next: Option<String>,
}

/// `cargo xtask demo`
///
/// # Errors
/// A refusal before anything starts; else the first stage that failed.
pub fn command(repo: Repo, runner: Runner, options: &cli::Demo) -> anyhow::Result<()> {
    require_root("demo")?;
    let cluster = Cluster::new(&repo, &options.name);
    cluster.refuse_existing()?;
    let report = options
        .report
        .clone()
        .unwrap_or_else(|| repo.target.join("demo-report"));
    let mut demo = Demo {
        repo,
        runner,
        cluster,
        report,
        started: false,
        built: None,
        kubeconfig: None,
        registry: None,
        published: None,
        next: None,
    };
    let mut log = Log::default();
    let outcome = run_all(STAGES, &mut demo, &mut log);
    let mut end = Ok(());
    if demo.started && options.keep {
        say(&demo.how_to_look_around());
    } else if demo.started {
        demo.runner.start_teardown();
        end = tear_down(TEARDOWN, &mut demo, &mut log);
    }
    answer(&log.table());
    let page = demo.report.join("report.html");
    if page.is_file() {
        answer(&format!("report: {}", page.display()));
    }
    if let (Err(_), Err(second)) = (&outcome, &end) {
        say(&format!("xtask: error: {second:#}"));
    }
    outcome.and(end)
}

impl Demo {
    fn setup(&mut self) -> anyhow::Result<()> {
        // A report of an earlier run must not pass for this one's.
        for name in ["report.html", "timeline.json", "junit.xml"] {
            let path = self.report.join(name);
            if path.exists() {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        setup::ensure(&self.repo, &self.runner, setup::CLUSTER)
    }

    fn image(&mut self) -> anyhow::Result<()> {
        let out = self.repo.target.join("image");
        let image = image::build(&self.repo, &self.runner, &self.repo.tool("ocipack"), &out)?;
        say(&format!("    {} {}", image.reference, image.digest));
        self.built = Some((Runtime::find(&self.repo)?, image));
        Ok(())
    }

    fn up(&mut self) -> anyhow::Result<()> {
        // From here on something may exist, even when `up` fails half-way.
        self.started = true;
        self.registry = Some(self.cluster.up_with_registry(&self.runner, 2)?);
        self.kubeconfig = Some(self.cluster.kubeconfig(&self.runner)?);
        Ok(())
    }

    fn publish(&mut self) -> anyhow::Result<()> {
        let registry = self
            .registry
            .as_ref()
            .context("the cluster is up before it is used")?;
        let image = &self.built()?.1;
        let repository = format!("{registry}/hostname-server");
        let mut push = Command::new(self.repo.tool("ocipack"));
        push.arg("push").arg(&image.archive);
        push.arg(format!("{repository}:{}", env!("CARGO_PKG_VERSION")));
        let pushed = self.runner.output(&mut push)?;
        if pushed != image.digest {
            bail!(
                "{} was built, but {pushed} was pushed to {repository}",
                image.digest
            );
        }
        let published = format!("{repository}@{pushed}");
        say(&format!("    {published}"));
        let mut push = Command::new(self.repo.tool("ocipack"));
        push.arg("push").arg(&image.next.archive);
        push.arg(format!("{repository}:next"));
        let next = self.runner.output(&mut push)?;
        self.next = Some(format!("{repository}@{next}"));
        self.published = Some(published);
        Ok(())
    }

    fn apply(&mut self) -> anyhow::Result<()> {
        let namespace = self.repo.root.join("crates/xtask/demo/namespace.yaml");
        let manifests = self.repo.root.join("manifests");
        let image = format!("hostname-server={}", published(self.published.as_ref())?);
        self.runner
            .run(self.client("kapply")?.args(["apply", "-f"]).arg(namespace))?;
        let mut apply = self.client("kapply")?;
        apply.args(["apply", "-f"]).arg(manifests);
        self.runner
            .run(apply.args(["--image", &image, "-n", NAMESPACE, "--wait"]))
    }

    fn drills(&mut self) -> anyhow::Result<()> {
        // kdrill calls these as they are written here: klab is first on its PATH.
        let klab = |words: &str| format!("klab --name {} {words}", self.cluster.name());
        let control_plane = "etcd kube-apiserver kube-controller-manager kube-scheduler";
        let (_, image) = self.built()?;
        let deployed = published(self.published.as_ref())?;
        let mut drill = self.client("kdrill")?;
        drill
            .args(["run", "all", "--namespace", NAMESPACE, "--report"])
            .arg(&self.report)
            // As much as a machine of two cores takes that is the whole cluster, too.
            .args(["--rate", "200", "--requests", "1000", "--steady", "3s"])
            .args(["--image-digest", &image.digest])
            .args(["--image-digest", &image.configuration])
            .args(["--image-next", published(self.next.as_ref())?])
            .args(["--image", &format!("hostname-server={deployed}")])
            .arg("--manifests")
            .arg(self.repo.root.join("manifests"))
            .args(["--partition", &klab("node partition")])
            .args(["--heal", &klab("node heal")])
            .arg("--control-plane-restart")
            .arg(klab(&format!("node restart server {control_plane}")))
            .args(["--load-via", &klab("exec server --")])
            .args(["--node-down", &klab("node stop")])
            .args(["--node-up", &klab("node start")])
            .args(["--node-add", &klab("node add")])
            .env("PATH", self.path_with_tools()?);
        self.runner.run(&mut drill)
    }

    fn down(&mut self) -> anyhow::Result<()> {
        self.cluster.down(&self.runner)
    }

    /// One of our tools, told which cluster to talk to.
    fn client(&self, tool: &str) -> anyhow::Result<Command> {
        let kubeconfig = self
            .kubeconfig
            .as_ref()
            .context("the cluster is up before it is used")?;
        let mut command = Command::new(self.repo.tool(tool));
        command.env("KUBECONFIG", kubeconfig);
        Ok(command)
    }

    fn built(&self) -> anyhow::Result<&(Runtime, Image)> {
        self.built
            .as_ref()
            .context("the image is built before it is used")
    }

    fn path_with_tools(&self) -> anyhow::Result<OsString> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.repo.tools.clone()).chain(env::split_paths(&path));
        env::join_paths(folders).context("a folder with the tools has a ':' in its path")
    }

    fn how_to_look_around(&self) -> String {
        let klab = format!(
            "{} --name {}",
            self.repo.tool("klab").display(),
            self.cluster.name()
        );
        let mut lines = vec![format!(
            "Cluster {} is left running. Look around with:",
            self.cluster.name()
        )];
        if let (Some(kubeconfig), Some((runtime, _))) = (&self.kubeconfig, &self.built) {
            lines.push(format!("  export KUBECONFIG={}", kubeconfig.display()));
            lines.push(format!(
                "  {} -n {NAMESPACE} get pods -o wide",
                runtime.kubectl().display()
            ));
        }
        for words in ["status", "node stop agent1", "node start agent1"] {
            lines.push(format!("  {klab} {words}"));
        }
        lines.push(format!("Remove it with:\n  {klab} down"));
        lines.join("\n")
    }
}

/// What the registry has.
fn published(reference: Option<&String>) -> anyhow::Result<&str> {
    reference
        .map(String::as_str)
        .context("the image is published before it is deployed")
}
