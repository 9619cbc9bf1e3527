//! Unpacking images that were made to break out, and images of several layers.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use tar::{EntryType, Header};

use super::fixture::{Fixture, assert_fails, end, passing, stdout, until};
use super::verify::Forged;

/// One entry of a layer: path, kind, link target, mode and content.
pub(crate) type Entry<'a> = (&'a str, EntryType, &'a str, u32, &'a str);

pub(crate) fn tar_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, kind, link, mode, content) in entries {
        let mut header = Header::new_ustar();
        // A name can be any bytes: `?` is one that is not UTF-8.
        let path: Vec<u8> = path
            .replace('?', "\u{ff}")
            .chars()
            .map(|c| c as u8)
            .collect();
        header.as_old_mut().name[..path.len()].copy_from_slice(&path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(crate) fn image(fixture: &Fixture, layers: &[&[Entry<'_>]]) {
    let directory = fixture.path("forged");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    let image = Forged {
        directory: &directory,
    };
    let layers = layers.iter().map(|entries| image.layer(&tar_of(entries)));
    let (layers, diff_ids): (Vec<Value>, Vec<String>) = layers.unzip();
    image.image(&layers, &diff_ids, "amd64");
}

const FILE: EntryType = EntryType::Regular;
const FOLDER: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;

#[test]
fn what_would_break_out_is_refused_and_nothing_is_left() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("outside")).unwrap();
    let outside = fixture.path("outside").to_str().unwrap().to_owned();
    let attacks: &[&[&[Entry<'_>]]] = &[
        &[&[("../evil", FILE, "", 0o644, "x")]],
        &[&[("/evil", FILE, "", 0o644, "x")]],
        &[&[
            ("a", LINK, "../outside", 0o777, ""),
            ("a/evil", FILE, "", 0o644, "x"),
        ]],
        &[&[
            ("a", LINK, &outside, 0o777, ""),
            ("a/evil", FILE, "", 0o644, "x"),
        ]],
        &[&[("a", EntryType::Link, "../outside/x", 0o644, "")]],
        &[&[("dev/mem", EntryType::Char, "", 0o644, "")]],
        &[&[("pipe", EntryType::Fifo, "", 0o644, "")]],
        &[&[("a/.wh...", FILE, "", 0o644, "")]],
    ];
    for attack in attacks {
        image(&fixture, attack);
        let run = fixture.run(&["unpack", "forged", "root"]);
        assert_fails(run, 2, &["layer sha256:", "nothing was unpacked"]);
        assert!(!fixture.path("root").exists(), "{attack:?}");
        // A folder that was there before stays, as empty as it was.
        let _ = fs::create_dir(fixture.path("mine"));
        fixture.run(&["unpack", "forged", "mine"]).code(2);
        assert_eq!(fs::read_dir(fixture.path("mine")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(fixture.path("outside")).unwrap().count(), 0);
    }
    let left = fs::read_dir(fixture.path("")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.starts_with(".ocipack-")));
}

#[test]
fn links_of_an_earlier_layer_lead_nowhere_else() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("outside")).unwrap();
    // Up and down again within the image, each link harmless on its own; the kernel says no.
    image(
        &fixture,
        &[
            &[
                ("d/e", FOLDER, "", 0o755, ""),
                ("d/e/up", LINK, "..", 0o777, ""),
            ],
            &[
                ("d/e/top", LINK, "up/..", 0o777, ""),
                ("d/e/top/file", FILE, "", 0o644, "x"),
            ],
        ],
    );
    fixture.run(&["unpack", "forged", "root"]).success();
    // What would climb above stays at the root of the image.
    assert_eq!(fs::read(fixture.path("root/file")).unwrap(), b"x");
    assert!(!fixture.path("file").exists());

    image(
        &fixture,
        &[&[
            ("a", LINK, "/outside", 0o777, ""),
            ("outside", FOLDER, "", 0o755, ""),
            ("a/x", FILE, "", 0o644, "x"),
        ]],
    );
    let run = fixture.run(&["unpack", "forged", "no"]);
    assert_fails(run, 2, &["symbolic link to /outside", "--relative-links"]);
    fixture
        .run(&["unpack", "forged", "yes", "--relative-links"])
        .success();
    assert_eq!(fs::read(fixture.path("yes/outside/x")).unwrap(), b"x");
    assert_eq!(
        fs::read_link(fixture.path("yes/a")).unwrap().to_str(),
        Some("outside")
    );
}

#[test]
fn layers_lie_upon_each_other() {
    let fixture = Fixture::new();
    image(
        &fixture,
        &[
            &[
                ("etc/", FOLDER, "", 0o755, ""),
                ("etc/old", FILE, "", 0o644, "old"),
                ("etc/kept", FILE, "", 0o4755, "kept"),
                ("var/cache/a", FILE, "", 0o644, "a"),
                ("var/cache/b", FILE, "", 0o644, "b"),
                ("tree/x/y", FILE, "", 0o644, "y"),
                ("now-a-folder", FILE, "", 0o644, "file"),
            ],
            &[
                ("etc/.wh.old", FILE, "", 0o644, ""),
                ("var/cache/new", FILE, "", 0o600, "new"),
                ("var/cache/.wh..wh..opq", FILE, "", 0o644, ""),
                (".wh.tree", FILE, "", 0o644, ""),
                ("now-a-folder/", FOLDER, "", 0o500, ""),
                ("now-a-folder/in", FILE, "", 0o644, "in"),
                ("link", LINK, "etc", 0o777, ""),
                ("second-name", EntryType::Link, "etc/kept", 0o644, ""),
            ],
        ],
    );
    let run = fixture
        .run(&["unpack", "forged", "root", "-o", "json"])
        .success();
    let done: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!(done["entries"], 15, "{done}");
    for gone in [
        "etc/old",
        "tree",
        "var/cache/a",
        "var/cache/b",
        "etc/.wh.old",
    ] {
        assert!(!fixture.path("root").join(gone).exists(), "{gone}");
    }
    let read = |path: &str| fs::read_to_string(fixture.path("root").join(path)).unwrap();
    let mode = |path: &str| {
        let metadata = fs::metadata(fixture.path("root").join(path)).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!(
        (read("var/cache/new"), mode("var/cache/new")),
        ("new".into(), 0o600)
    );
    assert_eq!(
        (read("second-name"), mode("etc/kept")),
        ("kept".into(), 0o755)
    );
    assert_eq!(
        (read("now-a-folder/in"), mode("now-a-folder")),
        ("in".into(), 0o500)
    );
    for path in ["root/etc", "root/link"] {
        let metadata = fs::symlink_metadata(fixture.path(path)).unwrap();
        let modified = metadata.modified().unwrap();
        let epoch = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(epoch.as_secs(), 1_700_000_000, "{path}");
    }
}

#[test]
fn what_is_there_is_not_mixed_with_an_image_and_sizes_are_bounded() {
    let fixture = Fixture::new();
    image(&fixture, &[&[("a", FILE, "", 0o644, "twelve bytes")]]);
    fs::create_dir(fixture.path("mine")).unwrap();
    fs::write(fixture.path("mine/file"), "keep").unwrap();
    assert_fails(
        fixture.run(&["unpack", "forged", "mine"]),
        2,
        &["mine is there already"],
    );
    assert_eq!(fs::read_dir(fixture.path("mine")).unwrap().count(), 1);
    let run = fixture.run(&["unpack", "forged", "root", "--max-size", "11"]);
    assert_fails(run, 2, &["over 11 bytes", "--max-size"]);
    assert!(!fixture.path("root").exists());
    fixture
        .run(&["unpack", "forged", "root", "--max-size", "12"])
        .success();

    let both = [
        "--binary",
        "linux/arm64=server-arm",
        "--binary",
        "linux/amd64=server",
    ];
    fixture
        .run(&[&["build", "-o", "two"], &both[..]].concat())
        .success();
    let run = fixture.run(&["unpack", "two", "x"]);
    assert_fails(run, 2, &["linux/amd64, linux/arm64", "--platform"]);
    let arm = ["unpack", "two", "x", "--platform", "linux/arm64"];
    fixture.run(&arm).success();
    assert!(fixture.path("x/bin/server-arm").exists());
    // Other builders say which arm64 it is.
    let variant = ["unpack", "two", "y", "--platform", "linux/arm64/v8"];
    fixture.run(&variant).success();
    assert!(fixture.path("y/bin/server-arm").exists());
}

#[test]
fn a_layer_deletes_nothing_of_its_own() {
    let fixture = Fixture::new();
    image(
        &fixture,
        &[
            &[
                ("file", FILE, "", 0o644, "old"),
                ("tree/old", FILE, "", 0o644, ""),
                ("tree/in/old", FILE, "", 0o644, ""),
                ("opaque/in/old", FILE, "", 0o644, ""),
            ],
            &[
                ("file", FILE, "", 0o644, "new"),
                (".wh.file", FILE, "", 0o644, ""),
                ("tree/in/new", FILE, "", 0o644, ""),
                (".wh.tree", FILE, "", 0o644, ""),
                ("opaque/in/new", FILE, "", 0o644, ""),
                ("opaque/.wh..wh..opq", FILE, "", 0o644, ""),
            ],
        ],
    );
    fs::create_dir(fixture.path("root")).unwrap();
    fixture.run(&["unpack", "forged", "root"]).success();
    let root = fixture.path("root");
    for kept in ["file", "tree/in/new", "opaque/in/new"] {
        assert!(root.join(kept).exists(), "{kept}");
    }
    assert_eq!(fs::read_to_string(root.join("file")).unwrap(), "new");
    for gone in ["tree/old", "tree/in/old", "opaque/in/old"] {
        assert!(!root.join(gone).exists(), "{gone}");
    }
}

#[test]
fn a_damaged_layer_is_not_taken_for_a_full_disk() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("forged")).unwrap();
    let directory = &fixture.path("forged");
    let image = Forged { directory };
    let sound = tar_of(&[("file", FILE, "", 0o644, "x")]);
    let mut huge = Header::from_byte_slice(&sound[..512]).clone();
    huge.as_old_mut().size = [0xff; 12];
    huge.as_old_mut().size[0] = 0x80;
    huge.set_cksum();
    for tar in [&[huge.as_bytes(), &sound[512..]].concat(), &sound[..512]] {
        let (layer, diff_id) = image.layer(tar);
        image.image(&[layer], &[diff_id], "amd64");
        let run = fixture.run(&["unpack", "forged", "root"]);
        assert_fails(run, 2, &["layer sha256:", "nothing was unpacked"]);
    }
}

#[test]
fn names_are_bytes() {
    let fixture = Fixture::new();
    let names = |digit: &str| format!("?/{digit}?");
    let (one, two) = (names("1"), names("2"));
    image(
        &fixture,
        &[
            &[(&one, FILE, "", 0o644, "1"), (&two, FILE, "", 0o644, "2")],
            &[("?/.wh.1?", FILE, "", 0o644, "")],
        ],
    );
    fixture.run(&["unpack", "forged", "root"]).success();
    let folder = fixture.path("root").join(OsStr::from_bytes(b"\xff"));
    let left: Vec<_> = fs::read_dir(folder).unwrap().collect();
    assert_eq!(left.len(), 1);
    let name = left[0].as_ref().unwrap().file_name();
    assert_eq!(name.as_bytes(), b"2\xff");
    let shown = stdout(&fixture.run(&["inspect", "forged"]).success());
    assert!(shown.contains(r"\xFF/2\xFF"), "{shown}");
}

#[test]
fn what_is_half_unpacked_goes_with_a_command_that_is_ended() {
    let fixture = Fixture::new();
    // So many that it takes a while.
    let names: Vec<String> = (0..20_000).map(|number| format!("{number}/")).collect();
    let entries: Vec<Entry<'_>> = names
        .iter()
        .map(|name| (name.as_str(), FOLDER, "", 0o755, ""))
        .collect();
    image(&fixture, &[&entries]);
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocipack"));
        command.args(["unpack", "forged", "root"]);
        let mut child = command.current_dir(fixture.path("")).spawn().unwrap();
        until(&mut child, || !passing(&fixture.path("")).is_empty());
        assert_eq!(end(child, signal), Some(code), "{signal}");
        assert!(passing(&fixture.path("")).is_empty(), "{signal}");
        assert!(!fixture.path("root").exists(), "{signal}");
    }
}
