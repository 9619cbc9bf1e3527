//! Watches that the server ends: the wait goes on from a new list.

use e2e::{Fault, Rule};
use serde_json::json;

use super::Scene;

#[test]
fn a_watch_from_a_version_that_is_forgotten_begins_with_a_new_list() {
    let scene = Scene::new("forgotten");
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            // Long enough for every watch to be told several times.
            "minReadySeconds": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [{
                        "name": "main",
                        "image": scene.shared.image,
                        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    }],
                },
            },
        },
    });
    scene
        .proxy
        .set(vec![Rule::new("GET", "watch=", Fault::Forgotten).times(6)]);
    let kubeconfig = scene.kubeconfig.path().to_str().expect("UTF-8");
    let words = ["apply", "--kubeconfig", kubeconfig, "--wait", "-f", "-"];
    let namespace = ["-n", &scene.namespace.name];
    scene
        .shared
        .kapply(&[&words[..], &namespace].concat(), &deployment.to_string())
        .exits(0);
    let seen = scene.proxy.seen();
    let asked = |word: &str| {
        let of_deployments = seen
            .iter()
            .filter(|seen| seen.path.contains("/deployments?"));
        of_deployments
            .filter(|seen| seen.path.contains(word))
            .count()
    };
    let (watches, lists) = (asked("watch="), asked("limit="));
    assert!(watches > 1 && lists > 1, "{seen:?}");
}
