//! Manifests that `kubectl get -o yaml` printed: what only the server writes is
//! left out, and what says which object was meant is taken at its word.

use serde_json::json;

use super::{Place, config};

#[test]
fn what_kubectl_printed_is_for_the_object_that_it_was() {
    let place = Place::new("printed");
    place
        .apply(&[config("c", &json!({"k": "1"}))], &[])
        .exits(0);
    let words = [
        "get",
        "configmap",
        "c",
        "-o",
        "json",
        "--show-managed-fields",
    ];
    let printed = place.get(&words[1..3]);
    let whole = place.kubectl(&words, "").stdout;
    assert!(whole.contains("managedFields"), "{whole}");
    let whole = serde_json::from_str(&whole).unwrap();
    let ran = place.apply(&[whole], &[]).exits(0);
    assert!(ran.stdout.contains("1 unchanged"), "{ran}");

    // Changed since: that is said, and nothing is made anew.
    place.kubectl(&["label", "configmap", "c", "a=b"], "");
    let mut meant = printed;
    let refused = |object: &serde_json::Value, field: &str| {
        let ran = place.apply(std::slice::from_ref(object), &[]);
        let ran = ran.fails_naming(2, &[&format!("remove metadata.{field}")]);
        assert!(!ran.stderr.contains("--recreate"), "{ran}");
    };
    refused(&meant, "resourceVersion");
    let remove = |object: &mut serde_json::Value, field: &str| {
        object["metadata"].as_object_mut().unwrap().remove(field);
    };
    remove(&mut meant, "resourceVersion");
    place.apply(&[meant.clone()], &[]).exits(0);

    // Another object of the same name, and none.
    place.kubectl(&["delete", "configmap", "c"], "");
    refused(&meant, "uid");
    place.kubectl(&["create", "configmap", "c"], "");
    refused(&meant, "uid");
    remove(&mut meant, "uid");
    place.apply(&[meant], &[]).exits(0);
    assert_eq!(place.get(&["configmap", "c"])["data"]["k"], "1");
}
