//! Registries, where what they hold or where they are is out of the ordinary.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use super::fixture::{Fixture, assert_fails, end, stdout, until};
use super::shelf::Shelf;

#[test]
fn there_is_no_proxy_on_the_way_to_the_loopback() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    let reference = format!("{}/web:1", shelf.open());
    let mut command = fixture.command();
    command.args(["digest", &reference, "--retries", "0"]);
    for variable in ["http_proxy", "https_proxy", "all_proxy"] {
        // Nobody is there.
        command.env(variable, "http://127.0.0.1:9");
        command.env(variable.to_uppercase(), "http://127.0.0.1:9");
    }
    let run = command.assert().success();
    assert_eq!(stdout(&run).trim(), image["digest"]);
}

#[test]
fn a_file_that_reads_as_a_reference_is_hinted_at() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("127.0.0.1:1")).unwrap();
    // Nobody is there.
    let name = "127.0.0.1:1/x:0.tar";
    let commands = ["digest", "inspect", "verify"];
    let told = |command: &str| {
        let run = fixture.run(&[command, name, "--retries", "0"]).code(2);
        String::from_utf8(run.get_output().stderr.clone()).unwrap()
    };
    let hint = format!("; for what has that name here write ./{name}\n");
    for command in commands {
        assert!(!told(command).contains("./"), "{command}");
    }
    fixture.build(&format!("./{name}"));
    for command in commands {
        let told = told(command);
        assert!(told.ends_with(&hint), "{told}");
    }
    // A push goes to registries only.
    let push = fixture.run(&["push", &format!("./{name}"), name, "--retries", "0"]);
    let told = String::from_utf8(push.code(2).get_output().stderr.clone()).unwrap();
    assert!(!told.contains("./"), "{told}");
    fixture.run(&["digest", &format!("./{name}")]).success();
}

#[test]
fn podmans_login_is_found_without_xdg_runtime_dir() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    // "planted-user:planted-password"
    let login = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ=";
    let address = shelf.guarded(&format!("Basic {login}")).open();
    let digest = |home: &str| {
        let mut command = fixture.command();
        for variable in ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE"] {
            command.env_remove(variable);
        }
        command.env("DOCKER_CONFIG", fixture.path("none"));
        command.env("HOME", fixture.path(home));
        command
            .args(["digest", &format!("{address}/web:1")])
            .assert()
    };
    assert_fails(digest("none"), 2, &["not authorized"]);
    let folder = fixture.path("home/.config/containers");
    fs::create_dir_all(&folder).unwrap();
    // The registry's, or only the repository's.
    for key in [address.to_string(), format!("{address}/web")] {
        let file = format!(r#"{{"auths":{{"{key}":{{"auth":"{login}"}}}}}}"#);
        fs::write(folder.join("auth.json"), file).unwrap();
        let run = digest("home").success();
        assert_eq!(stdout(&run).trim(), image["digest"]);
    }
}

#[test]
fn no_login_leaves_the_loopback_in_plain_text() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    shelf.image("1", "amd64");
    let address = shelf.tokens_of("http://token.invalid/token").open();
    let reference = format!("{address}/web:1");
    let words = ["digest", &reference, "--retries", "0"];
    assert_fails(
        fixture.run(&words),
        2,
        &["token.invalid", "a login would go in plain text"],
    );
    // Whoever says so takes the risk; there is no such name.
    let run = fixture.run(&[&words[..], &["--plain-http"]].concat());
    assert_fails(run, 2, &["asking for a token", "reachable"]);
}

#[test]
fn a_registry_without_tls_is_told_from_one_that_is_not_there() {
    let fixture = Fixture::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            // Until the other end has read that.
            let _ = io::copy(&mut stream, &mut io::sink());
        }
    });
    // It is this machine, and not a name of the loopback.
    let reference = format!("0.0.0.0:{port}/web:1");
    let mut command = fixture.command();
    command.args(["digest", &reference, "--retries", "0"]);
    let run = command.env("no_proxy", "0.0.0.0").assert();
    assert_fails(run, 2, &["answers without TLS", "--plain-http"]);
}

#[test]
fn nothing_comes_from_beyond_the_loopback_in_plain_text() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    let other = shelf.open();
    let digest = |origin: &str, more: &[&str]| {
        let address = Shelf::default().moved(origin).open();
        let reference = format!("{address}/web:1");
        fixture.run(&[&["digest", &reference, "--retries", "0"], more].concat())
    };
    let run = digest(&format!("http://{other}"), &[]).success();
    assert_eq!(stdout(&run).trim(), image["digest"]);
    let beyond = digest("http://registry.invalid", &[]);
    assert_fails(beyond, 2, &["it redirects to HTTP, beyond the loopback"]);
    // Whoever says so takes the risk; there is no such name.
    let beyond = digest("http://registry.invalid", &["--plain-http"]);
    assert_fails(beyond, 2, &["lookup"]);
}

