//! Other people's tools read, unpack and validate what ocipack writes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use e2e::{Ran, Registry, Workshop, registry_programs, run};
use serde_json::Value;

fn tool(name: impl AsRef<Path>, folder: &Workshop, words: &[&str]) -> Ran {
    let mut command = Command::new(name.as_ref());
    run(command.args(words).current_dir(folder.path("")), "")
}

const VARIANTS: [&[&str]; 4] = [
    &[],
    &["--compression", "none"],
    &["--compression", "gzip:1"],
    &["--compression", "zstd:9"],
];

#[test]
fn skopeo_reads_every_variant_without_changing_it() {
    for variant in VARIANTS {
        let shop = Workshop::new();
        let digest = shop.build_index("layout", variant);
        shop.build_index("image.tar", variant);
        for source in ["oci:layout", "oci-archive:image.tar"] {
            let raw = tool("skopeo", &shop, &["inspect", "--raw", source]).exits(0);
            fs::write(shop.path("raw"), raw.stdout).unwrap();
            let found = tool("skopeo", &shop, &["manifest-digest", "raw"]).exits(0);
            assert_eq!(found.stdout.trim(), digest, "{source} {variant:?}");
        }
        tool(
            "skopeo",
            &shop,
            &[
                "copy",
                "--all",
                "--preserve-digests",
                "oci:layout",
                "oci:copy",
            ],
        )
        .exits(0);
        shop.ocipack(&["verify", "copy"]).exits(0);
        shop.ocipack(&["diff", "layout", "copy"]).exits(0);
    }
}

#[test]
fn the_archive_is_one_for_dockers_classic_store() {
    let shop = Workshop::new();
    let words = [
        "build",
        "--binary",
        "linux/amd64=server",
        "--name",
        "localhost/web:1",
    ];
    shop.ocipack(&[&words[..], &["-o", "image.tar"]].concat())
        .exits(0);
    let inspected = tool("skopeo", &shop, &["inspect", "docker-archive:image.tar"]).exits(0);
    let found: Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(found["Architecture"], "amd64", "{inspected}");
    tool(
        "skopeo",
        &shop,
        &["copy", "docker-archive:image.tar", "dir:docker"],
    )
    .exits(0);
}

#[test]
fn what_umoci_and_buildah_build_is_read() {
    let shop = Workshop::new();
    let umoci = "umoci init --layout umoci
        umoci new --image umoci:1
        umoci insert --image umoci:1 server /server
        umoci config --image umoci:1 --config.user 65532:65532 --config.entrypoint /server";
    // Its lock lies in /etc where nothing else is said.
    let buildah = r#"export CONTAINERS_CONF="$PWD/containers.conf"
        printf '[network]\nnetwork_config_dir = "%s/network"\n' "$PWD" >"$CONTAINERS_CONF"
        build() { command=$1; shift; buildah --root "$PWD/root" --runroot "$PWD/run" --storage-driver vfs "$command" "$@"; }
        image=$(build from scratch)
        build copy --quiet "$image" server /server
        build config --user 65532:65532 --entrypoint '["/server"]' "$image"
        build commit --quiet --format oci "$image" oci:buildah:1
        build rm "$image""#;
    for (layout, script) in [("umoci", umoci), ("buildah", buildah)] {
        tool("sh", &shop, &["-ec", script]).exits(0);
        shop.ocipack(&["verify", layout]).exits(0);
        let inspected = shop.ocipack(&["inspect", layout, "-o", "json"]).exits(0);
        assert!(inspected.stdout.contains("65532:65532"), "{inspected}");
        let archive = format!("{layout}.tar");
        shop.ocipack(&["copy", layout, &archive]).exits(0);
        shop.ocipack(&["diff", layout, &archive]).exits(0);
        shop.ocipack(&["unpack", layout, &format!("{layout}-files")])
            .exits(0);
        let unpacked = fs::read(shop.path(&format!("{layout}-files/server"))).unwrap();
        assert_eq!(unpacked, fs::read(shop.path("server")).unwrap(), "{layout}");
    }
}

