//! Verifying images that are broken in every way that one can be, some of them by chance.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ocipack::read::Source;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::fixture::{Fixture, assert_fails, stdout};

/// A layout made by hand, so that each part can be wrong while all digests are right.
pub(crate) struct Forged<'a> {
    pub(crate) directory: &'a Path,
}

impl Forged<'_> {
    pub(crate) fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = hex_digest(bytes);
        let blobs = self.directory.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join(&digest), bytes).unwrap();
        let media_type = format!("application/vnd.oci.image.{media_type}");
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    }

    pub(crate) fn document(&self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().as_bytes())
    }

    /// Finishes the layout with an image of these layers.
    pub(crate) fn image(&self, layers: &[Value], diff_ids: &[String], architecture: &str) {
        let config = json!({"os": "linux", "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let config = self.document("config.v1+json", &config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let mut manifest = self.document("manifest.v1+json", &manifest);
        manifest["platform"] = json!({"os": "linux", "architecture": "amd64"});
        self.index(&[manifest]);
    }

    pub(crate) fn index(&self, manifests: &[Value]) {
        fs::write(
            self.directory.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.directory.join("index.json"), index.to_string()).unwrap();
    }

    /// A gzip layer of these tar bytes and its `diff_id`.
    pub(crate) fn layer(&self, tar: &[u8]) -> (Value, String) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(tar).unwrap();
        let diff_id = hex_digest(tar);
        (
            self.blob("layer.v1.tar+gzip", &gzip.finish().unwrap()),
            format!("sha256:{diff_id}"),
        )
    }
}

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
}

/// A tar of one entry. The name is put into the header as it is: the library would refuse it.
fn tar_of(path: &str, kind: EntryType, link: &str) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &[][..]).unwrap();
    tar.into_inner().unwrap()
}

/// Verifies a forged layout, which must be found broken in exactly one way.
fn finding(fixture: &Fixture) -> String {
    let run = fixture.run(&["verify", "forged"]).code(1);
    let found = stdout(&run);
    assert_eq!(found.lines().count(), 1, "{found}");
    found
}

fn forged(fixture: &Fixture) -> std::path::PathBuf {
    let directory = fixture.path("forged");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    directory
}

#[test]
fn a_sound_image_made_by_hand_passes() {
    let fixture = Fixture::new();
    let image = Forged {
        directory: &forged(&fixture),
    };
    let (layer, diff_id) = image.layer(&tar_of("bin/sh", EntryType::Symlink, "/bin/busybox"));
    image.image(&[layer], &[diff_id], "amd64");
    fixture.run(&["verify", "forged"]).success();
}

#[test]
fn entries_that_leave_the_image_are_found() {
    let fixture = Fixture::new();
    for (path, kind, link) in [
        ("../evil", EntryType::Regular, ""),
        ("/etc/passwd", EntryType::Regular, ""),
        ("a", EntryType::Symlink, "../../etc"),
        ("a", EntryType::Link, "/etc/shadow"),
        ("dev/mem", EntryType::Char, ""),
    ] {
        let image = Forged {
            directory: &forged(&fixture),
        };
        let (layer, diff_id) = image.layer(&tar_of(path, kind, link));
        let digest = layer["digest"].as_str().unwrap().to_owned();
        image.image(&[layer], &[diff_id], "amd64");
        let found = finding(&fixture);
        assert!(
            found.contains(&digest) && found.contains(&format!("{path:?}")),
            "{found}"
        );
    }
}

#[test]
fn documents_that_disagree_are_found() {
    let fixture = Fixture::new();
    let tar = tar_of("a", EntryType::Regular, "");

    let image = Forged {
        directory: &forged(&fixture),
    };
    let (layer, _) = image.layer(&tar);
    image.image(
        std::slice::from_ref(&layer),
        &[format!("sha256:{}", "0".repeat(64))],
        "amd64",
    );
    assert!(finding(&fixture).contains("its configuration says sha256:000"));

    let (_, diff_id) = image.layer(&tar);
    image.image(
        std::slice::from_ref(&layer),
        std::slice::from_ref(&diff_id),
        "arm64",
    );
    assert!(finding(&fixture).contains("is for linux/arm64, its index says linux/amd64"));

    image.image(
        std::slice::from_ref(&layer),
        &[diff_id.clone(), diff_id.clone()],
        "amd64",
    );
    assert!(finding(&fixture).contains("has 2 diff_ids for 1 layers"));

    let mut longer = layer.clone();
    longer["size"] = json!(layer["size"].as_u64().unwrap() + 1);
    image.image(&[longer], std::slice::from_ref(&diff_id), "amd64");
    assert!(finding(&fixture).contains("bytes long, its descriptor says"));

    let mut strange = layer.clone();
    strange["mediaType"] = json!("application/x-layer");
    image.image(&[strange], std::slice::from_ref(&diff_id), "amd64");
    assert!(finding(&fixture).contains("application/x-layer"));

    let mut elsewhere = layer.clone();
    elsewhere["digest"] = json!(format!("sha256:{}", "f".repeat(64)));
    image.image(&[elsewhere], &[diff_id], "amd64");
    assert!(finding(&fixture).contains("is missing"));

    let no_tar = image.blob("layer.v1.tar", b"this is no tar");
    image.image(&[no_tar], &["sha256:0".into()], "amd64");
    assert!(finding(&fixture).contains("is not a valid layer"));

    image.index(&[]);
    assert!(finding(&fixture).contains("lists no image"));
}