#[test]
fn a_signature_that_is_no_more_hides_none_that_is() {
    let fixture = Fixture::new();
    let key = |words: &[&str]| {
        let mut command = fixture.command();
        command.args(words).env("COSIGN_PASSWORD", "");
        command.assert().success();
    };
    key(&["generate-key-pair", "owner"]);
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    let hex = image["digest"].as_str().unwrap().replace(':', "-");
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let gone = |digit: &str, artifact_type: Value| {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 9,
            "digest": format!("sha256:{}", digit.repeat(64)), "artifactType": artifact_type})
    };
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [gone("0", json!(bundle)), gone("1", Value::Null)]});
    shelf.manifest(&hex, "index", &list);
    // Nor is there any need that the tag of old is what it should be.
    let empty = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": []});
    shelf.manifest(&format!("{hex}.sig"), "index", &empty);
    let reference = format!("{}/web:1", shelf.open());

    let run = fixture.run(&["referrers", &reference]).success();
    assert!(stdout(&run).contains("(no type)"), "{}", stdout(&run));
    let run = fixture.run(&["verify", &reference, "--key", "owner.pub", "-o", "json"]);
    let found: Value = serde_json::from_str(&stdout(&run.code(1))).unwrap();
    let rejected = found["rejected"].as_array().unwrap().iter();
    let rejected: Vec<&str> = rejected.map(|text| text.as_str().unwrap()).collect();
    assert!(rejected[0].ends_with("is missing"), "{rejected:?}");
    assert!(
        rejected[1].contains(".sig is of application/"),
        "{rejected:?}"
    );
    assert_eq!(rejected.len(), 2);
}

#[test]
fn attaching_goes_on_after_something_attached_was_deleted() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "amd64");
    let hex = image["digest"].as_str().unwrap().replace(':', "-");
    let kept = shelf.image("kept", "arm64");
    let mut gone = kept.clone();
    gone["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [gone, kept]});
    shelf.manifest(&hex, "index", &list);
    fs::write(fixture.path("note"), "note").unwrap();
    for bytes in ["{}", "note"] {
        shelf.blob("text/plain", bytes.as_bytes());
    }
    let reference = format!("{}/web:1", shelf.open());

    let attach = [
        "attach",
        &reference,
        "note",
        "--artifact-type",
        "text/plain",
    ];
    let attached = stdout(&fixture.run(&attach).success());
    let listed = stdout(&fixture.run(&["referrers", &reference]).success());
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed[0].starts_with(kept["digest"].as_str().unwrap()));
    assert!(listed[1].starts_with(attached.trim()));
}

#[test]
fn a_long_list_of_referrers_keeps_all_or_is_left_as_it_is() {
    let fixture = Fixture::new();
    fs::write(fixture.path("note"), "note").unwrap();
    // So many are there, each with an annotation of so many bytes.
    let attach = |count: usize, length: usize| {
        let mut shelf = Shelf::default();
        let image = shelf.image("1", "amd64");
        let hex = image["digest"].as_str().unwrap().replace(':', "-");
        let kept = shelf.image("kept", "arm64");
        let entries = (0..count).map(|_| {
            let mut entry = kept.clone();
            entry["annotations"] = json!({ "a": "-".repeat(length) });
            entry
        });
        let list = json!({"schemaVersion": 2, "manifests": entries.collect::<Vec<_>>(),
            "mediaType": "application/vnd.oci.image.index.v1+json"});
        shelf.manifest(&hex, "index", &list);
        for bytes in ["{}", "note"] {
            shelf.blob("text/plain", bytes.as_bytes());
        }
        let address = shelf.open();
        let reference = format!("{address}/web:1");
        let words = [
            "attach",
            &reference,
            "note",
            "--artifact-type",
            "text/plain",
        ];
        let run = fixture.run(&words);
        (run, list_of(address, &hex))
    };
    let (run, left) = attach(1200, 1);
    let attached = stdout(&run.success()).trim().to_owned();
    assert_eq!(left.len(), 1201);
    assert_eq!(left[1200]["digest"], attached);

    // Into 4 MiB fits no other.
    let (run, left) = attach(1, 4_193_900);
    assert_fails(run, 2, &["2 entries", "over 4194304"]);
    assert_eq!(left.len(), 1);
}

/// The entries of an index in the shelf's repository.
fn list_of(address: SocketAddr, target: &str) -> Vec<Value> {
    let mut stream = TcpStream::connect(address).unwrap();
    let path = format!("/v2/web/manifests/{target}");
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let index: Value = serde_json::from_str(body).unwrap();
    index["manifests"].as_array().unwrap().clone()
}

#[test]
fn an_image_without_an_index_is_pulled_for_its_own_platform_only() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    let image = shelf.image("1", "arm64");
    let reference = format!("{}/web:1", shelf.open());
    for platform in ["linux/arm64", "linux/arm64/v8"] {
        let run = fixture.run(&["pull", "-q", &reference, "web", "--platform", platform]);
        assert_eq!(stdout(&run.success()).trim(), image["digest"]);
    }
    let run = fixture.run(&["pull", &reference, "no", "--platform", "linux/amd64"]);
    assert_fails(
        run,
        2,
        &["is one image, for linux/arm64", "nothing was changed"],
    );
    assert!(!fixture.path("no").exists());
}

#[test]
fn what_was_fetched_goes_with_a_command_that_is_ended() {
    let fixture = Fixture::new();
    let mut shelf = Shelf::default();
    shelf.image("1", "amd64");
    let config = json!({"os": "linux", "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": []}});
    let config = shelf.blob("config", config.to_string().as_bytes());
    let reference = format!("{}/web:1", shelf.silent(&config).open());
    fs::create_dir(fixture.path("tmp")).unwrap();
    let left = || fs::read_dir(fixture.path("tmp")).unwrap().count();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocipack"));
        command.args(["verify", &reference]);
        let mut child = command.env("TMPDIR", fixture.path("tmp")).spawn().unwrap();
        until(&mut child, || left() > 0);
        assert_eq!(end(child, signal), Some(code), "{signal}");
        assert_eq!(left(), 0, "{signal}");
    }
}
