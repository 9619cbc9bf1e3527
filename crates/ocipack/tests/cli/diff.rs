//! Saying in what images differ.

use std::fs;

use serde_json::{Value, json};
use tar::EntryType;

use super::fixture::{Fixture, assert_fails, stdout};
use super::unpack::image;
use super::verify::Forged;

fn build(fixture: &Fixture, output: &str, epoch: &str, more: &[&str]) {
    let words = ["build", "--binary", "linux/amd64=server", "-o", output];
    let mut command = fixture.command();
    command
        .args(words)
        .args(more)
        .env("SOURCE_DATE_EPOCH", epoch);
    command.assert().success();
}

/// The differences as `(object, field, a, b)`.
fn differences(fixture: &Fixture, a: &str, b: &str) -> Vec<[String; 4]> {
    let run = fixture.run(&["diff", a, b, "-o", "json"]).code(1);
    let found: Value = serde_json::from_str(&stdout(&run)).unwrap();
    let list = found["differences"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("(none)").to_owned();
    list.map(|one| ["object", "field", "a", "b"].map(|key| text(&one[key])))
        .collect()
}

#[test]
fn the_file_and_its_property_are_named() {
    let fixture = Fixture::new();
    build(
        &fixture,
        "a",
        "0",
        &["--file", "server:/x:0644", "--file", "server:/only"],
    );
    build(&fixture, "b", "0", &["--file", "server-arm:/x:0600"]);
    let found = differences(&fixture, "a", "b");
    let objects: Vec<_> = found
        .iter()
        .map(|[object, field, ..]| (&**object, &**field))
        .collect();
    let expected = [
        ("file /only", "presence"),
        ("file /x", "mode"),
        ("file /x", "content"),
    ];
    assert_eq!(objects, expected);
    assert_eq!(found[1][2..], ["0644", "0600"]);
    let text = stdout(&fixture.run(&["diff", "a", "b"]).code(1));
    assert!(
        text.contains("linux/amd64 file /x: mode: 0644 -> 0600"),
        "{text}"
    );
}

#[test]
fn dates_configuration_and_annotations_are_named() {
    let fixture = Fixture::new();
    build(&fixture, "a", "0", &["--env", "K=1", "--annotation", "x=1"]);
    build(
        &fixture,
        "b",
        "1700000000",
        &["--env", "K=2", "--user", "7", "--label", "l=1"],
    );
    let found = differences(&fixture, "a", "b");
    let has = |object: &str, field: &str, a: &str, b: &str| {
        let wanted = [object, field, a, b].map(str::to_owned);
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:#?}");
    };
    has(
        "config",
        "created",
        "1970-01-01T00:00:00Z",
        "2023-11-14T22:13:20Z",
    );
    has(
        "file /bin/server",
        "date",
        "1970-01-01T00:00:00Z",
        "2023-11-14T22:13:20Z",
    );
    has("config", "config.Env", r#"["K=1"]"#, r#"["K=2"]"#);
    has("config", "config.User", "65532:65532", "7");
    has("config", "config.Labels.l", "(none)", "1");
    has("manifest", "annotations.x", "1", "(none)");
}

#[test]
fn another_encoder_is_told_from_other_files() {
    let fixture = Fixture::new();
    build(&fixture, "a", "0", &[]);
    build(&fixture, "b", "0", &["--compression", "gzip:1"]);
    build(&fixture, "c", "0", &["--compression", "zstd"]);
    let found = differences(&fixture, "a", "b");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0][1].starts_with("compressed bytes"), "{found:?}");
    let found = differences(&fixture, "a", "c");
    assert_eq!(
        found,
        [["layer 1", "compression", "gzip", "zstd"].map(str::to_owned)]
    );
}

#[test]
fn platforms_count_and_names_do_not() {
    let fixture = Fixture::new();
    build(&fixture, "a", "0", &[]);
    build(
        &fixture,
        "two",
        "0",
        &["--binary", "linux/arm64=server-arm"],
    );
    let found = differences(&fixture, "a", "two");
    let platform = ["index", "platform", "(none)", "linux/arm64"].map(str::to_owned);
    assert!(found.contains(&platform), "{found:?}");

    build(&fixture, "named.tar", "0", &["--name", "web:1"]);
    let run = fixture.run(&["diff", "a", "named.tar"]).success();
    assert_eq!(stdout(&run), "");
    assert_fails(fixture.run(&["diff", "a", "nothing"]), 2, &["nothing"]);
}

#[test]
fn what_a_file_took_the_place_of_is_no_difference() {
    let fixture = Fixture::new();
    let (file, folder) = (EntryType::Regular, EntryType::Directory);
    let upper = [("a", file, "", 0o644, "now a file")];
    let lower = [
        ("a/", folder, "", 0o755, ""),
        ("a/in", file, "", 0o644, ""),
        ("a-b", file, "", 0o644, ""),
    ];
    image(&fixture, &[&lower, &upper]);
    fs::rename(fixture.path("forged"), fixture.path("before")).unwrap();
    image(&fixture, &[&lower[2..], &upper]);
    let found = differences(&fixture, "before", "forged");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0][1].contains("its files are equal"), "{found:?}");
}

