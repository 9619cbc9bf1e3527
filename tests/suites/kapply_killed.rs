//! kapply is killed while it applies and prunes, and the next run finishes:
//! nothing of the set is leaked, and nothing that is not of the set is touched.
//!
//! `KILLS` says how often (10 in a test run, more in a soak), `SEED` where the
//! moments start.

use std::{
    collections::BTreeSet,
    ops::Range,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use e2e::{Moments, Namespace, Shared};
use serde_json::{Value, json};

const PART_OF: &str = "applyset.kubernetes.io/part-of";
const KINDS: &str = "configmaps,secrets,services,roles.rbac.authorization.k8s.io";

/// Object `number` of the set: six in ten are `ConfigMap`s.
fn object(number: usize, generation: usize) -> Value {
    let metadata = json!({"name": format!("o-{number}"), "annotations": {"generation": generation.to_string()}});
    match number % 10 {
        6 | 7 => {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"g": generation.to_string()}})
        }
        8 => {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80 + generation}]}})
        }
        9 => {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": []})
        }
        _ => {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"g": generation.to_string()}})
        }
    }
}

/// A hundred objects of which 40 are new in each generation.
fn numbers(generation: usize) -> Range<usize> {
    generation * 40..generation * 40 + 100
}

fn input(generation: usize) -> String {
    let items: Vec<_> = numbers(generation)
        .map(|number| object(number, generation))
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn names(range: Range<usize>) -> BTreeSet<String> {
    range.map(|number| format!("o-{number}")).collect()
}

struct Run {
    shared: Shared,
    namespace: Namespace,
}

impl Run {
    fn words(&self) -> [&str; 8] {
        let namespace = self.namespace.name.as_str();
        [
            "apply",
            "-n",
            namespace,
            "--applyset",
            "killed",
            "--prune",
            "-f",
            "-",
        ]
    }

    fn list(&self, words: &[&str]) -> Vec<Value> {
        let words = [&["-n", &self.namespace.name, KINDS], words].concat();
        let list = self.shared.get_json(&words);
        list["items"].as_array().expect("a list").clone()
    }

    fn members(&self) -> BTreeSet<String> {
        let id = self.parent()["metadata"]["labels"]["applyset.kubernetes.io/id"]
            .as_str()
            .expect("a parent has an id")
            .to_owned();
        self.list(&["-l", &format!("{PART_OF}={id}")])
            .iter()
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    fn parent(&self) -> Value {
        self.shared
            .get_json(&["-n", &self.namespace.name, "secret", "killed"])
    }

    /// What is not of the set: its UIDs and resource versions.
    fn foreign(&self) -> Vec<(Value, Value)> {
        self.list(&["-l", "foreign=yes"])
            .iter()
            .map(|object| {
                let metadata = &object["metadata"];
                (metadata["uid"].clone(), metadata["resourceVersion"].clone())
            })
            .collect()
    }

    /// Starts an apply and kills it after `life`; whether it had ended before.
    fn apply_and_kill(&self, generation: usize, life: Duration) -> bool {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), input(generation)).expect("written");
        let mut child = self
            .shared
            .kapply_command(&self.words())
            .stdin(std::fs::File::open(file.path()).expect("opened"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("kapply starts");
        thread::sleep(life);
        let ended = child.try_wait().expect("a child can be asked").is_some();
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        ended
    }
}

#[test]
fn the_next_run_finishes_what_a_killed_one_began() {
    let shared = Shared::get();
    let run = Run {
        namespace: Namespace::create(&shared, "killed"),
        shared,
    };
    let foreign: Vec<_> = (0..5)
        .map(|number| {
            // One of them looks like a member of another set.
            let mut labels = json!({"foreign": "yes"});
            if number == 0 {
                labels[PART_OF] = "applyset-somebody-elses-v1".into();
            }
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("foreign-{number}"), "labels": labels}})
        })
        .collect();
    let foreign = json!({"apiVersion": "v1", "kind": "List", "items": foreign}).to_string();
    let create = ["-n", &run.namespace.name, "create", "-f", "-"];
    run.shared.kubectl(&create, &foreign).exits(0);
    let untouched = run.foreign();
    assert_eq!(untouched.len(), 5);

    let first = run.shared.kapply(&run.words(), &input(0)).exits(0);
    assert!(first.stdout.contains("100 created"), "{first}");
    let begun = Instant::now();
    run.shared.kapply(&run.words(), &input(1)).exits(0);
    let whole = begun.elapsed();

    let mut moments = Moments::default();
    let mut in_time = 0;
    for kill in 0..Moments::kills() {
        let generation = kill + 2;
        let kept = names(numbers(generation).start..numbers(generation - 1).end);
        let life = moments.within(whole);
        let ended = run.apply_and_kill(generation, life);
        in_time += u64::from(!ended);

        let said = format!("kill {kill} after {life:?} of {whole:?}");
        assert_eq!(run.foreign(), untouched, "{said}");
        let there = run.members();
        assert!(
            kept.is_subset(&there),
            "{said}: lost {:?}",
            kept.difference(&there)
        );

        run.shared.kapply(&run.words(), &input(generation)).exits(0);
        assert_eq!(run.members(), names(numbers(generation)), "{said}");
        assert_eq!(run.foreign(), untouched, "{said}");
        for object in run.list(&["-l", PART_OF]) {
            let annotation = &object["metadata"]["annotations"]["generation"];
            if annotation.is_string() {
                assert_eq!(
                    annotation,
                    &json!(generation.to_string()),
                    "{said}: {object}"
                );
            }
        }
        let annotations = &run.parent()["metadata"]["annotations"];
        assert_eq!(
            annotations["applyset.kubernetes.io/contains-group-kinds"],
            "ConfigMap,Role.rbac.authorization.k8s.io,Secret,Service",
            "{said}"
        );
    }
    assert!(in_time > 0, "no kapply lived to be killed");
}
