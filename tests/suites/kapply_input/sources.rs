//! Where input comes from: folders, kustomizations, registries.

use std::fs;

use e2e::{Namespace, Registry, Shared, Workshop, run, tool};
use serde_json::Value;

use super::{HEAD, items};

#[test]
fn a_directory_holds_the_files_that_kubectl_finds() {
    let shared = Shared::get();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("deep.yaml")).unwrap();
    for (index, name) in [
        "b.yml",
        "a.yaml",
        "c.json",
        ".hidden.yaml",
        "d.YAML",
        "e.txt",
        "deep.yaml/f.yaml",
        ".#lock",
    ]
    .iter()
    .enumerate()
    {
        let text = format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"n{index}\",\"namespace\":\"default\"}}}}"
        );
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    let names = |objects: Vec<Value>| -> Vec<String> {
        let mut names: Vec<_> = objects
            .iter()
            .map(|object| object["metadata"]["name"].to_string())
            .collect();
        names.sort();
        names
    };
    for recursive in [&[][..], &["-R"]] {
        let theirs = shared.kubectl(
            &[
                &["create", "--dry-run=client", "-o", "json", "-f", path],
                recursive,
            ]
            .concat(),
            "",
        );
        let theirs = serde_json::Deserializer::from_str(&theirs.exits(0).stdout)
            .into_iter::<Value>()
            .map(Result::unwrap)
            .flat_map(items)
            .collect();
        let ours = shared
            .kapply(
                &[&["render", "-o", "json", "-f", path], recursive].concat(),
                "",
            )
            .exits(0);
        let ours = items(serde_json::from_str(&ours.stdout).unwrap());
        assert_eq!(names(ours), names(theirs), "{recursive:?}");
    }
}

/// kapply with the cluster's own kubectl as the only builder of kustomizations.
fn kustomized(shared: &Shared, words: &[&str]) -> e2e::Ran {
    let bin = shared.klab(&["runtime", "path"]).exits(0).stdout;
    let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0).stdout;
    let mut kapply = std::process::Command::new(tool("kapply"));
    run(
        kapply
            .args(words)
            .env("PATH", bin.trim())
            .env("KUBECONFIG", kubeconfig.trim()),
        "",
    )
}

#[test]
fn a_kustomization_is_built_and_applied() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "kustomize");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "map.yaml",
        HEAD.replace(", namespace: default", "").as_str(),
    );
    write(
        "kustomization.yaml",
        "resources: [map.yaml]\nnamePrefix: made-\n",
    );
    let path = folder.path().to_str().unwrap();
    kustomized(&shared, &["apply", "-n", &namespace.name, "-k", path]).exits(0);
    shared.get_json(&["-n", &namespace.name, "configmap", "made-a"]);
    // What kustomize makes has places, too, and what it refuses has its words.
    write(
        "map.yaml",
        "apiVersion: v1\nkind: Wigdet\nmetadata: {name: a}\n",
    );
    kustomized(&shared, &["apply", "-n", &namespace.name, "-k", path])
        .fails_naming(2, &["(kustomize):1", "Wigdet"]);
    write("kustomization.yaml", "resources: [no-such.yaml]\n");
    kustomized(&shared, &["apply", "-n", &namespace.name, "-k", path])
        .fails_naming(2, &["`kubectl kustomize` failed", "no-such.yaml"]);
}

#[test]
fn published_manifests_are_applied_by_their_digest() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "artifact");
    let (registry, shop) = (Registry::start(), Workshop::new());
    let folder = shop.path("manifests");
    fs::create_dir_all(folder.join("deep")).unwrap();
    let map = |name: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}\n")
    };
    fs::write(folder.join("a.yaml"), map("a")).unwrap();
    fs::write(folder.join("deep/b.yml"), map("b")).unwrap();
    fs::write(folder.join("README.md"), "not: [a manifest").unwrap();
    let repository = registry.repository("web-manifests");
    let tagged = format!("{repository}:1");
    let push = |folder: &str| {
        let ran = shop.ocipack(&["push", "--artifact", folder, &tagged]);
        ran.exits(0).stdout.trim().to_owned()
    };
    let digest = push("manifests");
    let digest = digest.rsplit('@').next().unwrap();
    let exact = format!("oci://{repository}@{digest}");
    let kapply = |words: &[&str], reference: &str| {
        let words = [words, &["-f", reference, "-n", &namespace.name]].concat();
        shared.kapply(&words, "")
    };
    let ran = kapply(&["apply"], &exact).exits(0);
    assert!(ran.stdout.contains("2 objects: 2 created"), "{ran}");
    kapply(&["diff"], &exact).exits(0);

    kapply(&["diff"], &format!("oci://{tagged}")).fails_naming(2, &[&tagged, "by its digest"]);
    let nothing = format!("oci://{repository}@sha256:{}", "0".repeat(64));
    kapply(&["diff"], &nothing).fails_naming(2, &[&nothing, "cannot pull it"]);
    // A mistake is found where it is, and nothing of the rest is applied.
    fs::write(folder.join("deep/b.yml"), map("b") + "data: {}\n").unwrap();
    let broken = push("manifests");
    let broken = format!("oci://{repository}@{}", broken.rsplit('@').next().unwrap());
    kapply(&["apply"], &broken).fails_naming(2, &["/deep/b.yml:5", "web-manifests@sha256:"]);
    fs::write(folder.join("kustomization.yaml"), "resources: [a.yaml]").unwrap();
    let unbuilt = push("manifests");
    let unbuilt = format!("oci://{repository}@{}", unbuilt.rsplit('@').next().unwrap());
    kapply(&["apply"], &unbuilt).fails_naming(2, &["kustomization.yaml", "kustomize first"]);
}
