//! Input as kubectl reads it: the same texts through both, and what differs is
//! refused here, never read in silence as something else.

#[path = "kapply_input/sources.rs"]
mod sources;

use std::{fs, path::Path};

use e2e::{Namespace, Shared};
use serde_json::Value;

const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n";

/// What kubectl takes a text for, without sending it: its objects, or nothing if it refuses.
fn kubectl(shared: &Shared, text: &str) -> Option<Vec<Value>> {
    let flags = [
        "create",
        "--dry-run=client",
        "--validate=false",
        "-o",
        "json",
        "-f",
        "-",
    ];
    let ran = shared.kubectl(&flags, text);
    let objects = serde_json::Deserializer::from_str(&ran.stdout).into_iter::<Value>();
    (ran.code == Some(0)).then(|| objects.map(Result::unwrap).flat_map(items).collect())
}

/// What kapply takes it for.
fn kapply(shared: &Shared, text: &str) -> Option<Vec<Value>> {
    let ran = shared.kapply(&["render", "-o", "json", "-f", "-"], text);
    assert!(!ran.stderr.contains("panicked"), "{ran}");
    let list = (ran.code == Some(0)).then(|| serde_json::from_str(&ran.stdout).unwrap());
    list.map(items)
}

fn items(value: Value) -> Vec<Value> {
    match value["items"].as_array() {
        Some(items) if value["kind"] == "List" => items.clone(),
        _ => vec![value],
    }
}

/// Equal as JSON: 1e20 and 100000000000000000000 are one number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| is_same(value, other)))
        }
        _ => one == other,
    }
}

const SCALARS: &str = "y Y yes Yes YES yEs n N no on oN off Off true True TRUE tRue false null Null nULL ~ \
    0 -0 +0 00 0400 -0400 0o400 0O17 08 09 0x10 0X1F -0x10 +0x10 0x 0xg 0b101 0b2 0B11 0b 1_000 1__000 _1 1_ 0_7 0x_1 \
    1e3 1E3 1e+3 1e-3 1e 1e+ e3 .e3 .1e3 1.0 1. .5 -.5 +.5 5. 0. 00.5 08.5 0.1 -0.0 .5_0 ._5 1_.5 1_0.5 1e1_0 \
    1.5e300 1e400 -1e400 1e-400 0e0 1.7976931348623157e308 5e-324 3.141592653589793238 0.30000000000000004 \
    9223372036854775807 -9223372036854775808 9007199254740993 9007199254740993.0 1e18 1e19 1e20 1e21 1e22 0.00001 1e-7 \
    inf nan Infinity NaN 12:30 12:30:45 1:60 190:20:30.15 2001-12-14 2001-12-14T21:59:43.10-05:00 2001-1-1 \
    = << 1.2.3 100m 1Gi 1,000 ++1 -+1 1-1 0x1p-2 1p3 0xFFFFFFFFFFFFFFFFF 0o7777777777777777777777777 \
    x#y http://x:80/y#z !custom !!str !!null";

