//! Images to a real registry and back, in every direction and over every kind of login.

use std::fs;

use e2e::{Fault, FaultProxy, Gate, Guard, Registry, Rule, Workshop, run, tool};
use serde_json::Value;

#[test]
fn what_is_pushed_is_what_is_pulled() {
    let (registry, shop) = (Registry::start(), Workshop::new());
    let digest = shop.build_index("layout", &["--annotation", "a=b"]);
    let (one, two) = (registry.repository("web:1"), registry.repository("web:2"));
    let words = [
        "push",
        "layout",
        &one,
        &two,
        "--image-refs",
        "refs",
        "-o",
        "json",
    ];
    let pushed = shop.ocipack(&words).exits(0);
    let answer: Value = serde_json::from_str(&pushed.stdout).unwrap();
    assert_eq!(answer["digest"], digest, "{pushed}");
    assert_eq!(registry.tags("web"), ["1", "2"]);
    let refs = fs::read_to_string(shop.path("refs")).unwrap();
    assert_eq!(refs, format!("{}@{digest}\n", registry.repository("web")));

    // By tag and by digest, into either form.
    let at = format!("{}@{digest}", registry.repository("web"));
    for (reference, target) in [(&one, "back"), (&at, "back.tar"), (&two, "back-2.tar")] {
        let pulled = shop.ocipack(&["pull", reference, target]).exits(0);
        assert_eq!(pulled.stdout.trim(), digest);
        shop.ocipack(&["verify", target]).exits(0);
        shop.ocipack(&["diff", "layout", target]).exits(0);
    }
    let same = shop
        .ocipack(&["verify", "layout", "--against", &one])
        .exits(0);
    assert!(same.stdout.contains("are as they should be"), "{same}");
    assert_eq!(
        shop.ocipack(&["digest", &two]).exits(0).stdout.trim(),
        digest
    );

    let inspected = shop.ocipack(&["inspect", &one, "-o", "json"]).exits(0);
    let summary: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(summary["digest"], digest);
    let platforms = summary["images"].as_array().unwrap().iter();
    let platforms: Vec<_> = platforms.map(|image| &image["platform"]).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"], "{inspected}");
}

#[test]
fn a_second_push_sends_nothing_and_another_repository_mounts() {
    let (registry, shop) = (Registry::start(), Workshop::new());
    let proxy = FaultProxy::start(registry.address, vec![]);
    shop.build("layout", 100_000);
    let at = |name: &str| format!("{}/{name}", proxy.address);
    shop.ocipack(&["push", "layout", &at("one:1")]).exits(0);
    let uploads = || {
        let seen = proxy.seen();
        seen.iter().filter(|seen| seen.method == "PATCH").count()
    };
    let first = uploads();
    assert_eq!(first, 2, "a configuration and a layer");
    let again = shop.ocipack(&["push", "layout", &at("one:1"), "-o", "json"]);
    let answer: Value = serde_json::from_str(&again.exits(0).stdout).unwrap();
    assert_eq!(
        (&answer["existing"], &answer["copied"]),
        (&2.into(), &0.into())
    );

    let words = [
        "push",
        "layout",
        &at("two:1"),
        "--mount-from",
        "one",
        "-o",
        "json",
    ];
    let mounted = shop.ocipack(&words).exits(0);
    let answer: Value = serde_json::from_str(&mounted.stdout).unwrap();
    assert_eq!(answer["mounted"], 2, "{mounted}");
    // And so does a copy within the registry, or a push to several at once.
    let copied = shop.ocipack(&[
        "copy",
        &at("one:1"),
        &at("three:1"),
        &at("four:1"),
        "-o",
        "json",
    ]);
    let answer: Value = serde_json::from_str(&copied.exits(0).stdout).unwrap();
    assert_eq!(answer["mounted"], 4);
    assert_eq!(uploads(), first, "something was sent again");
    shop.ocipack(&["verify", "layout", "--against", &at("four:1")])
        .exits(0);
}

