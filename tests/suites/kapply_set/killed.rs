//! Runs that are killed: the next one finishes the job.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use e2e::{Namespace, Shared};

use super::{annotation, apply, config_maps, maps, names, set};

#[test]
fn a_run_that_is_killed_loses_no_member() {
    let shared = Shared::get();
    let (one, two) = (
        Namespace::create(&shared, "killed1"),
        Namespace::create(&shared, "killed2"),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.yaml");
    // Another kind and another namespace than the set has had.
    let mut new = maps(&["base"]);
    for number in 0..30 {
        let namespace = &two.name;
        writeln!(new, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: s{number}, namespace: {namespace}}}").unwrap();
    }
    std::fs::write(&path, new).unwrap();
    let words = [
        "apply",
        "-f",
        path.to_str().unwrap(),
        "-n",
        &one.name,
        "--applyset",
        "shop",
        "--prune",
        // One by one: most of the time goes into the objects.
        "--concurrency=1",
    ];
    let accounts = || {
        let mut found = names(&shared, &["serviceaccounts", "-n", &two.name]);
        found.remove("default");
        found.len()
    };
    // How long it takes depends on the machine: kill at parts of that.
    let started = Instant::now();
    shared.kapply(&words, "").exits(0);
    let whole = started.elapsed();
    let mut partial = 0;
    for part in 1..16 {
        let delay = whole * part / 16;
        apply(
            &shared,
            &one.name,
            &["--allow-prune=most"],
            &maps(&["base"]),
        )
        .exits(0);
        assert_eq!(annotation(&shared, &one.name, "additional-namespaces"), "");
        shared.kapply_killed(&words, delay);
        partial += usize::from((1..30).contains(&accounts()));
        // The old input again: whatever was made has to go.
        apply(
            &shared,
            &one.name,
            &["--allow-prune=most"],
            &maps(&["base"]),
        )
        .exits(0);
        assert_eq!(accounts(), 0, "killed after {delay:?}");
        assert_eq!(
            annotation(&shared, &one.name, "contains-group-kinds"),
            "ConfigMap"
        );
    }
    assert!(partial > 0, "no run was killed in the midst of its work");
}

#[test]
fn a_prune_that_is_killed_is_finished_by_the_next_run() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "pruning");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("few.yaml");
    std::fs::write(&path, maps(&["m0"])).unwrap();
    let all: Vec<String> = (0..60).map(|number| format!("m{number}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let words = [
        "apply",
        "-f",
        path.to_str().unwrap(),
        "-n",
        &namespace.name,
        "--applyset",
        "shop",
        "--prune",
        "--allow-prune=most",
    ];
    for delay in (20..120).step_by(20) {
        apply(&shared, &namespace.name, &[], &maps(&all)).exits(0);
        shared.kapply_killed(&words, Duration::from_millis(delay));
        shared.kapply(&words, "").exits(0);
        assert_eq!(
            config_maps(&shared, &namespace.name),
            set(&["m0"]),
            "killed after {delay} ms"
        );
    }
}