#[test]
fn plain_scalars_are_what_kubectl_makes_of_them() {
    let shared = Shared::get();
    let tagged = [
        "!!int \"5\"",
        "!!float 5",
        "!!bool yes",
        "!!str 0400",
        "!own 0400",
        "! y",
        "!<tag:yaml.org,2002:int> 7",
    ];
    let scalars: Vec<_> = SCALARS.split_whitespace().chain(tagged).collect();
    let text = scalars
        .iter()
        .map(|scalar| format!("---\n{HEAD}probe: {scalar}\n"))
        .collect::<Vec<_>>()
        .concat();
    // One object many times over: kapply reads them one by one.
    let theirs = kubectl(&shared, &text).expect("kubectl takes them all");
    let named = scalars
        .iter()
        .enumerate()
        .map(|(index, scalar)| {
            format!(
                "---\n{}probe: {scalar}\n",
                HEAD.replace("name: a", &format!("name: a{index}"))
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let ours = kapply(&shared, &named).expect("kapply takes them all");
    assert_eq!((theirs.len(), ours.len()), (scalars.len(), scalars.len()));
    for ((scalar, theirs), ours) in scalars.iter().zip(&theirs).zip(&ours) {
        let (theirs, ours) = (&theirs["probe"], &ours["probe"]);
        assert!(
            is_same(theirs, ours),
            "{scalar}: kubectl {theirs}, kapply {ours}"
        );
    }
}

/// Texts that both read, and as the same.
const SAME: &[&str] = &[
    "true: 1\n8080: 2\n1.5: 3\n2001-12-14: 4\n\"y\": 5\n-1: 6\n",
    "b: &b {x: 1}\nu:\n  <<: *b\n  x: 2\n",
    "b: &b {x: 1}\nc: &c {x: 2, z: 3}\nu:\n  <<: [*b, *c]\n",
    "u:\n  !!merge <<: {x: 1}\n  \"<<\": 2\n",
    "a: &x 5\nb: *x\nc: &x 6\nd: *x\n",
    "a: &x k\nb:\n  *x : 1\n",
    "a: >\n  x\n  y\n\n   z\nb: >-\n  q\nc: |+\n  e\n\nd: |2\n    x\n",
    "a: x\n  y\n\n  z\nb: \"x\n\n  y\\\n  z\"\nc: 'x\n\n  y'\n",
    "a: {b, c: , \"d\":1, e:2}\nb: [f: 1]\n? g\n: 1\n? h\n",
    "a:\n- - 1\n  - 2\n- b: 1\n  c: 2\n",
    "a: \"\\x41\\u263a\\e\\0\"\nb: 'it''s'\nc: 😀\u{a0}\n",
    "a: 1\t\nb: [1,\t2]\nc: x\ty\n",
];

#[test]
fn structures_are_what_kubectl_makes_of_them() {
    let shared = Shared::get();
    let windows = format!("\u{feff}{HEAD}a: |\n  x\n  y\nb: \"c\n  d\"\n").replace('\n', "\r\n");
    let documents = format!(
        "---\n---\n{HEAD}...\n---\n# note\n--- # note\n{}",
        HEAD.replace("name: a", "name: b")
    );
    let json = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"default\"},\"x\":[1.0,1e2,-0]}";
    let texts = SAME.iter().map(|text| format!("{HEAD}{text}")).chain([
        windows,
        documents,
        format!("{json}\n---\n{}", json.replace("\"a\"", "\"b\"")),
        json.replace("-0", "\"\\ud83d\\ude00\""),
        format!("{json}\n---\n{}", HEAD.replace("name: a", "name: b")),
    ]);
    for text in texts {
        let theirs = kubectl(&shared, &text).unwrap_or_else(|| panic!("kubectl refuses {text:?}"));
        let ours = kapply(&shared, &text).unwrap_or_else(|| panic!("kapply refuses {text:?}"));
        let same = theirs.len() == ours.len()
            && theirs
                .iter()
                .zip(&ours)
                .all(|(theirs, ours)| is_same(theirs, ours));
        assert!(same, "{text:?}:\nkubectl {theirs:?}\nkapply {ours:?}");
    }
}

/// Texts that kubectl takes for something that nobody means, or that the next
/// reader takes for something else.
const REFUSED: &[(&str, &str)] = &[
    ("a: 1\nb: 1\na: 2\n", "first on line 4"),
    ("y: 1\n", "kubectl makes \"true\" of it"),
    ("0400: 1\n", "kubectl makes \"256\" of it"),
    ("1.10: 1\n", "kubectl makes \"1.1\" of it"),
    ("x: 18446744073709551615\n", "64-bit"),
    ("x: 100000000000000000000\n", "64-bit"),
    ("x: !!binary aGVsbG8=\n", "!!binary"),
    ("b: &b {x: 1}\nu:\n  x: 2\n  <<: *b\n", "readers disagree"),
    (
        "...\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
        "write `---`",
    ),
];

#[test]
fn what_kubectl_reads_in_silence_is_refused_aloud() {
    let shared = Shared::get();
    for (text, word) in REFUSED {
        let text = format!("{HEAD}{text}");
        assert!(
            kubectl(&shared, &text).is_some(),
            "kubectl refuses {text:?} now, too"
        );
        shared
            .kapply(&["render", "-f", "-"], &text)
            .fails_naming(2, &["stdin:", word]);
    }
}

#[test]
fn what_does_not_fit_together_is_said_before_it_is_sent() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "lint");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stack.yaml");
    let text = "\
apiVersion: v1
kind: PodTemplate
metadata: {name: web}
template:
  metadata: {labels: {app: web}}
  spec: {containers: [{name: web, image: web, ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: htpt}]
---
apiVersion: v1
kind: Service
metadata: {name: other}
spec:
  selector: {app: wbe}
  ports: [{port: 80}]
";
    fs::write(&file, text).unwrap();
    let ran = shared
        .kapply(&["apply", "-n", &namespace.name, "-f", path(&file)], "")
        .exits(0);
    for words in [
        "stack.yaml:13: service/web: targetPort htpt",
        "stack.yaml:19: service/other: its selector app=wbe matches no pod",
    ] {
        assert!(ran.stderr.contains(words), "{ran}");
    }
    fs::write(&file, text.replace("htpt", "http").replace("wbe", "web")).unwrap();
    let ran = shared
        .kapply(&["apply", "-n", &namespace.name, "-f", path(&file)], "")
        .exits(0);
    assert!(!ran.stderr.contains("warning"), "{ran}");
}

#[test]
fn large_integers_arrive_as_they_are_written() {
    let shared = Shared::get();
    let group = format!("n{}.example.com", std::process::id());
    let namespace = Namespace::create(&shared, "numbers");
    let input = format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: numbers.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: numbers, kind: Number}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: {group}/v1
kind: Number
metadata: {{name: one}}
large: 9007199254740993
largest: 9223372036854775807
third: 0.30000000000000004
"
    );
    let ran = shared.kapply(&["apply", "-n", &namespace.name, "-f", "-"], &input);
    let found = (ran.code == Some(0))
        .then(|| shared.get_json(&["-n", &namespace.name, &format!("numbers.{group}"), "one"]));
    shared
        .kubectl(
            &[
                "delete",
                "crd",
                &format!("numbers.{group}"),
                "--ignore-not-found",
            ],
            "",
        )
        .exits(0);
    let found = found.unwrap_or_else(|| panic!("{ran}"));
    assert_eq!(found["large"], 9_007_199_254_740_993_i64);
    assert_eq!(found["largest"], i64::MAX);
    assert_eq!(found["third"].to_string(), "0.30000000000000004");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
