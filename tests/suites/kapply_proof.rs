//! kapply's knowledge of server-side apply, held against the API server: which
//! fields an object claims, when an apply changes nothing, what is valid, and
//! how client-side applies are taken over.

#[path = "kapply_proof/breaks.rs"]
mod breaks;
#[path = "kapply_proof/choices.rs"]
mod choices;
#[path = "kapply_proof/ground.rs"]
mod ground;
#[path = "kapply_proof/history.rs"]
mod history;
#[path = "kapply_proof/server.rs"]
mod server;

use std::collections::BTreeMap;

use choices::Choices;
use e2e::{Namespace, Shared};
use futures::StreamExt as _;
use ground::Ground;
use kapply::{fields, migrate, plan::prove, schema};
use serde_json::{Value, json};
use server::{MANAGER, Server};

/// Random objects with random pasts; they take some 10 s.
const CASES: usize = 1000;
/// One in so many of the objects with something wrong in one place.
const BREAKS: usize = 3;
const PARALLEL: usize = 8;

/// Kinds of which every cluster has objects.
const SERVED: &[&str] = &[
    "apiservices",
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "customresourcedefinitions",
    "daemonsets",
    "deployments",
    "endpoints",
    "endpointslices",
    "flowschemas",
    "ipaddresses",
    "leases",
    "namespaces",
    "nodes",
    "priorityclasses",
    "prioritylevelconfigurations",
    "rolebindings",
    "roles",
    "serviceaccounts",
    "servicecidrs",
    "services",
];