#[test]
fn copies_go_in_every_direction() {
    let (here, there, shop) = (Registry::start(), Registry::start(), Workshop::new());
    let digest = shop.build_index("layout", &["--compression", "zstd"]);
    let (a, b) = (here.repository("a:1"), there.repository("b/c:2"));
    for (from, to) in [
        ("layout", "copy.tar"),
        ("copy.tar", "copy"),
        ("copy", a.as_str()),
        (&a, &b),
        (&b, "back.tar"),
        ("back.tar", &a),
    ] {
        let copied = shop.ocipack(&["copy", from, to]).exits(0);
        assert_eq!(copied.stdout.trim(), digest, "{from} to {to}");
    }
    shop.ocipack(&["verify", "back.tar"]).exits(0);
    // The name that it had goes along, or that of the registry.
    let name = |image: &str| {
        let summary = shop.ocipack(&["inspect", image, "-o", "json"]).exits(0);
        serde_json::from_str::<Value>(&summary.stdout).unwrap()["name"].clone()
    };
    assert_eq!(name("copy"), "localhost/web:1");
    assert_eq!(name("back.tar"), b.as_str());

    let one = shop.ocipack(&["copy", &a, "arm.tar", "--platform", "linux/arm64"]);
    assert_ne!(one.exits(0).stdout.trim(), digest);
    let summary = shop.ocipack(&["inspect", "arm.tar"]).exits(0);
    assert!(
        summary.stdout.contains("platform  linux/arm64"),
        "{summary}"
    );
    assert!(
        !summary.stdout.contains("platform  linux/amd64"),
        "{summary}"
    );
    shop.ocipack(&["verify", "arm.tar"]).exits(0);
    shop.ocipack(&["copy", &a, "x.tar", "--platform", "linux/s390x"])
        .fails_naming(2, &["linux/s390x", "linux/amd64"]);
    assert!(!shop.path("x.tar").exists());
}

#[test]
fn a_login_is_taken_from_where_docker_keeps_it_and_never_shown() {
    let guard = Guard {
        login: true,
        tls: None,
    };
    let (registry, mut shop) = (Registry::guarded(&guard), Workshop::new());
    shop.build("layout", 1000);
    let reference = registry.repository("web:1");
    let refused = shop.ocipack(&["push", "layout", &reference]);
    refused.fails_naming(
        2,
        &[
            "not authorized",
            "docker login",
            &registry.address.to_string(),
        ],
    );
    assert!(registry.tags("web").is_empty());

    shop.login(&registry.address.to_string());
    let pushed = shop.ocipack(&["push", "layout", &reference]).exits(0);
    assert!(!pushed.to_string().contains("planted"), "{pushed}");
    shop.ocipack(&["pull", &reference, "back"]).exits(0);

    // The same from a helper.
    let helper = shop.path("docker-credential-test");
    let answer = r#"{"Username":"planted-user","Secret":"planted-password"}"#;
    fs::write(
        &helper,
        format!("#!/bin/sh\ncat >/dev/null\necho '{answer}'\n"),
    )
    .unwrap();
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let docker = shop.path("helper");
    fs::create_dir(&docker).unwrap();
    let config = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.address);
    fs::write(docker.join("config.json"), config).unwrap();
    let mut pull = shop.command(&["pull", &reference, "back-2"]);
    let path = format!(
        "{}:{}",
        shop.path("").display(),
        std::env::var("PATH").unwrap()
    );
    pull.env("DOCKER_CONFIG", &docker).env("PATH", &path);
    run(&mut pull, "").exits(0);

    fs::write(
        &helper,
        "#!/bin/sh\ncat >/dev/null; echo planted-output; exit 1\n",
    )
    .unwrap();
    let mut pull = shop.command(&["pull", &reference, "back-3"]);
    pull.env("DOCKER_CONFIG", &docker).env("PATH", &path);
    let failed = run(&mut pull, "").fails_naming(2, &["docker-credential-test"]);
    assert!(!failed.to_string().contains("planted-output"), "{failed}");
}

