//! The flake's apps, as a user runs them: built by Nix, against the live cluster.

#[path = "flake/vm_tests.rs"]
mod vm_tests;

use std::{
    env, fs,
    process::{Command, Stdio},
};

use e2e::{Ran, Registry, Shared, run, tool};
use serde_json::{Value, json};

/// `nix COMMAND` in this checkout, with the stand-in in nixpkgs' place.
fn nix(command: &str) -> Command {
    let variable = |name| env::var(name).expect("run this suite with: cargo xtask flake-check");
    let mut nix = Command::new(variable("E2E_NIX"));
    nix.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args([
            command,
            "--quiet",
            "--no-write-lock-file",
            "--override-input",
            "nixpkgs",
        ])
        .arg(format!("path:{}", variable("E2E_NIXPKGS")))
        .stdin(Stdio::null());
    nix
}

/// `nix run .#APP -- WORDS`
fn nix_run(app: &str, words: &[&str]) -> Command {
    let mut nix = nix("run");
    nix.arg(format!(".#{app}"))
        .arg("--")
        .args(words)
        // Where a cluster is comes from the flags, and from nothing else.
        .env_remove("KUBECONFIG");
    nix
}

fn app(app: &str, words: &[&str]) -> Ran {
    run(&mut nix_run(app, words), "")
}

/// A namespace's name, and the flags that lead to it; it is deleted when dropped.
struct Place {
    shared: Shared,
    kubeconfig: String,
    namespace: String,
}

impl Place {
    fn new(prefix: &str) -> Self {
        let shared = Shared::get();
        let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0).stdout;
        Self {
            shared,
            kubeconfig: kubeconfig.trim().to_owned(),
            namespace: format!("{prefix}-{}", std::process::id()),
        }
    }

    fn app(&self, name: &str, words: &[&str]) -> Ran {
        let flags = ["--kubeconfig", &self.kubeconfig, "-n", &self.namespace];
        app(name, &[&flags, words].concat())
    }

    fn get(&self, words: &[&str]) -> Value {
        self.shared
            .get_json(&[&["-n", &self.namespace], words].concat())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let words = [
            "delete",
            "namespace",
            &self.namespace,
            "--wait=false",
            "--ignore-not-found",
        ];
        drop(self.shared.kubectl(&words, ""));
    }
}

/// The digest of the image that cargo built; `cargo xtask flake-check` has found Nix's the same.
fn digest(shared: &Shared) -> String {
    let mut ocipack = Command::new(tool("ocipack"));
    let printed = run(ocipack.arg("digest").arg(&shared.archive), "").exits(0);
    printed.stdout.trim().to_owned()
}

/// The digest of its configuration, by which nodes know an image that came without a registry.
fn configuration(shared: &Shared) -> String {
    let digest = digest(shared);
    let (_, hex) = digest.split_once(':').unwrap();
    // The layout lies beside the archive.
    let manifest = shared
        .archive
        .with_extension("")
        .join("blobs/sha256")
        .join(hex);
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    manifest["config"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn deploy_diff_prune_and_destroy() {
    let place = Place::new("flake-deploy");

    // Without the namespace nothing is loaded; a dry run makes nothing.
    let ran = place.app("deploy", &[]).exits(2);
    assert!(
        ran.stderr.contains("nothing was pushed, loaded or changed"),
        "{ran}"
    );
    place
        .app("deploy", &["--create-namespace", "--dry-run"])
        .exits(0);
    let absent = ["get", "namespace", &place.namespace];
    place.shared.kubectl(&absent, "").exits(1);

    let ran = place.app("deploy", &["--create-namespace"]).exits(0);
    assert!(
        ran.stderr.contains("loading images into the nodes (klab)"),
        "{ran}"
    );
    let pods = place.get(&["pods", "-l", "app=web"]);
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 3, "{ran}");
    let configuration = configuration(&place.shared);
    for pod in pods {
        // What runs is what was built, under a tag that only this content has.
        let status = &pod["status"]["containerStatuses"][0];
        let id = status["imageID"].as_str().unwrap();
        assert!(id.ends_with(&configuration), "{pod}");
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
        let (_, tag) = image.split_once("localhost/hostname-server:").unwrap();
        assert_eq!(tag.len(), 32, "{image}");
    }
    place.app("diff", &[]).exits(0);

    // What another one changed is shown, and put back when told to.
    let words = [
        "-n",
        &place.namespace,
        "scale",
        "deployment/web-deployment",
        "--replicas=2",
    ];
    place.shared.kubectl(&words, "").exits(0);
    let ran = place.app("diff", &[]).exits(3);
    assert!(ran.stdout.contains(".spec.replicas"), "{ran}");
    place
        .app("deploy", &["--force-conflicts-with=kubectl"])
        .exits(0);
    assert_eq!(
        place.get(&["deployment", "web-deployment"])["spec"]["replicas"],
        3
    );

    // A member that the manifests do not have is one that left them.
    let service = place.get(&["service", "python-service"]);
    let left_over = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "left-over",
            "namespace": place.namespace,
            "labels": service["metadata"]["labels"],
        },
        "spec": { "ports": [{ "port": 80 }] },
    });
    place
        .shared
        .kubectl(&["create", "-f", "-"], &left_over.to_string())
        .exits(0);
    let ran = place.app("diff", &[]).exits(1);
    assert!(ran.stdout.contains("delete service/left-over"), "{ran}");
    place.app("deploy", &[]).exits(0);
    let gone = ["-n", &place.namespace, "get", "service", "left-over"];
    place.shared.kubectl(&gone, "").exits(1);

    place.app("destroy", &[]).exits(0);
    assert_eq!(
        place.get(&["deployments,services,secrets"])["items"],
        json!([])
    );
}

