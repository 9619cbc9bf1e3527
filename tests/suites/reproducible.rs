//! One source, one digest: wherever, whenever and by whomever it is built.

use std::{fs, path::Path, process::Command};

use e2e::{Shared, run, tool};

/// The workspace without build results and history.
fn copy_checkout(to: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for entry in fs::read_dir(root).unwrap().flatten() {
        if ["target", ".git"]
            .iter()
            .any(|left_out| entry.file_name() == *left_out)
        {
            continue;
        }
        run(Command::new("cp").arg("-R").arg(entry.path()).arg(to), "").exits(0);
    }
}

#[test]
fn another_place_user_language_time_and_machine_give_the_same_digest() {
    let archive = Shared::get().archive;
    let first = run(Command::new(tool("ocipack")).arg("digest").arg(archive), "")
        .exits(0)
        .stdout;

    let folder = tempfile::Builder::new()
        .prefix("another place ")
        .tempdir()
        .unwrap();
    let checkout = folder.path().join("deep/er/checkout");
    fs::create_dir_all(checkout.join("target/debug")).unwrap();
    copy_checkout(&checkout);
    // The copy's own xtask builds into the copy's own target folder.
    let xtask = checkout.join("target/debug/xtask");
    fs::copy(tool("xtask"), &xtask).unwrap();
    // Another user, and a machine with one processor.
    let script = r#"umask 077
exec unshare --user --map-user=4321 --map-group=4321 taskset --cpu-list 0 "$@""#;
    let mut build = Command::new("sh");
    build
        .args(["-c", script, "sh"])
        .arg(&xtask)
        .args(["image", "--out"])
        .arg(folder.path().join("out"))
        .arg("--ocipack")
        .arg(tool("ocipack"))
        .env("CARGO_MANIFEST_DIR", checkout.join("crates/xtask"))
        .env("TZ", "Pacific/Kiritimati")
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("USER", "somebody-else")
        .env("RUSTFLAGS", "-Cdebuginfo=2")
        .env_remove("CARGO_TARGET_DIR");
    assert_eq!(run(&mut build, "").exits(0).stdout, first);
}
