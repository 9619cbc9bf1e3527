//! Somebody else is faster: between a look at the cluster and the request that
//! follows from it, something else happens.

use e2e::{Deed, Fault, Rule};
use serde_json::json;

use super::{Scene, names};

/// Does this with kubectl before the first request of a method to a path goes on.
fn meanwhile(scene: &Scene, method: &'static str, path: &str, words: &[&str], input: &str) -> Rule {
    let shared = scene.shared.clone();
    let words = [&["-n", &scene.namespace.name], words].concat();
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let input = input.to_owned();
    let deed = Deed::new(move || {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        shared.kubectl(&words, &input).exits(0);
    });
    Rule::new(method, path, Fault::First(deed))
}

fn map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "new"}})
        .to_string()
}

#[test]
fn what_is_pruned_is_what_was_judged() {
    let scene = Scene::new("judged");
    scene.apply(1..6, "1").exits(0);
    let there = |name: &str| {
        let words = ["-n", &scene.namespace.name, "get", "configmap", name];
        scene.shared.kubectl(&words, "").code == Some(0)
    };
    // A write that changes nothing of the judgement: it goes all the same.
    let written = ["annotate", "configmap", "o-5", "a=b"];
    // Another object of the name, which nobody has judged.
    let replaced = ["replace", "--force", "-f", "-"];
    // One that is to be kept from now on.
    let kept = ["annotate", "configmap", "o-2", "kapply.dev/prune=disabled"];
    scene.proxy.set(vec![
        meanwhile(&scene, "DELETE", "/configmaps/o-5", &written, ""),
        meanwhile(&scene, "DELETE", "/configmaps/o-4", &replaced, &map("o-4")),
        meanwhile(&scene, "DELETE", "/configmaps/o-2", &kept, ""),
    ]);
    let ran = scene.apply_allowing("most", 1..2, "1").exits(0);
    assert!(ran.stdout.contains("configmap/o-5 pruned"), "{ran}");
    assert!(!there("o-5"), "{ran}");
    for (name, why) in [
        ("o-4", "replaced by a new object"),
        ("o-2", "set meanwhile"),
    ] {
        assert!(there(name), "{ran}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(why), "{name}: {ran}");
    }
}

#[test]
fn two_runs_on_one_set_lose_no_member() {
    let scene = Scene::new("two-runs");
    scene.apply(0..3, "1").exits(0);
    // While this run deletes the last Secret and is about to write down that only
    // config maps are left, another one adds a Secret.
    let (shared, namespace) = (scene.shared.clone(), scene.namespace.name.clone());
    let other = Deed::new(move || {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "o-3"}, "stringData": {"k": "v"}});
        let words = ["apply", "-n", &namespace, "-f", "-", "--applyset", "faulty"];
        shared.kapply(&words, &secret.to_string()).exits(0);
    });
    scene.proxy.set(vec![Rule::new(
        "DELETE",
        "/secrets/o-0",
        Fault::First(other),
    )]);
    let ran = scene.apply_allowing("most", 1..2, "2").exits(0);
    assert_eq!(
        scene.names(),
        names(1..2).union(&names(3..4)).cloned().collect(),
        "{ran}"
    );
    scene.proxy.set(Vec::new());
    // The next run still knows where to look.
    scene.apply_allowing("most", 1..2, "2").exits(0);
    assert_eq!(scene.names(), names(1..2));
}

#[test]
fn who_is_first_is_noticed() {
    let scene = Scene::new("first");
    scene.proxy.set(vec![meanwhile(
        &scene,
        "PATCH",
        "/configmaps/o-1",
        &["create", "-f", "-"],
        &map("o-1"),
    )]);
    let ran = scene.apply(1..3, "1");
    assert!(ran.stderr.contains("configmap/o-1"), "{ran}");
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(
        scene.value(1),
        "new",
        "what somebody else wrote is gone: {ran}"
    );
    assert_eq!(scene.value(2), "1");
}