#[test]
fn publish_gives_what_was_built_and_deploys_pin_it() {
    let place = Place::new("flake-publish");
    let registry = Registry::start();
    let prefix = registry.repository("team");
    let repository = registry.repository("team/hostname-server");
    let digest = digest(&place.shared);

    let ran = app(
        "publish",
        &["--registry", &prefix, "--tag", "1.2.3", "--tag=latest"],
    )
    .exits(0);
    assert_eq!(ran.stdout, format!("{repository}@{digest}\n"));
    let mut tags = registry.tags("team/hostname-server");
    // This registry lists what refers to an image under such a tag.
    tags.retain(|tag| !tag.starts_with("sha256-"));
    assert_eq!(tags, ["1.2.3", "latest"]);
    let mut verify = Command::new(tool("ocipack"));
    verify.args(["verify", "--against", &format!("{repository}@{digest}")]);
    run(verify.arg(&place.shared.archive), "").exits(0);
    for kind in ["vnd.cyclonedx+json", "vnd.in-toto+json"] {
        let mut referrers = Command::new(tool("ocipack"));
        referrers.args(["referrers", &format!("{repository}@{digest}")]);
        referrers.args([
            "--content",
            "--artifact-type",
            &format!("application/{kind}"),
        ]);
        let content = run(&mut referrers, "").exits(0).stdout;
        assert!(serde_json::from_str::<Value>(&content).is_ok(), "{content}");
    }

    let words = ["--registry", &prefix, "--create-namespace", "--dry-run"];
    place.app("deploy", &words).exits(0);
    let words = ["create", "namespace", &place.namespace];
    place.shared.kubectl(&words, "").exits(0);
    let ran = place.app("diff", &["--registry", &prefix]).exits(1);
    let pinned = format!("image: \"{repository}@{digest}\"");
    assert!(ran.stdout.contains(&pinned), "{ran}");
}

#[test]
fn nodes_that_cannot_be_reached_and_wrong_usage_are_refused() {
    let place = Place::new("flake-refused");
    let words = ["create", "namespace", &place.namespace];
    place.shared.kubectl(&words, "").exits(0);

    // A kubeconfig of no cluster that klab knows, whose context has a name and a namespace of its own.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let mut config: Value = serde_json::from_slice(&fs::read(&place.kubeconfig).unwrap()).unwrap();
    config["contexts"][0]["name"] = json!("another name");
    config["contexts"][0]["context"]["namespace"] = json!(place.namespace);
    config["current-context"] = json!("");
    fs::write(&file, config.to_string()).unwrap();
    let words = ["--context", "another name"];
    let mut deploy = nix_run("deploy", &words);
    deploy.env("KUBECONFIG", &file);
    let ran = run(deploy.env("KLAB_STATE", folder.path()), "");
    ran.fails_naming(
        5,
        &[
            "cannot be loaded into",
            "agent1",
            "--registry",
            "nothing was changed",
        ],
    );
    assert_eq!(place.get(&["deployments,secrets"])["items"], json!([]));

    app("publish", &[]).fails_naming(2, &["--registry is missing"]);
    app("publish", &["--registry", "https://ghcr.io"]).fails_naming(2, &["https://ghcr.io"]);
    app("deploy", &["--context"]).fails_naming(2, &["--context needs a value"]);
    place
        .app("deploy", &["--bogus"])
        .fails_naming(2, &["--bogus"]);
}
