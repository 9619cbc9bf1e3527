//! kapply's knowledge of server-side apply, held against the API server: which
//! fields an object claims, when an apply changes nothing, what is valid, and
//! how client-side applies are taken over.

#[path = "kapply_proof/choices.rs"]
mod choices;
#[path = "kapply_proof/history.rs"]
mod history;
#[path = "kapply_proof/server.rs"]
mod server;
#[path = "kapply_proof/templates.rs"]
mod templates;

use std::collections::BTreeMap;

use choices::Choices;
use e2e::{Namespace, Shared};
use futures::StreamExt as _;
use kapply::{fields, migrate, plan::prove, schema};
use serde_json::{Value, json};
use server::{MANAGER, Server};

/// Random objects with random pasts; a run takes some 30 s with them.
const CASES: usize = 3000;
const PARALLEL: usize = 8;

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
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "proof");
    let definition = templates::definition();
    shared
        .kubectl(
            &["apply", "--server-side", "-f", "-"],
            &definition.to_string(),
        )
        .exits(0);
    let server = Server::connect(&shared, &namespace.name).await;
    let kinds: Vec<_> = templates::all().iter().map(server::kind).collect();
    let schemas = server.schemas(&kinds).await;

    let seen: Vec<_> = futures::stream::iter(Choices::many(CASES).into_iter().enumerate())
        .map(|(number, choices)| case(&server, &schemas, number, choices))
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    shared
        .kubectl(
            &["delete", "crd", "gadgets.proof.example.com", "--wait=false"],
            "",
        )
        .exits(0);

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
        "{CASES} cases: {claimed} claims as the server has them, {} unchanged, {proved} of them proved",
        unchanged.len()
    );
    let mut by_kind = BTreeMap::<_, [usize; 4]>::new();
    for seen in &seen {
        let row = by_kind.entry(seen.kind.clone()).or_default();
        row[0] += 1;
        row[1] += usize::from(seen.claimed);
        row[2] += usize::from(seen.unchanged);
        row[3] += usize::from(seen.unchanged && seen.doubt.is_none());
    }
    println!("kind: cases, claimed, unchanged, proved: {by_kind:?}");
    println!("unchanged, but not proved: {doubts:#?}");
    assert!(
        claimed * 2 > CASES,
        "too few objects are accepted to tell anything"
    );
    assert!(
        unchanged.len() * 4 > CASES,
        "too few objects are unchanged to tell anything"
    );
    assert!(
        proved * 10 > unchanged.len() * 3,
        "hardly anything is proved"
    );
}

async fn case(
    server: &Server,
    schemas: &schema::Schemas,
    number: usize,
    mut choices: Choices,
) -> Seen {
    let template = choices.one_of(templates::all());
    let schema = schemas
        .get(&server::kind(template))
        .expect("the server describes it");
    let base = server.place(
        history::thinned(template, &mut choices),
        &format!("case-{number}"),
    );
    let mut seen = Seen {
        kind: base["kind"].to_string(),
        ..Seen::default()
    };
    // Whatever the server takes is valid, and says what is claimed.
    let Ok(created) = server.apply(&base, MANAGER, false).await else {
        return seen;
    };
    assert_eq!(schema::validate(&base, schema), [], "{base}");
    if let Ok(claim) = fields::claim(&base, schema) {
        assert_eq!(claim.to_value(), server::owned(&created), "{base}");
        seen.claimed = true;
    }
    for _ in 0..choices.below(3) {
        history::event(server, &base, &mut choices).await;
    }
    let live = server.get(&base).await;
    let desired = history::variant(&base, &live, &mut choices);

    let renamed = server.place(desired.clone(), &format!("new-{number}"));
    if server.apply(&renamed, MANAGER, true).await.is_ok() {
        assert_eq!(schema::validate(&renamed, schema), [], "{renamed}");
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_are_what_the_server_writes_for_all_it_has() {
    let shared = Shared::get();
    let server = Server::connect(&shared, "default").await;
    let (mut same, mut doubted) = (0, BTreeMap::<String, usize>::new());
    for resource in templates::SERVED {
        let list = shared.get_json(&["-A", resource]);
        let items = list["items"].as_array().expect("a list has items");
        let Some(first) = items.first() else { continue };
        let kind = server::kind(first);
        let schemas = server.schemas(std::slice::from_ref(&kind)).await;
        let schema = schemas.get(&kind).expect("the server describes it");
        for item in items.iter().take(60) {
            let desired = server::as_manifest(item);
            let Ok(result) = server.force(&desired).await else {
                continue;
            };
            assert_eq!(schema::validate(&desired, schema), [], "{desired}");
            match fields::claim(&desired, schema) {
                Ok(claim) => {
                    assert_eq!(claim.to_value(), server::owned(&result), "{desired}");
                    same += 1;
                }
                Err(doubt) => *doubted.entry(doubt.why().to_owned()).or_default() += 1,
            }
        }
    }
    println!("{same} claims as the server has them; doubts: {doubted:?}");
    assert!(same > 100, "only {same} claims could be compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_side_apply_is_taken_over() {
    let shared = Shared::get();
    let namespace = Namespace::create(&shared, "takeover");
    let server = Server::connect(&shared, &namespace.name).await;
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace.name}, "data": data});
    let client_side = map(json!({"kept": "1", "removed": "2"}));
    shared
        .kubectl(&["apply", "-f", "-"], &client_side.to_string())
        .exits(0);
    let patch = json!({"data": {"foreign": "3"}}).to_string();
    shared
        .kubectl(
            &[
                "-n",
                &namespace.name,
                "patch",
                "configmap",
                "c",
                "--field-manager=other",
                "--type=merge",
                "-p",
                &patch,
            ],
            "",
        )
        .exits(0);
    let stale = server.get(&client_side).await;
    let stale_patch = migrate::migration(&stale, MANAGER).expect("there is something to take over");
    shared
        .kubectl(
            &["-n", &namespace.name, "label", "configmap", "c", "a=b"],
            "",
        )
        .exits(0);
    let migrate_by = |patch: &Value| {
        let patch = patch.to_string();
        shared.kubectl(
            &[
                "-n",
                &namespace.name,
                "patch",
                "configmap",
                "c",
                "--type=json",
                "-p",
                &patch,
            ],
            "",
        )
    };
    let refused = migrate_by(&stale_patch).exits(1);
    assert!(
        refused.stderr.contains("the object has been modified"),
        "{refused}"
    );

    let live = server.get(&client_side).await;
    migrate_by(&migrate::migration(&live, MANAGER).expect("there is something to take over"))
        .exits(0);
    let live = server.get(&client_side).await;
    assert_eq!(migrate::migration(&live, MANAGER), None, "{live}");
    assert_eq!(
        live["data"],
        json!({"kept": "1", "removed": "2", "foreign": "3"})
    );

    server
        .apply(&map(json!({"kept": "1"})), MANAGER, false)
        .await
        .expect("there is no conflict");
    let live = server.get(&client_side).await;
    assert_eq!(live["data"], json!({"kept": "1", "foreign": "3"}), "{live}");
    assert_eq!(live["metadata"]["annotations"], Value::Null, "{live}");
    assert_eq!(live["metadata"]["labels"], json!({"a": "b"}), "{live}");
}
