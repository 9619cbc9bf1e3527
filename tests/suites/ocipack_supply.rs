//! SBOMs, provenance and signatures: into registries of both kinds and out again, and with cosign
//! in both directions.

use std::{fs, process::Command};

use e2e::{Ran, Registry, Shared, Workshop, cosign, run, tool};
use serde_json::Value;

const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
const SLSA: &str = "https://slsa.dev/provenance/v1";

/// A registry that lists referrers, and one that does not.
fn both() -> [Registry; 2] {
    [Registry::with_referrers(), Registry::start()]
}

fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.exits(0).stdout).unwrap()
}

/// A workshop whose commands know the password of its keys.
fn workshop() -> Workshop {
    let mut shop = Workshop::new();
    shop.set("COSIGN_PASSWORD", "planted-password");
    shop
}

fn run_cosign(shop: &Workshop, words: &[&str]) -> Ran {
    let mut command = Command::new(cosign());
    command
        .args(words)
        .current_dir(shop.path(""))
        .env("COSIGN_PASSWORD", "planted-password")
        .env("HOME", shop.path(""))
        .env("DOCKER_CONFIG", shop.path("no-docker"));
    run(&mut command, "")
}

#[test]
fn attachments_are_listed_by_registries_of_both_kinds() {
    for registry in both() {
        let shop = Workshop::new();
        shop.build_index("layout", &[]);
        let reference = registry.repository("web:1");
        shop.ocipack(&["push", "layout", &reference]).exits(0);
        let list = || json(shop.ocipack(&["referrers", &reference, "-o", "json"]));
        assert_eq!(list(), Value::Array(vec![]));

        fs::write(shop.path("sbom"), r#"{"bomFormat":"CycloneDX"}"#).unwrap();
        fs::write(shop.path("note"), "hello").unwrap();
        let words = ["attach", &reference, "sbom", "--annotation", "a=b"];
        let digest = shop.ocipack(&words).exits(0).stdout;
        // Once more is once.
        assert_eq!(shop.ocipack(&words).exits(0).stdout, digest);
        let note = ["attach", &reference, "note"];
        shop.ocipack(&note)
            .fails_naming(2, &["note", "--artifact-type"]);
        let typed = ["--artifact-type", "text/plain"];
        shop.ocipack(&[&note[..], &typed].concat()).exits(0);

        let found = list();
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        let sbom = found.iter().find(|one| one["artifactType"] == CYCLONEDX);
        assert_eq!(sbom.unwrap()["digest"], digest.trim());
        assert_eq!(sbom.unwrap()["annotations"]["a"], "b");
        let words = ["referrers", &reference, "--artifact-type", CYCLONEDX];
        let content = shop.ocipack(&[&words[..], &["--content"]].concat());
        assert_eq!(content.exits(0).stdout, r#"{"bomFormat":"CycloneDX"}"#);
        shop.ocipack(&["referrers", &reference, "--content"])
            .fails_naming(2, &["has 2"]);
        // What is attached is no part of the image.
        shop.ocipack(&["verify", "layout", "--against", &reference])
            .exits(0);
    }
}

#[test]
fn signatures_are_bound_to_image_and_key() {
    for registry in both() {
        let shop = workshop();
        shop.ocipack(&["generate-key-pair"]).exits(0);
        shop.ocipack(&["generate-key-pair", "other"]).exits(0);
        shop.ocipack(&["generate-key-pair"])
            .fails_naming(2, &["cosign.key is there already"]);
        let digest = shop.build_index("layout", &[]);
        let reference = registry.repository("web:1");
        shop.ocipack(&["push", "layout", &reference]).exits(0);
        let verify = ["verify", &reference, "--key"];
        let verify = |key| shop.ocipack(&[&verify[..], &[key]].concat());
        verify("cosign.pub").fails_naming(1, &["has no signature", &digest]);

        for legacy in [&[][..], &["--legacy"]] {
            let words = ["sign", &reference, "--key", "cosign.key", "-o", "json"];
            let sign = || json(shop.ocipack(&[&words[..], legacy].concat()));
            let first = sign();
            assert_eq!(first["digest"], digest);
            // The key's owner signed already: nothing new.
            assert_eq!(sign()["signed"], first["signed"]);
        }
        let verified = verify("cosign.pub").exits(0);
        assert_eq!(verified.stdout.lines().count(), 2, "{verified}");
        assert!(verified.stdout.contains(&digest), "{verified}");
        let refused = verify("other.pub").fails_naming(1, &["other.pub", "2 that do not count"]);
        assert!(
            refused.stdout.contains("not signed by this key"),
            "{refused}"
        );

        // Another image under the same tag is not signed, nor is a signature carried over to it.
        let next = shop.build("next", 100);
        shop.ocipack(&["push", "next", &reference]).exits(0);
        verify("cosign.pub").fails_naming(1, &["has no signature", &next]);
        let mut wrong = shop.command(&["sign", &reference, "--key", "cosign.key"]);
        let wrong = run(wrong.env("COSIGN_PASSWORD", "planted-guess"), "");
        let wrong = wrong.fails_naming(2, &["cosign.key", "does not open it"]);
        assert!(!wrong.stderr.contains("planted"), "{wrong}");
        shop.ocipack(&["verify", "layout", "--key", "cosign.pub"])
            .fails_naming(2, &["layout", "in a registry"]);
    }
}

#[test]
fn the_servers_sbom_and_provenance_are_attached_and_signed() {
    let (registry, shop) = (Registry::with_referrers(), workshop());
    let archive = Shared::get().archive.display().to_string();
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let sbom = ["sbom", &archive, "--cargo-lock", lock];
    let text = shop.ocipack(&sbom).exits(0).stdout;
    assert_eq!(shop.ocipack(&sbom).exits(0).stdout, text);
    let document: Value = serde_json::from_str(&text).unwrap();
    let components = document["components"].as_array().unwrap();
    let server = components
        .iter()
        .find(|one| one["name"] == "hostname-server");
    assert_eq!(server.unwrap()["type"], "application");
    let hyper = components.iter().find(|one| one["name"] == "hyper");
    let hyper = hyper.expect("the server is made of hyper");
    assert_eq!(hyper["hashes"][0]["alg"], "SHA-256", "{hyper}");
    // The tests' own crates are in Cargo.lock and not in the program.
    assert!(!components.iter().any(|one| one["name"] == "proptest"));

    let reference = registry.repository("web:1");
    shop.ocipack(&["push", &archive, &reference]).exits(0);
    fs::write(shop.path("sbom.json"), &text).unwrap();
    shop.ocipack(&["attach", &reference, "sbom.json"]).exits(0);

    shop.ocipack(&["generate-key-pair"]).exits(0);
    let commit = "git+https://git.example/web=gitCommit:4f1c000000000000000000000000000000000000";
    let words = ["provenance", &archive, "--builder", "https://ci.example/1"];
    let statement = shop.ocipack(&[&words[..], &["--dependency", commit]].concat());
    fs::write(shop.path("provenance.json"), statement.exits(0).stdout).unwrap();
    let words = ["sign", &reference, "--key", "cosign.key", "--statement"];
    let sign = |file| shop.ocipack(&[&words[..], &[file]].concat());
    sign("provenance.json").exits(0);
    sign("sbom.json").fails_naming(2, &["no statement about an image"]);

    let words = ["verify", &reference, "--key", "cosign.pub", "-o", "json"];
    let found = json(shop.ocipack(&[&words[..], &["--predicate-type", SLSA]].concat()));
    let builder = &found["signed"][0]["statement"]["predicate"]["runDetails"]["builder"];
    assert_eq!(builder["id"], "https://ci.example/1", "{found}");
    // A statement is no signature, and a statement about another image is none about this.
    shop.ocipack(&words).exits(1);
    shop.build("other", 100);
    shop.ocipack(&["push", "other", &reference]).exits(0);
    sign("provenance.json").fails_naming(2, &["the statement is not about"]);
}

#[test]
fn cosign_and_ocipack_check_each_others_signatures() {
    for registry in both() {
        let shop = workshop();
        run_cosign(&shop, &["generate-key-pair"]).exits(0);
        let digest = shop.build_index("layout", &[]);
        let image = |name: &str| format!("{}@{digest}", registry.repository(name));
        let ours = |words: &[&str], name: &str| shop.ocipack(&[words, &[&image(name)]].concat());
        let verify_ours = ["verify", "--key", "cosign.pub"];
        let theirs = |words: &[&str], name: &str| {
            let common = ["--allow-http-registry=true", "--key"];
            run_cosign(
                &shop,
                &[&words[..1], &common, &words[1..], &[&image(name)]].concat(),
            )
        };
        let verify_theirs = ["verify", "cosign.pub", "--insecure-ignore-tlog=true"];
        for name in ["bundle", "tag", "cosign-bundle", "cosign-tag"] {
            let reference = format!("{}:1", registry.repository(name));
            shop.ocipack(&["push", "layout", &reference]).exits(0);
            assert_ne!(theirs(&verify_theirs, name).code, Some(0), "{name}");
        }
        let sign_ours = ["sign", "--key", "cosign.key"];
        ours(&sign_ours, "bundle").exits(0);
        ours(&[&sign_ours[..], &["--legacy"]].concat(), "tag").exits(0);
        let sign_theirs = [
            "sign",
            "cosign.key",
            "--use-signing-config=false",
            "--tlog-upload=false",
            "--yes",
        ];
        theirs(&sign_theirs, "cosign-bundle").exits(0);
        let before = ["--new-bundle-format=false"];
        theirs(&[&sign_theirs[..], &before].concat(), "cosign-tag").exits(0);
        for name in ["bundle", "tag", "cosign-bundle", "cosign-tag"] {
            ours(&verify_ours, name).exits(0);
            let verified = theirs(&verify_theirs, name).exits(0);
            assert!(verified.stdout.contains(&digest), "{name}: {verified}");
        }

        // A statement that ocipack signed is an attestation for cosign.
        let reference = image("bundle");
        let words = ["provenance", &reference, "--builder", "https://ci.example"];
        let statement = shop.ocipack(&words).exits(0).stdout;
        fs::write(shop.path("statement"), statement).unwrap();
        ours(
            &[&sign_ours[..], &["--statement", "statement"]].concat(),
            "bundle",
        )
        .exits(0);
        let words = [
            "verify-attestation",
            "cosign.pub",
            "--insecure-ignore-tlog=true",
            "--type=slsaprovenance1",
        ];
        theirs(&words, "bundle").exits(0);
    }
}

#[test]
fn containerd_knows_a_loaded_image_by_its_digest_too() {
    let (shared, shop) = (Shared::get(), Workshop::new());
    let programs = shared.klab(&["runtime", "path"]).exits(0).stdout;
    let ctr = format!("{}/ctr", programs.trim());
    let name = format!("localhost/loaded-{}", std::process::id());
    let named = format!("{name}:1");
    let words = ["build", "--binary", "linux/amd64=server", "--name", &named];
    let digest = shop.ocipack(&[&words[..], &["-o", "layout"]].concat());
    let digest = digest.exits(0).stdout;
    let pinned = format!("{name}@{}", digest.trim());
    let layout = shop.path("layout").display().to_string();
    let ocipack = tool("ocipack").display().to_string();
    let socket = "/run/containerd/containerd.sock";
    let on_node = |words: &[&str]| shared.klab(&[&["exec", "server", "--"], words].concat());
    let load = [
        &ocipack,
        "load",
        &layout,
        "--containerd",
        socket,
        "--ctr",
        &ctr,
    ];
    on_node(&load).exits(0);
    // And again, over what is there.
    on_node(&load).exits(0);
    let images = [ctr.as_str(), "-a", socket, "-n", "k8s.io", "images"];
    let listed = on_node(&[&images[..], &["ls", "-q"]].concat()).exits(0);
    for name in [&named, &pinned] {
        assert!(listed.stdout.lines().any(|line| line == name), "{listed}");
    }
    on_node(&[&images[..], &["rm", &named, &pinned]].concat()).exits(0);
}