#[test]
fn a_docker_manifest_to_another_image_is_found() {
    let fixture = Fixture::new();
    fixture.build("forged");
    let config = format!("blobs/sha256/{}", "0".repeat(64));
    let manifest = json!([{"Config": config, "Layers": [], "RepoTags": ["web:1"]}]);
    fs::write(fixture.path("forged/manifest.json"), manifest.to_string()).unwrap();
    assert!(finding(&fixture).contains("manifest.json leads to another image"));
}

#[test]
fn a_flipped_byte_is_found_and_its_blob_named() {
    let fixture = Fixture::new();
    fixture.build("layout");
    for blob in fs::read_dir(fixture.path("layout/blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let good = fs::read(blob.path()).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(blob.path(), &bad).unwrap();
        let run = fixture.run(&["verify", "layout", "-o", "json"]).code(1);
        let found: Value = serde_json::from_str(&stdout(&run)).unwrap();
        let object = found["problems"][0]["object"].as_str().unwrap();
        assert!(
            object.ends_with(blob.file_name().to_str().unwrap()),
            "{found}"
        );
        fs::write(blob.path(), good).unwrap();
    }
    fixture.run(&["verify", "layout"]).success();
}

#[test]
fn what_is_no_image_is_an_error() {
    let fixture = Fixture::new();
    fixture.build("web.tar");
    let whole = fs::read(fixture.path("web.tar")).unwrap();
    fs::write(fixture.path("cut.tar"), &whole[..1600]).unwrap();
    fs::write(fixture.path("empty.tar"), "").unwrap();
    fs::write(fixture.path("text.tar"), "no tar".repeat(200)).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&whole).unwrap();
    fs::write(fixture.path("web.tar.gz"), gzip.finish().unwrap()).unwrap();
    for command in ["verify", "inspect", "digest"] {
        for (image, part) in [
            ("missing.tar", "No such file"),
            ("cut.tar", "is truncated in blobs/sha256/"),
            ("empty.tar", "has no oci-layout"),
            ("text.tar", "not an OCI layout"),
            ("web.tar.gz", "gunzip it first"),
            (".", "has no oci-layout"),
            ("/dev/zero", "a device or a pipe"),
        ] {
            assert_fails(fixture.run(&[command, image]), 2, &[image, part]);
        }
    }
}

#[test]
fn several_images_in_one_layout_are_verified_but_not_one_image() {
    let fixture = Fixture::new();
    let image = Forged {
        directory: &forged(&fixture),
    };
    let (layer, diff_id) = image.layer(&tar_of("a", EntryType::Regular, ""));
    image.image(&[layer], &[diff_id], "amd64");
    let index: Value =
        serde_json::from_slice(&fs::read(fixture.path("forged/index.json")).unwrap()).unwrap();
    let manifest = index["manifests"][0].clone();
    image.index(&[manifest.clone(), manifest]);
    fixture.run(&["verify", "forged"]).success();
    assert_fails(fixture.run(&["digest", "forged"]), 2, &["holds 2 images"]);
    let build = fixture.run(&["build", "--binary", "linux/amd64=server", "-o", "forged"]);
    assert_fails(build, 2, &["OCI layout of 2 images"]);
}

/// An edit of an archive: bytes put somewhere, and a cut.
fn edits() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>)> {
    (
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        prop::option::of(any::<prop::sample::Index>()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever is done to an archive, reading it ends without a panic, and what then passes
    /// verification is what was built.
    #[test]
    fn mutated_archives_never_panic((changes, cut) in edits()) {
        let fixture = Fixture::new();
        let spec = ocipack::ImageSpec {
            name: Some("web:1".into()),
            binary: [(ocipack::Platform::linux_amd64(), fixture.path("server"))].into(),
            ..ocipack::ImageSpec::default()
        };
        let built = spec.build().unwrap();
        built.write_archive(&fixture.path("web.tar")).unwrap();
        let mut bytes = fs::read(fixture.path("web.tar")).unwrap();
        let original = Source::open(fixture.path("web.tar")).unwrap().inspect().unwrap().images;
        let original = serde_json::to_value(original).unwrap();
        for (position, value) in changes {
            let position = position.index(bytes.len());
            bytes[position] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(fixture.path("web.tar"), &bytes).unwrap();
        if let Ok(source) = Source::open(fixture.path("web.tar")) {
            let sound = source.verify().is_ok();
            let found = source.inspect();
            // What passes under the same digest is the very image.
            if sound && source.digest().is_ok_and(|digest| digest == built.digest()) {
                let images = serde_json::to_value(found.unwrap().images).unwrap();
                prop_assert_eq!(&images, &original);
            }
        }
    }
}