#[test]
fn extended_attributes_are_named() {
    let fixture = Fixture::new();
    for (name, value) in [("a", "1"), ("b", "2")] {
        let mut tar = tar::Builder::new(Vec::new());
        let attribute = [("SCHILY.xattr.user.x", value.as_bytes())];
        tar.append_pax_extensions(attribute).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("x").unwrap();
        header.set_mode(0o644);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
        let directory = fixture.path(name);
        let image = Forged {
            directory: &directory,
        };
        let (layer, diff_id) = image.layer(&tar.into_inner().unwrap());
        image.image(&[layer], &[diff_id], "amd64");
    }
    let found = differences(&fixture, "a", "b");
    let expected = ["file /x", "extended attributes", "user.x=1", "user.x=2"];
    assert_eq!(found, [expected.map(str::to_owned)]);
}

#[test]
fn equal_digests_are_no_equal_images_if_one_is_damaged() {
    let fixture = Fixture::new();
    // What an image has in it is another matter.
    image(&fixture, &[&[("dev/null", EntryType::Char, "", 0o644, "")]]);
    fixture.run(&["diff", "forged", "forged"]).success();
    build(&fixture, "a", "0", &[]);
    build(&fixture, "b", "0", &[]);
    fixture.run(&["diff", "a", "b"]).success();
    let blobs = fs::read_dir(fixture.path("b/blobs/sha256")).unwrap();
    for blob in blobs.map(|blob| blob.unwrap().path()) {
        let mut bytes = fs::read(&blob).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&blob, bytes).unwrap();
    }
    assert_fails(
        fixture.run(&["diff", "a", "b"]),
        2,
        &["b: ", "has the content of"],
    );
}

#[test]
fn artifacts_and_indexes_within_indexes_are_read_too() {
    let fixture = Fixture::new();
    let put = |image: &Forged<'_>, config: &str, kind: &str, bytes: &[u8]| {
        let blob = |media_type: &str, bytes: &[u8]| {
            let mut blob = image.blob("", bytes);
            blob["mediaType"] = media_type.into();
            blob
        };
        let manifest = json!({"schemaVersion": 2, "config": blob(config, b"{}"),
            "layers": [blob(kind, bytes)]});
        let manifest = image.document("manifest.v1+json", &manifest);
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        image.index(&[image.document("index.v1+json", &index)]);
    };
    let flux = "application/vnd.cncf.flux.content.v1.tar+gzip";
    for (name, kind, bytes) in [("a", "text/plain", "1"), ("b", "text/plain", "2")] {
        let directory = fixture.path(name);
        fs::create_dir(&directory).unwrap();
        put(
            &Forged {
                directory: &directory,
            },
            "text/x",
            kind,
            bytes.as_bytes(),
        );
    }
    let found = differences(&fixture, "a", "b");
    let fields: Vec<_> = found
        .iter()
        .map(|[object, field, ..]| [&**object, field])
        .collect();
    assert_eq!(fields, [["layer 1", "content"]]);
    let shown = stdout(&fixture.run(&["inspect", "a"]).success());
    assert!(
        shown.contains("(artifact)") && shown.contains("text/plain"),
        "{shown}"
    );
    assert_fails(
        fixture.run(&["unpack", "a", "root"]),
        2,
        &["text/plain, which holds no files"],
    );

    // Manifests as they are pushed: files in a tar.
    for (name, mode) in [("c", 0o644), ("d", 0o600)] {
        let directory = fixture.path(name);
        let image = Forged {
            directory: &directory,
        };
        let tar = super::unpack::tar_of(&[("x.yaml", EntryType::Regular, "", mode, "x: 1")]);
        let (layer, _) = image.layer(&tar);
        let digest = layer["digest"]
            .as_str()
            .unwrap()
            .replace("sha256:", "blobs/sha256/");
        let packed = fs::read(directory.join(digest)).unwrap();
        put(
            &image,
            "application/vnd.cncf.flux.config.v1+json",
            flux,
            &packed,
        );
    }
    let found = differences(&fixture, "c", "d");
    let expected = ["file /x.yaml", "mode", "0644", "0600"].map(str::to_owned);
    assert_eq!(found, [expected]);
    fixture.run(&["unpack", "c", "root"]).success();
    assert_eq!(
        fs::read_to_string(fixture.path("root/x.yaml")).unwrap(),
        "x: 1"
    );
    let no = [
        "build",
        "--binary",
        "linux/amd64=server",
        "--base",
        "c",
        "-o",
        "web",
    ];
    assert_fails(fixture.run(&no), 2, &["not there for linux/amd64"]);
}
