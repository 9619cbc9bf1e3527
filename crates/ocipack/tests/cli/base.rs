//! What an image takes from elsewhere: annotations from Cargo.toml, layers from a base image.

use std::fs;

use serde_json::json;
use tar::EntryType;

use super::build::files;
use super::fixture::{Fixture, assert_fails, stdout};
use super::unpack::image;
use super::verify::Forged;

#[test]
fn cargo_and_flags_annotate_and_flags_win() {
    let fixture = Fixture::new();
    let manifest = "[package]\nname = 'p'\nversion = '1.2.3'\nlicense = 'MIT'\n\
                    repository = 'https://example.com/p'\n[[bin]]\nname = 'p'\npath = 'p.rs'\n";
    fs::write(fixture.path("Cargo.toml"), manifest).unwrap();
    let words = ["build", "--binary", "linux/amd64=server", "-o", "layout"];
    let more = [
        "--cargo-manifest",
        "Cargo.toml",
        "--revision",
        "abc",
        "--annotation",
    ];
    let own = "org.opencontainers.image.version=9";
    fixture.run(&[&words[..], &more, &[own]].concat()).success();
    let text = files(&fixture.path("layout/blobs"));
    let manifests: Vec<serde_json::Value> = text
        .iter()
        .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok())
        .filter(|document: &serde_json::Value| document["layers"].is_array())
        .collect();
    let annotations = &manifests[0]["annotations"];
    for (key, value) in [
        ("version", "9"),
        ("licenses", "MIT"),
        ("source", "https://example.com/p"),
        ("revision", "abc"),
    ] {
        let key = format!("org.opencontainers.image.{key}");
        assert_eq!(annotations[&key], value, "{annotations}");
    }
    let missing = [&words[..], &["--cargo-manifest", "nothing.toml"]].concat();
    assert_fails(fixture.run(&missing), 2, &["nothing.toml"]);
}

#[test]
fn an_image_lies_upon_another_of_the_same_platform_only() {
    let fixture = Fixture::new();
    fixture.build("base");
    let on = |platform: &str, program: &str| {
        let binary = format!("{platform}={program}");
        let words = [
            "build", "--binary", &binary, "--base", "base", "-o", "web.tar",
        ];
        fixture.run(&words)
    };
    assert_fails(
        on("linux/arm64", "server-arm"),
        2,
        &["linux/arm64", "linux/amd64"],
    );
    on("linux/amd64", "server").success();
    fixture.run(&["verify", "web.tar"]).success();
    let json = stdout(&fixture.run(&["inspect", "web.tar", "-o", "json"]).success());
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    let layers = summary["images"][0]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    // The base has the accounts: the layer above only what is new.
    let upper = layers[1]["entries"].as_array().unwrap().iter();
    let paths: Vec<_> = upper.map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bin/", "bin/server"]);

    let blobs = fs::read_dir(fixture.path("base/blobs/sha256")).unwrap();
    let blobs = blobs.map(|blob| blob.unwrap().path());
    let gzip = |path: &std::path::PathBuf| fs::read(path).unwrap().starts_with(&[0x1f, 0x8b]);
    let layer = blobs.into_iter().find(gzip).unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&layer, bytes).unwrap();
    assert_fails(
        on("linux/amd64", "server"),
        2,
        &["base image", "has the content of"],
    );
}

#[test]
fn the_bases_links_and_folders_stay_as_they_are() {
    let fixture = Fixture::new();
    let (folder, link) = (EntryType::Directory, EntryType::Symlink);
    // As Debian has it: programs are in /usr/bin, to which /bin is a link.
    image(
        &fixture,
        &[&[
            ("bin", link, "usr/bin", 0o777, ""),
            ("usr/bin/sh", EntryType::Regular, "", 0o755, "shell"),
            ("tmp/", folder, "", 0o1777, ""),
            ("root/", folder, "", 0o700, ""),
        ]],
    );
    let words = "build --base forged --binary linux/amd64=server --file server:/tmp/x \
                 --file server:/root/new/x -o web";
    let words: Vec<&str> = words.split_whitespace().collect();
    fixture.run(&words).success();
    fixture.run(&["verify", "web"]).success();
    let json = stdout(&fixture.run(&["inspect", "web", "-o", "json"]).success());
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    let upper = summary["images"][0]["layers"][1]["entries"]
        .as_array()
        .unwrap()
        .clone();
    let entries = upper.iter().map(|entry| {
        let text = |key: &str| entry[key].as_str().unwrap();
        format!("{} {}", text("mode"), text("path"))
    });
    let expected = [
        "0700 root/",
        "0755 root/new/",
        "0644 root/new/x",
        "1777 tmp/",
        "0644 tmp/x",
        "0755 usr/",
        "0755 usr/bin/",
        "0755 usr/bin/server",
    ];
    assert_eq!(entries.collect::<Vec<_>>(), expected);

    fixture.run(&["unpack", "web", "root"]).success();
    // The shell would be gone if /bin had become a folder of its own.
    for program in ["sh", "server"] {
        assert!(fixture.path("root/bin").join(program).exists(), "{program}");
    }
    let twice = [&words[..], &["--file", "server:/usr/bin/server"]].concat();
    assert_fails(
        fixture.run(&twice),
        2,
        &["/usr/bin/server is in the image already"],
    );
}

#[test]
fn what_only_docker_knows_of_the_base_is_kept() {
    let fixture = Fixture::new();
    let directory = fixture.path("forged");
    fs::create_dir(&directory).unwrap();
    let base = Forged {
        directory: &directory,
    };
    let check = json!({"Test": ["CMD", "/bin/check"], "Interval": 30_000_000_000_u64});
    let shell = json!(["/bin/bash", "-c"]);
    let config = json!({"os": "linux", "architecture": "amd64",
        "config": {"Healthcheck": check, "Shell": shell, "OnBuild": ["COPY . /"], "Env": ["A=1"]},
        "rootfs": {"type": "layers", "diff_ids": []}});
    let config = base.document("config.v1+json", &config);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
    base.index(&[base.document("manifest.v1+json", &manifest)]);

    let words = "build --base forged --binary linux/amd64=server -o";
    let words: Vec<&str> = words.split_whitespace().collect();
    let digest = |output| stdout(&fixture.run(&[&words[..], &[output]].concat()).success());
    assert_eq!(digest("web"), digest("web.tar"));
    fixture.run(&["verify", "web"]).success();
    let text = files(&fixture.path("web/blobs"));
    let documents = text
        .iter()
        .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok());
    let mut configs =
        documents.filter(|document: &serde_json::Value| document["config"]["Env"].is_array());
    let run = &configs.next().unwrap()["config"];
    assert_eq!(run["Healthcheck"], check);
    assert_eq!(run["Shell"], shell);
    assert_eq!(run["Entrypoint"], json!(["/bin/server"]));
    // It is for the build that was just done, and Docker hands it on neither.
    assert!(run.get("OnBuild").is_none(), "{run}");
}
