//! Whatever the input, it is read or refused: nothing panics, nothing hangs,
//! and what is printed reads back as what was read.

use std::time::{Duration, Instant};

use kapply::{decode::decode, object::Object, problem::File, report::yaml, resolve};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Far more than any case of these sizes needs, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(10);

const SEEDS: [&str; 4] = [
    "apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {x: 'two', y1: \"th\\u0072ee\"}, <<: {z: 0400}}\n---\n# note\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\ndata:\n  text: |+\n    a\n     b\n\n  fold: >-\n    c\n    d\n...\n",
    include_str!("../../../manifests/deployment.yaml"),
    include_str!("../../../manifests/service.yaml"),
    "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"j\"}, \"data\": {\"k\": \"\\ud83d\\ude00\", \"n\": [1, 2.5e3, -0, true, null]}}",
];

/// The way of an input up to what `kapply render` prints; the objects, if they were not refused.
fn pass(bytes: Vec<u8>) -> Option<Vec<Object>> {
    let started = Instant::now();
    let file = File::read("fuzz", bytes);
    let images = ["web=r.example/web:1".parse().unwrap()];
    let objects = decode(&[file]).ok().inspect(|objects| {
        let mut prepared = objects.clone();
        let _ = resolve::prepare(&mut prepared, &images, "shop");
        for object in objects {
            assert!(object.place_of("/metadata/name").line >= object.place.line);
        }
        let printed = yaml::documents(objects.iter().map(|object| &object.value));
        let again = decode(&[File::read("printed", printed.clone().into_bytes())]);
        let again = again.unwrap_or_else(|error| panic!("{error}\n{printed}"));
        let values = |objects: &[Object]| -> Vec<Value> {
            objects.iter().map(|object| object.value.clone()).collect()
        };
        assert_eq!(values(&again), values(objects), "{printed}");
    });
    assert!(started.elapsed() < LIMIT);
    objects
}

#[test]
fn the_seeds_are_good() {
    for seed in SEEDS {
        assert!(pass(seed.into()).is_some(), "{seed}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let string = prop_oneof![
        "\\PC{0,12}",
        "[yYnNoOefstr0-9.:_+xa #\n\t~<=-]{0,10}",
        "([a-z ]{0,5}\n){0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (-1e6..1e6).prop_map(|number: f64| json!(number)),
        string.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(string.clone(), inner, 0..5)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        pass(bytes);
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        pass(text.into());
    }

    #[test]
    fn any_punctuation(text in "[-:?&*!|>'\"%@`{}\\[\\],# \n\tab0~<.]{0,120}") {
        pass(text.into());
    }

    #[test]
    fn mutated_manifests(
        seed in prop::sample::select(&SEEDS[..]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len().max(1));
            match how {
                _ if bytes.is_empty() => break,
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"-:?&*!|>'\"{}[],# \n\t.~<"[usize::from(byte) % 22]),
                _ => drop(bytes.drain(at..(at + usize::from(byte) % 16).min(bytes.len()))),
            }
        }
        pass(bytes);
    }

    /// As JSON it may be anything; read from there, it is what Kubernetes would read.
    #[test]
    fn any_object(value in any_value()) {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "probe": value});
        pass(object.to_string().into());
        pass(format!("{object:#}").into());
    }
}
