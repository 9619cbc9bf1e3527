//! What is in the cluster beside the manifest: filled in by the server, written
//! by kubectl before, put there by others.

use serde_json::{Value, json};

use super::{Place, deployment, list};

/// The paths that a diff of the object names.
fn changes(place: &Place, object: &Value) -> Vec<String> {
    let name = &place.namespace.name;
    let words = ["diff", "-n", name, "-f", "-", "-o", "json"];
    let ran = place.shared.kapply(&words, &object.to_string()).exits(1);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let changes = plan["objects"][0]["changes"].as_array().cloned();
    changes
        .unwrap_or_default()
        .iter()
        .map(|change| {
            let text = |key: &str| change[key].as_str().unwrap_or_default();
            format!("{} {}", text("op"), text("field"))
        })
        .collect()
}

/// An apply, after which the next one finds nothing to do.
fn settles(place: &Place, object: Value) {
    let objects = [object];
    place.apply(&objects, &[]).exits(0);
    let ran = place.apply(&objects, &[]).exits(0);
    assert!(ran.stdout.contains("1 unchanged"), "{ran}");
}

#[test]
fn a_takeover_shows_what_goes_and_not_what_the_server_fills_in() {
    let place = Place::new("exact");
    let mut object = deployment(0, "a");
    let env = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]);
    object["spec"]["template"]["spec"]["containers"][0]["env"] = env;
    place.kubectl(&["apply", "-f", "-"], &list(&[object.clone()]));
    let shown = changes(&place, &object);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert!(shown[0].contains("last-applied-configuration"), "{shown:?}");

    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([{"name": "A", "value": "1"}]);
    let shown = changes(&place, &object);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(
        shown[1].starts_with("removed ") && shown[1].contains("env[name=\"B\"]"),
        "{shown:?}"
    );
    settles(&place, object);
}

#[test]
fn fields_that_exclude_each_other_change_places_in_a_takeover() {
    let place = Place::new("instead");
    let mut object = deployment(0, "a");
    object["spec"]["template"]["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    place.kubectl(&["apply", "-f", "-"], &list(&[object.clone()]));
    // Beside what kubectl applied, both would be invalid.
    object["spec"]["strategy"] = json!({"type": "Recreate"});
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "v", "configMap": {"name": "c"}}]);
    let shown = changes(&place, &object).join("\n");
    for part in ["emptyDir", "configMap", ".spec.strategy.rollingUpdate"] {
        assert!(shown.contains(part), "{shown}");
    }
    settles(&place, object);
}

#[test]
fn what_the_server_filled_in_does_not_make_a_field_immutable() {
    let place = Place::new("filled");
    let mut object = deployment(0, "a");
    place.apply(&[object.clone()], &[]).exits(0);
    object["spec"]["strategy"] = json!({"type": "Recreate"});
    let ran = place.apply(&[object.clone()], &[]);
    let ran = ran.fails_naming(2, &[".spec.strategy.rollingUpdate is in the cluster"]);
    assert!(!ran.stderr.contains("--recreate"), "{ran}");
    // The way out that is named.
    let patch = r#"{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}"#;
    place.kubectl(&["patch", "deployment", "web", "-p", patch], "");
    place.apply(&[object], &[]).exits(0);
}
