//! Fields that cannot change: told from wrong ones, and made anew where asked for.

use serde_json::json;

use super::{Place, config, deployment};

#[test]
fn a_field_that_cannot_change_is_told_from_a_wrong_one() {
    let place = Place::new("immutable");
    let role = |name: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}, "subjects": []})
    };
    let set = |service: &str| {
        let mut set = deployment(0, "set");
        set["kind"] = "StatefulSet".into();
        set["metadata"]["name"] = "set".into();
        set["spec"]["serviceName"] = service.into();
        set
    };
    place
        .apply(&[deployment(0, "one"), role("one"), set("one")], &[])
        .exits(0);
    let uid = place.get(&["deployment", "web"])["metadata"]["uid"].clone();

    for (object, name) in [
        (deployment(0, "two"), "deployment.apps/web"),
        (role("two"), "rolebinding.rbac.authorization.k8s.io/b"),
        (set("two"), "statefulset.apps/set"),
    ] {
        let ran = place.apply(&[object], &[]).exits(2);
        assert!(
            ran.stderr.contains(name)
                && ran
                    .stderr
                    .contains("a field that cannot change would have to"),
            "{ran}"
        );
    }
    let mut wrong = deployment(0, "one");
    wrong["spec"]["strategy"] = json!({"type": "Recreate", "rollingUpdate": {"maxSurge": 1}});
    let ran = place
        .apply(&[wrong], &["--recreate", "Deployment/web"])
        .exits(2);
    assert!(!ran.stderr.contains("cannot change"), "{ran}");
    assert_eq!(place.get(&["deployment", "web"])["metadata"]["uid"], uid);

    let anew = ["--recreate", "Deployment/web"];
    let ran = place.apply(&[deployment(0, "two")], &anew).exits(0);
    assert!(
        ran.stdout.contains("deployment.apps/web recreated"),
        "{ran}"
    );
    let now = place.get(&["deployment", "web"]);
    assert_ne!(now["metadata"]["uid"], uid);
    assert_eq!(now["spec"]["selector"]["matchLabels"]["app"], "two");
}

#[test]
fn a_claim_is_never_recreated() {
    let place = Place::new("claim");
    let claim = |size: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": size, "resources": {"requests": {"storage": "1Gi"}}}})
    };
    place.apply(&[claim("one")], &[]).exits(0);
    let flags = ["--recreate", "persistentvolumeclaim/data"];
    let ran = place.apply(&[claim("two")], &flags).exits(2);
    assert!(ran.stderr.contains("never recreated"), "{ran}");
    assert!(!ran.stderr.contains("--recreate"), "{ran}");
}

#[test]
fn what_cannot_change_is_made_anew_only_where_that_was_asked_for() {
    let place = Place::new("recreate");
    let fixed = |value: &str, name: &str| {
        let mut object = config(name, &json!({"k": value}));
        object["immutable"] = true.into();
        object
    };
    let before = [fixed("1", "one"), fixed("1", "other"), deployment(0, "a")];
    place.apply(&before, &[]).exits(0);
    let uid = |words: &[&str]| place.get(words)["metadata"]["uid"].clone();
    let (one, web) = (uid(&["configmap", "one"]), uid(&["deployment", "web"]));

    let after = [fixed("2", "one"), fixed("1", "other"), deployment(0, "b")];
    let ran = place.apply(&after, &[]).exits(2);
    for way_out in ["--recreate=configmap/one", "--recreate=deployment.apps/web"] {
        assert!(ran.stderr.contains(way_out), "{ran}");
    }
    // Asked for one of them only: nothing happens to either.
    let half = ["--recreate", "configmap/one"];
    place.apply(&after, &half).exits(2);
    assert_eq!(uid(&["configmap", "one"]), one);

    let both = [&half[..], &["--recreate", "deployment/web"]].concat();
    let ran = place.apply(&after, &[&both[..], &["--dry-run"]].concat());
    let ran = ran.exits(0);
    assert!(ran.stdout.contains("3 objects: 2 recreated"), "{ran}");
    assert_eq!(uid(&["configmap", "one"]), one, "a dry run changed it");

    let other = uid(&["configmap", "other"]);
    place.apply(&after, &both).exits(0);
    assert_ne!(uid(&["configmap", "one"]), one);
    assert_ne!(uid(&["deployment", "web"]), web);
    assert_eq!(uid(&["configmap", "other"]), other);
    assert_eq!(place.get(&["configmap", "one"])["data"]["k"], "2");
    let again = place.apply(&after, &both).exits(0);
    assert!(again.stdout.contains("3 unchanged"), "{again}");
}