#[test]
fn umoci_unpacks_what_ocipack_unpacks() {
    for compression in ["none", "gzip"] {
        let shop = Workshop::new();
        fs::write(shop.path("conf"), "x = 1\n").unwrap();
        let words = [
            "build",
            "--binary",
            "linux/amd64=server",
            "--compression",
            compression,
        ];
        let more = ["--file", "conf:/etc/app/conf:0600", "-o", "layout"];
        shop.ocipack(&[&words[..], &more].concat()).exits(0);
        // umoci finds an image by a plain tag only.
        tool("skopeo", &shop, &["copy", "oci:layout", "oci:tagged:v1"]).exits(0);
        tool(
            "umoci",
            &shop,
            &["unpack", "--image", "tagged:v1", "bundle"],
        )
        .exits(0);
        shop.ocipack(&["unpack", "layout", "root"]).exits(0);
        for file in ["bin/server", "etc/passwd", "etc/group", "etc/app/conf"] {
            let read = |folder: &str| {
                let path = shop.path(folder).join(file);
                let bits = fs::metadata(&path).unwrap().permissions().mode();
                (fs::read(path).unwrap(), bits)
            };
            assert_eq!(read("root"), read("bundle/rootfs"), "{file}");
        }
        let listed = fs::read_dir(shop.path("root")).unwrap().count();
        assert_eq!(
            listed,
            fs::read_dir(shop.path("bundle/rootfs")).unwrap().count()
        );
    }
}

#[test]
fn crane_validates_and_copies_what_was_pushed() {
    let crane = registry_programs().join("crane");
    for variant in VARIANTS {
        let (registry, shop) = (Registry::start(), Workshop::new());
        let digest = shop.build_index("layout", variant);
        let (one, two) = (registry.repository("web:1"), registry.repository("copy:1"));
        shop.ocipack(&["push", "layout", &one]).exits(0);
        // Its whole check knows no layers but those of gzip.
        let gzip = variant.last().is_none_or(|name| name.starts_with("gzip"));
        let depth: &[&str] = if gzip { &[] } else { &["--fast"] };
        let words = ["validate", "--remote", one.as_str()];
        tool(&crane, &shop, &[&words[..], depth].concat()).exits(0);
        let found = tool(&crane, &shop, &["digest", &one]).exits(0);
        assert_eq!(found.stdout.trim(), digest, "{variant:?}");
        tool(&crane, &shop, &["copy", &one, &two]).exits(0);
        shop.ocipack(&["verify", "layout", "--against", &two])
            .exits(0);
        // And back: what crane writes, ocipack takes.
        tool(&crane, &shop, &["pull", "--format=oci", &one, "crane"]).exits(0);
        shop.ocipack(&["verify", "crane"]).exits(0);
        shop.ocipack(&["push", "crane", &registry.repository("again:1")])
            .exits(0);
    }
}

#[test]
fn what_crane_built_is_read_compared_and_copied_as_it_is() {
    let crane = registry_programs().join("crane");
    // Docker's media types, and OCI's.
    for base in [&[][..], &["--oci-empty-base"]] {
        let (registry, shop) = (Registry::start(), Workshop::new());
        fs::create_dir(shop.path("etc")).unwrap();
        fs::write(shop.path("etc/motd"), "hello\n").unwrap();
        tool("tar", &shop, &["-cf", "layer.tar", "etc"]).exits(0);
        let (one, two) = (
            registry.repository("crane:1"),
            registry.repository("copy:1"),
        );
        let words = ["append", "-f", "layer.tar", "-t", &one];
        tool(&crane, &shop, &[&words[..], base].concat()).exits(0);
        let digest = tool(&crane, &shop, &["digest", &one]).exits(0).stdout;

        let inspected = shop.ocipack(&["inspect", &one, "-o", "json"]).exits(0);
        let summary: Value = serde_json::from_str(&inspected.stdout).unwrap();
        assert_eq!(summary["digest"], digest.trim());
        shop.ocipack(&["verify", &one]).exits(0);
        for to in ["layout", "image.tar", &two] {
            let copied = shop.ocipack(&["copy", &one, to]).exits(0);
            assert_eq!(copied.stdout, digest, "{to}");
        }
        for layout in ["layout", "image.tar"] {
            shop.ocipack(&["verify", layout, "--against", &two])
                .exits(0);
            shop.ocipack(&["diff", layout, &one]).exits(0);
        }
        shop.ocipack(&["unpack", "layout", "root"]).exits(0);
        let motd = fs::read_to_string(shop.path("root/etc/motd")).unwrap();
        assert_eq!(motd, "hello\n");
        // One more byte is found, by name.
        fs::write(shop.path("etc/motd"), "hello!\n").unwrap();
        tool("tar", &shop, &["-cf", "layer.tar", "etc"]).exits(0);
        tool(&crane, &shop, &[&words[..], base].concat()).exits(0);
        let differs = shop.ocipack(&["diff", "layout", &one]).exits(1);
        assert!(differs.stdout.contains("file /etc/motd: size"), "{differs}");
        shop.ocipack(&["verify", "layout", "--against", &one])
            .exits(1);
    }
}
