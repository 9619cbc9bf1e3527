//! What `kapply diff` and `kapply plan` show, and what a plan file notices.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use e2e::{Namespace, Shared};
use serde_json::{Value, json};

fn deployment(image: &str, containers: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 0
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
{containers}      - {{name: web, image: '{image}', ports: [{{containerPort: 80}}]}}
---
"
    )
}

fn config(text: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf}}\ndata:\n  app.conf: |\n    one\n    {text}\n    three\n---\n"
    )
}

fn secret(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData: {{password: {value}}}\n---\n"
    )
}

struct Bench {
    cluster: Shared,
    namespace: Namespace,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(prefix: &str) -> Self {
        let cluster = Shared::get();
        Self {
            namespace: Namespace::create(&cluster, prefix),
            folder: tempfile::tempdir().unwrap(),
            cluster,
        }
    }

    /// Runs kapply on a manifest in the test's namespace.
    fn kapply(&self, words: &[&str], manifest: &str) -> e2e::Ran {
        let all = [words, &["-f", "-", "-n", &self.namespace.name]].concat();
        self.cluster.kapply(&all, manifest)
    }

    fn json(&self, words: &[&str], manifest: &str, code: i32) -> Value {
        let ran = self
            .kapply(&[words, &["-o", "json"]].concat(), manifest)
            .exits(code);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn a_diff_shows_what_changes_and_nothing_else() {
    let bench = Bench::new("diff");
    let before = deployment("a:1", "") + &config("two");
    let text = bench.kapply(&["diff"], &before).exits(1).stdout;
    assert!(text.contains("+ create deployment.apps/web"), "{text}");
    assert!(text.ends_with("2 objects: 2 to create\n"), "{text}");
    bench.kapply(&["apply"], &before).exits(0);
    let same = bench.kapply(&["diff"], &before).exits(0).stdout;
    assert_eq!(same, "2 objects: 2 unchanged\n");

    let after = deployment("a:2", "      - {name: proxy, image: 'p:1'}\n") + &config("2");
    let document = bench.json(&["diff"], &after, 1);
    let changes = |index: usize| {
        document["objects"][index]["changes"]
            .as_array()
            .unwrap()
            .clone()
    };
    let web = changes(0);
    let operations: Vec<_> = web
        .iter()
        .map(|change| {
            (
                change["op"].as_str().unwrap(),
                change["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        operations,
        [
            ("added", ".spec.template.spec.containers[name=\"proxy\"]"),
            (
                "changed",
                ".spec.template.spec.containers[name=\"web\"].image"
            ),
        ],
        "{document:#}"
    );
    assert_eq!(web[1]["path"], "/spec/template/spec/containers/1/image");
    assert_eq!(
        (&web[1]["before"], &web[1]["after"]),
        (&json!("a:1"), &json!("a:2"))
    );
    assert_eq!(document["summary"]["update"], 2);
    let text = bench.kapply(&["diff"], &after).exits(1).stdout;
    for line in ["  -     two\n", "  +     2\n", "  +       - name: proxy\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        !text.contains("managedFields") && !text.contains('\u{1b}'),
        "{text}"
    );
    let coloured = bench
        .kapply(&["diff", "--color", "always"], &after)
        .exits(1);
    assert!(coloured.stdout.contains("\u{1b}[32m"), "{coloured}");
}

#[test]
fn a_conflict_shows_both_values_and_what_force_would_take() {
    let bench = Bench::new("diff-conflict");
    let namespace = bench.namespace.name.as_str();
    bench.kapply(&["apply"], &config("two")).exits(0);
    let patch = r#"{"data":{"app.conf":"theirs"}}"#;
    bench
        .cluster
        .kubectl(
            &["patch", "configmap", "conf", "-n", namespace, "-p", patch],
            "",
        )
        .exits(0);
    let document = bench.json(&["diff"], &config("ours"), 3);
    let object = &document["objects"][0];
    assert_eq!(
        (&object["action"], &object["blocked"]),
        (&json!("blocked"), &json!("conflict"))
    );
    assert_eq!(object["conflicts"][0]["manager"], "kubectl-patch");
    assert_eq!(object["conflicts"][0]["theirs"], "theirs");
    let forced = bench.json(&["diff", "--force-conflicts"], &config("ours"), 1);
    assert_eq!(
        forced["objects"][0]["overridden"][0]["field"],
        ".data.app.conf"
    );
    // An error counts more than a conflict.
    let broken =
        config("ours") + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a b: c}\n";
    bench.kapply(&["plan"], &broken).exits(2);
}

#[test]
fn the_page_is_one_file_that_runs_no_foreign_script() {
    let bench = Bench::new("diff-html");
    let page = bench.path("plan.html");
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: '<script>alert(1)</script>'}\n";
    bench.kapply(&["plan", "--html", &page], manifest).exits(1);
    let html = fs::read_to_string(&page).unwrap();
    assert!(
        !html.contains("<script>alert") && html.contains("&lt;script&gt;alert"),
        "{html}"
    );
    assert!(!html.contains("src=") && !html.contains("href="), "{html}");
    let nowhere = bench.path("no/folder/plan.html");
    bench
        .kapply(&["plan", "--html", &nowhere], manifest)
        .fails_naming(2, &["no/folder/plan.html"]);
}

#[test]
fn what_a_dry_run_invents_is_not_shown_as_known() {
    let bench = Bench::new("diff-assigned");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: NodePort, ports: [{port: 80}]}\n";
    let text = bench.kapply(&["diff"], service).exits(1).stdout;
    assert!(
        text.contains("clusterIP: \"<assigned by the server>\""),
        "{text}"
    );
    assert!(
        text.contains("nodePort: \"<assigned by the server>\""),
        "{text}"
    );
}

#[test]
fn a_plan_is_carried_out_exactly_or_not_at_all() {
    let bench = Bench::new("plan");
    let namespace = bench.namespace.name.as_str();
    let file = bench.path("plan.json");
    let before = deployment("a:1", "") + &config("two") + &secret("first-s3cret");
    bench.kapply(&["apply"], &before).exits(0);

    let after = deployment("a:2", "") + &config("2") + &secret("second-s3cret");
    bench.kapply(&["plan", "--out", &file], &after).exits(1);
    let stored = fs::read_to_string(&file).unwrap();
    assert!(
        !stored.contains("s3cret") && stored.contains("commitment"),
        "{stored}"
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let apply = |manifest: &str| bench.kapply(&["apply", "--plan", &file], manifest);
    let refused = |manifest: &str, words: &[&str]| {
        let ran = apply(manifest);
        assert!(!matches!(ran.code, Some(0 | 1)), "{ran}");
        for word in words {
            assert!(ran.stderr.contains(word), "no word of {word:?}: {ran}");
        }
        assert!(!ran.stderr.contains("s3cret"), "{ran}");
    };
    // Another secret value, another image, an object more and one less.
    let other = |from: &str, to: &str| after.replace(from, to);
    refused(
        &other("second-s3cret", "third-s3cret"),
        &["secret/login", "hidden values"],
    );
    refused(
        &other("a:2", "a:3"),
        &["deployment.apps/web", "\"a:2\"", "\"a:3\""],
    );
    refused(
        &(after.clone() + &config("x").replace("conf}", "more}")),
        &["configmap/more", "is new in the input"],
    );
    refused(
        &(deployment("a:2", "") + &config("2")),
        &["secret/login", "not in the input any more"],
    );
    // The cluster moved.
    let kubectl = |words: &[&str]| {
        bench
            .cluster
            .kubectl(&[words, &["-n", namespace]].concat(), "")
            .exits(0)
    };
    kubectl(&["delete", "configmap", "conf"]);
    refused(
        &after,
        &["configmap/conf", "was to be updated, is now to be created"],
    );
    bench.kapply(&["apply"], &config("two")).exits(0);
    refused(&after, &["configmap/conf", "deleted and created anew"]);

    // Status writes and other managers' fields are no moves; what is done already is none either.
    bench.kapply(&["plan", "--out", &file], &after).exits(1);
    kubectl(&["annotate", "deployment", "web", "somebody=else"]);
    bench.kapply(&["apply"], &config("2")).exits(0);
    apply(&after).exits(0);
    bench.kapply(&["diff"], &after).exits(0);
    apply(&after).exits(0);
}

#[test]
fn a_plan_prunes_what_it_says_and_nothing_else() {
    let bench = Bench::new("plan-prune");
    let file = bench.path("plan.json");
    let map =
        |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n---\n");
    let maps = |names: &[&str]| names.iter().map(|name| map(name)).collect::<String>();
    let set = ["--applyset", "shop", "--prune"];
    let apply =
        |more: &[&str], input: &str| bench.kapply(&[&["apply"], &set[..], more].concat(), input);
    let plan = |input: &str| {
        let words = [&["plan"], &set[..], &["--out", &file]].concat();
        bench.kapply(&words, input).exits(1)
    };
    apply(&[], &maps(&["a", "b", "c"])).exits(0);
    plan(&maps(&["a", "b"]));
    // Another run adds a member, which this plan has never seen.
    apply(&[], &maps(&["a", "b", "c", "d"])).exits(0);
    let ran = apply(&["--plan", &file], &maps(&["a", "b"])).exits(5);
    assert!(ran.stderr.contains("configmap/d"), "{ran}");
    // What was to go is gone already: that is as planned.
    plan(&maps(&["a", "b", "d"]));
    let namespace = bench.namespace.name.as_str();
    let delete = ["-n", namespace, "delete", "configmap", "c"];
    bench.cluster.kubectl(&delete, "").exits(0);
    apply(&["--plan", &file], &maps(&["a", "b", "d"])).exits(0);
    // Without the set it is another plan.
    plan(&maps(&["a", "b"]));
    bench
        .kapply(&["apply", "--plan", &file], &maps(&["a", "b"]))
        .exits(5);
    apply(&["--plan", &file], &maps(&["a", "b"])).exits(0);
    let left = bench.cluster.get_json(&["-n", namespace, "configmaps"]);
    let left = left["items"].as_array().unwrap();
    let names = left.iter().map(|map| map["metadata"]["name"].as_str());
    let names: Vec<_> = names.flatten().filter(|name| name.len() == 1).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn plan_files_that_cannot_be_used_say_why() {
    let bench = Bench::new("plan-file");
    let file = bench.path("plan.json");
    let apply = || bench.kapply(&["apply", "--plan", &file], &config("two"));
    apply().fails_naming(2, &["plan.json", "cannot read the plan"]);
    fs::write(&file, "{}").unwrap();
    apply().fails_naming(2, &["plan.json", "no plan of kapply", "--out"]);
    fs::write(&file, r#"{"format": 99}"#).unwrap();
    apply().fails_naming(2, &["format 99", "reads format 1"]);
    fs::remove_file(&file).unwrap();
    // What is blocked is no plan.
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a b: c}\n";
    bench
        .kapply(&["plan", "--out", &file], broken)
        .fails_naming(2, &["plan.json was not written"]);
    assert!(!Path::new(&file).exists());
    // A plan for another cluster.
    bench
        .kapply(&["plan", "--out", &file], &config("two"))
        .exits(1);
    let mut stored: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    stored["cluster"]["uid"] = "another".into();
    fs::write(&file, stored.to_string()).unwrap();
    let ran = apply();
    assert!(
        ran.stderr.contains("another cluster") && ran.code != Some(0),
        "{ran}"
    );
}