#[test]
fn a_token_that_ends_in_the_middle_is_renewed() {
    let (registry, mut shop) = (Registry::start(), Workshop::new());
    // "planted-user:planted-password", and tokens good for three requests each.
    let login = "Basic cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ=";
    let gate = Gate::new(login, 3);
    let proxy = FaultProxy::with_gate(registry.address, vec![], Some(gate));
    shop.login(&proxy.address.to_string());
    shop.build("layout", 3 << 20);
    let reference = format!("{}/web:1", proxy.address);
    let words = ["push", "layout", &reference, "--chunk-size", "512K"];
    let pushed = shop.ocipack(&words).exits(0);
    let seen = proxy.seen();
    let tokens = seen.iter().filter(|seen| seen.path.starts_with("/token"));
    assert!(tokens.count() > 3, "{seen:?}");
    assert!(!pushed.to_string().contains("planted"), "{pushed}");
    let there = registry.repository("web:1");
    shop.ocipack(&["verify", "layout", "--against", &there])
        .exits(0);

    let mut stranger = Workshop::new();
    stranger.set("DOCKER_CONFIG", stranger.path("nothing"));
    stranger.build("layout", 10);
    stranger
        .ocipack(&["push", "layout", &reference])
        .fails_naming(2, &["not authorized"]);
}

#[test]
fn tls_is_checked_and_never_left_out() {
    let shop = Workshop::new();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, secret) = (shop.path("tls.pem"), shop.path("tls.key"));
    fs::write(&certificate, key.cert.pem()).unwrap();
    fs::write(&secret, key.signing_key.serialize_pem()).unwrap();
    let guard = Guard {
        login: false,
        tls: Some((certificate.clone(), secret)),
    };
    let registry = Registry::guarded(&guard);
    shop.build("layout", 1000);
    let reference = format!("localhost:{}/web:1", registry.address.port());
    shop.ocipack(&["push", "layout", &reference, "--retries", "0"])
        .fails_naming(2, &["certificate"]);
    assert!(registry.tags("web").is_empty());
    let mut push = shop.command(&["push", "layout", &reference]);
    run(push.env("SSL_CERT_FILE", &certificate), "").exits(0);
    assert_eq!(registry.tags("web"), ["1"]);
}

#[test]
fn a_base_image_comes_from_a_registry_by_digest_only() {
    let (registry, shop) = (Registry::start(), Workshop::new());
    let digest = shop.build_index("base", &["--env", "BASE=1", "--label", "of=base"]);
    let base = registry.repository("base");
    shop.ocipack(&["push", "base", &format!("{base}:1")])
        .exits(0);
    let on = |base: &str, output: &str| {
        let words = ["build", "--binary", "linux/amd64=server", "--env", "OWN=2"];
        let more = ["--file", "server:/opt/x", "--base", base, "-o", output];
        // The same program again would lie at the same path of an upper layer, which is allowed.
        shop.ocipack(&[&words[..], &more].concat())
    };
    on(&format!("{base}:1"), "web.tar").fails_naming(2, &["digest", "base"]);
    let built = on(&format!("{base}@{digest}"), "web.tar").exits(0);
    shop.ocipack(&["verify", "web.tar"]).exits(0);
    let summary = shop.ocipack(&["inspect", "web.tar", "-o", "json"]).exits(0);
    let summary: Value = serde_json::from_str(&summary.stdout).unwrap();
    let image = &summary["images"][0];
    assert_eq!(image["layers"].as_array().unwrap().len(), 2, "{summary}");
    assert_eq!(
        image["config"]["Env"],
        serde_json::json!(["BASE=1", "OWN=2"])
    );
    assert_eq!(image["config"]["Labels"]["of"], "base");
    // From a layout it is the same image, but for the name that is noted of its base.
    let local = on("base", "web-2.tar").exits(0);
    assert_ne!(built.stdout, local.stdout);
    let differs = shop.ocipack(&["diff", "web.tar", "web-2.tar"]).exits(1);
    assert_eq!(differs.stdout.lines().count(), 1, "{differs}");
    assert!(differs.stdout.contains("image.base.name"), "{differs}");
}