/// What was seen of one case.
#[derive(Default)]
struct Seen {
    kind: String,
    /// The server took the object, and what it says we own is what we say.
    claimed: bool,
    /// The server says that the apply would change nothing.
    unchanged: bool,
    /// Why it was not proved, if it was not.
    doubt: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_proved_unchanged_is_unchanged() {
    let ground = Ground::prepare("proof").await;
    let seen: Vec<_> = futures::stream::iter(Choices::many(CASES).into_iter().enumerate())
        .map(|(number, choices)| case(&ground, number, choices))
        .buffer_unordered(PARALLEL)
        .collect()
        .await;

    let unchanged: Vec<_> = seen.iter().filter(|seen| seen.unchanged).collect();
    let proved = unchanged.iter().filter(|seen| seen.doubt.is_none()).count();
    let claimed = seen.iter().filter(|seen| seen.claimed).count();
    let mut doubts = BTreeMap::<_, usize>::new();
    for seen in &unchanged {
        if let Some(doubt) = &seen.doubt {
            *doubts.entry(format!("{} {doubt}", seen.kind)).or_default() += 1;
        }
    }
    println!(
        "{CASES} cases: {claimed} claims are the server's, {} unchanged, {proved} of them proved",
        unchanged.len()
    );
    println!("unchanged, but not proved: {doubts:#?}");
    assert!(claimed * 2 > CASES, "the server takes too few objects");
    assert!(unchanged.len() * 4 > CASES, "too few are unchanged");
    assert!(proved * 10 > unchanged.len() * 3, "hardly any is proved");
}

async fn case(ground: &Ground, number: usize, mut choices: Choices) -> Seen {
    let server = &ground.server;
    let template = choices.one_of(&ground.templates);
    let kind = server::kind(template);
    let schema = ground.schemas.get(&kind).expect("it is described");
    let thinned = history::thinned(template, &mut choices);
    let base = server.place(thinned, &format!("case-{number}"));
    let mut seen = Seen {
        kind: kind.kind,
        ..Seen::default()
    };
    let Ok(created) = server.apply(&base, MANAGER, false).await else {
        return seen;
    };
    assert_eq!(schema::validate(&base, schema), [], "{base}");
    let claim = fields::claim(&base, schema).unwrap_or_else(|doubt| panic!("{doubt}: {base}"));
    assert_eq!(claim.to_value(), server::owned(&created), "{base}");
    seen.claimed = true;
    for _ in 0..choices.below(3) {
        history::event(server, &base, &mut choices).await;
    }
    let live = server.get(&base).await;
    let desired = history::variant(&base, &live, &mut choices);
    // Controllers write too: only an answer about this very version counts.
    loop {
        let live = server.get(&desired).await;
        let proof = prove::unchanged(&desired, &live, schema, MANAGER);
        let result = server.apply(&desired, MANAGER, true).await;
        if let Ok(result) = &result
            && result["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]
        {
            continue;
        }
        seen.unchanged = result
            .as_ref()
            .is_ok_and(|result| server::comparable(result) == server::comparable(&live));
        seen.doubt = proof.err().map(|doubt| doubt.to_string());
        assert!(
            seen.unchanged || seen.doubt.is_some(),
            "proved unchanged, but it is not:\ndesired {desired}\nlive {live}\nserver {result:?}"
        );
        return seen;
    }
}

/// Fields of every template, left out and with other values: whatever the
/// server takes is valid here too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_refused_that_the_server_takes() {
    let ground = Ground::prepare("valid").await;
    let server = &ground.server;
    let defined = schema::Schemas::of_definitions(std::slice::from_ref(&ground.definition));
    let broken: Vec<_> = ground
        .templates
        .iter()
        .flat_map(|template| breaks::all(&server.place(template.clone(), "broken")))
        .step_by(BREAKS)
        .collect();
    let verdicts: Vec<_> = futures::stream::iter(&broken)
        .map(async |object| {
            let kind = server::kind(object);
            let schema = ground.schemas.get(&kind).expect("it is described");
            let violations = schema::validate(object, schema);
            let taken = server.apply(object, MANAGER, true).await.is_ok();
            if taken {
                assert_eq!(violations, [], "{object}");
                let by_input = defined.get(&kind).map(|it| schema::validate(object, it));
                assert_eq!(by_input.unwrap_or_default(), [], "by the input: {object}");
            }
            (taken, violations.is_empty())
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    let refused = verdicts.iter().filter(|(taken, _)| !taken).count();
    let seen = verdicts.iter().filter(|(_, valid)| !valid).count();
    let count = broken.len();
    println!("{count} objects: {refused} refused by the server, {seen} of them here too");
    assert!(
        seen * 4 > refused * 3,
        "too little of what is wrong is seen"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_what_the_server_writes_for_all_it_has() {
    let shared = Shared::get();
    let server = Server::connect(&shared, "default").await;
    let mut same = 0;
    for resource in SERVED {
        let list = shared.get_json(&["-A", resource]);
        let items = list["items"].as_array().expect("a list has items");
        let Some(first) = items.first() else { continue };
        let kind = server::kind(first);
        let schemas = server.schemas(std::slice::from_ref(&kind)).await;
        let schema = schemas.get(&kind).expect("it is described");
        for item in items.iter().take(60) {
            let desired = server::as_manifest(item);
            let Ok(result) = server.force(&desired).await else {
                continue;
            };
            assert_eq!(schema::validate(&desired, schema), [], "{desired}");
            let claim = fields::claim(&desired, schema);
            let claim = claim.unwrap_or_else(|doubt| panic!("{doubt}: {desired}"));
            assert_eq!(claim.to_value(), server::owned(&result), "{desired}");
            same += 1;
        }
    }
    println!("{same} claims are the server's");
    assert!(same > 100, "only {same} claims could be compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_side_apply_is_taken_over() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "takeover");
    let kubectl = |words: &[&str], input: &str| {
        shared.kubectl(&[&["-n", &namespace.name], words].concat(), input)
    };
    let patch = |kind: &str, manager: &str, patch: &Value| {
        let (kind, manager) = (
            format!("--type={kind}"),
            format!("--field-manager={manager}"),
        );
        let patch = patch.to_string();
        kubectl(
            &["patch", "configmap", "c", &kind, &manager, "-p", &patch],
            "",
        )
    };
    let server = Server::connect(&shared, &namespace.name).await;
    let map = |data: Value| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
               "metadata": {"name": "c", "namespace": namespace.name}})
    };
    let applied = map(json!({"kept": "1", "removed": "2"}));
    kubectl(&["apply", "-f", "-"], &applied.to_string()).exits(0);
    patch("merge", "other", &json!({"data": {"foreign": "3"}})).exits(0);

    // A patch for an older version of the object changes nothing.
    let old = server.get(&applied).await;
    let takeover = migrate::migration(&old, MANAGER).expect("there is something to take over");
    kubectl(&["label", "configmap", "c", "a=b"], "").exits(0);
    patch("json", "test", &takeover).fails_naming(1, &["the object has been modified"]);

    let live = server.get(&applied).await;
    let takeover = migrate::migration(&live, MANAGER).expect("there is something to take over");
    patch("json", "test", &takeover).exits(0);
    let live = server.get(&applied).await;
    assert_eq!(migrate::migration(&live, MANAGER), None, "{live}");
    let data = json!({"kept": "1", "removed": "2", "foreign": "3"});
    assert_eq!(live["data"], data);

    let wanted = map(json!({"kept": "1"}));
    let live = server.apply(&wanted, MANAGER, false).await;
    let live = live.expect("there is no conflict");
    assert_eq!(live["data"], json!({"kept": "1", "foreign": "3"}), "{live}");
    assert_eq!(live["metadata"]["annotations"], Value::Null, "{live}");
    assert_eq!(live["metadata"]["labels"], json!({"a": "b"}), "{live}");
}