#[test]
fn what_a_registry_lacks_or_holds_otherwise_is_found() {
    let (registry, shop) = (Registry::start(), Workshop::new());
    shop.build("one", 1000);
    let other = shop.build_index("two", &[]);
    let reference = registry.repository("web:1");
    shop.ocipack(&["pull", &reference, "x"])
        .fails_naming(2, &["web:1", "is not in its registry"]);
    shop.ocipack(&["push", "two", &reference]).exits(0);
    let ran = shop
        .ocipack(&["verify", "one", "--against", &reference])
        .exits(1);
    assert!(ran.stdout.contains(&other), "{ran}");
    let proxy = FaultProxy::start(
        registry.address,
        vec![Rule::new("GET", "/blobs/", Fault::WrongByte).times(100)],
    );
    let through = format!("{}/web:1", proxy.address);
    let ran = shop
        .ocipack(&["verify", "two", "--against", &through])
        .exits(1);
    assert!(
        ran.stdout.contains("the registry sent the content of"),
        "{ran}"
    );
    let pull = shop.ocipack(&["pull", &through, "wrong"]);
    pull.fails_naming(2, &["the registry sent the content of"]);
    assert!(!shop.path("wrong/index.json").exists());
    // Whole again, the same command finishes.
    proxy.set(vec![]);
    shop.ocipack(&["pull", &through, "wrong"]).exits(0);
    shop.ocipack(&["diff", "two", "wrong"]).exits(0);
}

#[test]
fn manifests_are_pushed_as_an_artifact_that_is_the_same_each_time() {
    let (registry, shop) = (Registry::start(), Workshop::new());
    fs::create_dir_all(shop.path("manifests/base")).unwrap();
    fs::write(shop.path("manifests/base/web.yaml"), "kind: Service\n").unwrap();
    fs::write(shop.path("manifests/.hidden"), "x").unwrap();
    let reference = registry.repository("manifests:1");
    let words = ["push", "--artifact", "manifests", &reference];
    let more = ["--annotation", "org.opencontainers.image.revision=abc"];
    let push = || shop.ocipack(&[&words[..], &more].concat()).exits(0).stdout;
    let digest = push();
    assert_eq!(push(), digest);
    assert_eq!(registry.tags("manifests"), ["1"]);
    // As Flux and every other reader of such artifacts sees it.
    let crane = e2e::registry_programs().join("crane");
    let mut manifest = std::process::Command::new(crane);
    let manifest = run(manifest.args(["manifest", &reference]), "").exits(0);
    let manifest: Value = serde_json::from_str(&manifest.stdout).unwrap();
    let types = [&manifest["config"], &manifest["layers"][0]].map(|blob| &blob["mediaType"]);
    assert_eq!(
        types,
        [
            "application/vnd.cncf.flux.config.v1+json",
            "application/vnd.cncf.flux.content.v1.tar+gzip"
        ]
    );
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.revision"], "abc");
    assert!(annotations["org.opencontainers.image.created"].is_string());

    shop.ocipack(&["push", "--artifact", "nothing", &reference])
        .fails_naming(2, &["nothing"]);
    shop.ocipack(&["push", "manifests", &reference])
        .fails_naming(2, &["not an OCI layout"]);
}

#[test]
fn memory_does_not_grow_with_the_image() {
    const LIMIT_KIB: u64 = 32 * 1024;
    let (registry, shop) = (Registry::start(), Workshop::new());
    let size = 96 << 20;
    shop.build("layout", size);
    let reference = registry.repository("web:1");
    let build = ["build", "--binary", "linux/amd64=server", "-o", "again"];
    let ballast = ["--file", "ballast:/ballast", "--compression"];
    let works: [Vec<&str>; 7] = [
        [&build[..], &ballast, &["none"]].concat(),
        [&build[..], &ballast, &["zstd:1"]].concat(),
        vec!["push", "layout", &reference],
        vec!["pull", &reference, "pulled.tar"],
        vec!["copy", "pulled.tar", "pulled"],
        vec!["verify", "layout", "--against", &reference],
        vec!["inspect", "pulled"],
    ];
    for words in works {
        // A process that has ended can be asked for its peak only by its parent.
        let report = shop.path("report");
        let mut measured = std::process::Command::new(tool("xtask"));
        measured.arg("measured").arg(&report).arg("--");
        let ocipack = shop.command(&words);
        measured.arg(ocipack.get_program()).args(ocipack.get_args());
        measured.current_dir(shop.path(""));
        run(&mut measured, "").exits(0);
        let taken: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        assert_eq!(taken["code"], 0, "{words:?}: {taken}");
        let peak = taken["peak_kib"].as_u64().unwrap();
        assert!(peak > 1024, "{words:?}: nothing was measured: {taken}");
        assert!(peak <= LIMIT_KIB, "{words:?} took {peak} KiB");
    }
}
