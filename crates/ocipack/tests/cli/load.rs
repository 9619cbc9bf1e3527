//! Loading: the real tools' places are taken by scripts that note what they are given.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ocipack::read::Source;

use super::fixture::{Fixture, assert_fails, end, passing, stdout, until};

/// A tool that keeps its arguments and the archive, its last argument.
fn tool(fixture: &Fixture, name: &str, end: &str) -> String {
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>'{arguments}'\nfor archive; do :; done\n\
         [ ! -f \"$archive\" ] || cp \"$archive\" '{taken}'\n{end}\n",
        arguments = fixture.path("arguments").display(),
        taken = fixture.path("taken.tar").display(),
    );
    let path = fixture.path(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn containerd_gets_an_archive_of_either_form() {
    let fixture = Fixture::new();
    let ctr = tool(&fixture, "ctr", "echo unpacking; exit 0");
    for image in ["web.tar", "layout"] {
        let digest = fixture.build(image);
        let run = fixture
            .run(&["load", image, "--containerd", "/run/c.sock", "--ctr", &ctr])
            .success();
        assert_eq!(stdout(&run), format!("docker.io/library/web:1 {digest}\n"));
        let arguments = fs::read_to_string(fixture.path("arguments")).unwrap();
        assert!(
            arguments.starts_with("-a /run/c.sock -n k8s.io images import "),
            "{arguments}"
        );
        let tagged =
            format!("images tag --force docker.io/library/web:1 docker.io/library/web@{digest}\n");
        assert!(arguments.ends_with(&tagged), "{arguments}");
        let taken = Source::open(fixture.path("taken.tar")).unwrap();
        assert!(taken.verify().is_ok());
        assert_eq!(taken.digest().unwrap().to_string(), digest);
    }
    fixture
        .run(&["load", "web.tar", "--containerd", "c.sock", "--ctr", &ctr])
        .success();
    let arguments = fs::read_to_string(fixture.path("arguments")).unwrap();
    let absolute = |line: &str| line.starts_with("-a /");
    assert!(arguments.lines().all(absolute), "{arguments}");

    fixture
        .run(&[
            "load",
            "layout",
            "--containerd",
            "/run/c.sock",
            "--ctr",
            &ctr,
        ])
        .success();
    // The archive that was packed for the tool is the one that would have been written.
    assert_eq!(
        fs::read(fixture.path("taken.tar")).unwrap(),
        fs::read(fixture.path("web.tar")).unwrap()
    );
}

#[test]
fn docker_gets_it_on_its_own_terms() {
    let fixture = Fixture::new();
    tool(&fixture, "docker", "exit 0");
    fixture.build("layout");
    let path = format!(
        "{}:{}",
        fixture.path("").display(),
        std::env::var("PATH").unwrap()
    );
    fixture
        .command()
        .args(["load", "layout", "--docker"])
        .env("PATH", &path)
        .assert()
        .success();
    assert!(
        fs::read_to_string(fixture.path("arguments"))
            .unwrap()
            .starts_with("load -i ")
    );

    fixture
        .run(&[
            "build",
            "--binary",
            "linux/amd64=server",
            "--binary",
            "linux/arm64=server-arm",
            "--name",
            "web:1",
            "-o",
            "two",
        ])
        .success();
    let run = fixture
        .command()
        .args(["load", "two", "--docker"])
        .env("PATH", &path)
        .assert();
    assert_fails(run, 2, &["two has 2 platforms"]);
}

#[test]
fn podman_gets_any_archive_and_docker_one_that_it_can_read() {
    let fixture = Fixture::new();
    let path = format!(
        "{}:{}",
        fixture.path("").display(),
        std::env::var("PATH").unwrap()
    );
    let digest = fixture.build("web.tar");
    // As other builders write it: a layout in an archive, and nothing else.
    fixture.run(&["copy", "web.tar", "layout"]).success();
    let mut plain = tar::Builder::new(fs::File::create(fixture.path("plain.tar")).unwrap());
    plain.append_dir_all("", fixture.path("layout")).unwrap();
    plain.finish().unwrap();
    for (runtime, repacked) in [("docker", true), ("podman", false)] {
        tool(&fixture, runtime, "exit 0");
        let mut command = fixture.command();
        command.args(["load", "plain.tar", &format!("--{runtime}")]);
        let run = command.env("PATH", &path).assert().success();
        assert_eq!(stdout(&run), format!("docker.io/library/web:1 {digest}\n"));
        let taken = fs::read(fixture.path("taken.tar")).unwrap();
        let whole = fs::read(fixture.path("web.tar")).unwrap();
        assert_eq!(taken == whole, repacked, "{runtime}");
    }
    let arguments = fs::read_to_string(fixture.path("arguments")).unwrap();
    assert!(arguments.ends_with("load -i plain.tar\n"), "{arguments}");
    let both = fixture.run(&["load", "web.tar", "--podman", "--docker"]);
    assert_fails(both, 2, &["--podman", "cannot be used with"]);
}

#[test]
fn a_tool_that_fails_is_quoted() {
    let fixture = Fixture::new();
    fixture.build("web.tar");
    let ctr = tool(
        &fixture,
        "ctr",
        "echo 'ctr: connection refused' >&2; exit 3",
    );
    let run = fixture.run(&[
        "load",
        "web.tar",
        "--containerd",
        "/run/c.sock",
        "--ctr",
        &ctr,
    ]);
    assert_fails(run, 2, &["exit status: 3", "connection refused"]);
    let run = fixture.run(&[
        "load",
        "web.tar",
        "--containerd",
        "/run/c.sock",
        "--ctr",
        "./no-ctr",
    ]);
    assert_fails(run, 2, &["cannot run ./no-ctr"]);
    assert_fails(
        fixture.run(&["load", "web.tar"]),
        2,
        &["--containerd", "see --help"],
    );
}

#[test]
fn a_damaged_or_nameless_image_is_not_loaded() {
    let fixture = Fixture::new();
    let ctr = tool(&fixture, "ctr", "exit 0");
    fixture.build("layout");
    let blob = fs::read_dir(fixture.path("layout/blobs/sha256"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(blob, "damage").unwrap();
    let run = fixture
        .run(&[
            "load",
            "layout",
            "--containerd",
            "/run/c.sock",
            "--ctr",
            &ctr,
        ])
        .code(1);
    let stderr = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(
        stderr.contains("layout is damaged and was not loaded"),
        "{stderr}"
    );
    assert!(stderr.contains("sha256:"), "{stderr}");

    fixture
        .run(&["build", "--binary", "linux/amd64=server", "-o", "nameless"])
        .success();
    let run = fixture.run(&[
        "load",
        "nameless",
        "--containerd",
        "/run/c.sock",
        "--ctr",
        &ctr,
    ]);
    assert_fails(run, 2, &["nameless has no name", "--name"]);
    assert!(!fixture.path("arguments").exists(), "the tool was run");
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let fixture = Fixture::new();
    assert!(stdout(&fixture.run(&["completions", "bash"]).success()).contains("_ocipack"));
    assert!(stdout(&fixture.run(&["man"]).success()).contains(".TH ocipack"));
    assert!(stdout(&fixture.run(&["man", "build"]).success()).contains("ocipack\\-build"));
    assert_fails(fixture.run(&["man", "fly"]), 2, &["\"fly\""]);
}

#[test]
fn the_archive_for_a_tool_goes_with_a_command_that_is_ended() {
    let fixture = Fixture::new();
    // It ends with the fixture too.
    let wait = "while [ -e \"$0\" ] && [ ! -e \"${0%/*}/go\" ]; do sleep 0.1; done";
    let ctr = tool(&fixture, "ctr", wait);
    fixture.build("layout");
    fs::create_dir(fixture.path("tmp")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocipack"));
    command.args(["load", "layout", "--containerd", "c.sock", "--ctr", &ctr]);
    let mut child = command
        .current_dir(fixture.path(""))
        .env("TMPDIR", fixture.path("tmp"))
        .spawn()
        .unwrap();
    until(&mut child, || fixture.path("taken.tar").exists());
    assert_eq!(passing(&fixture.path("tmp")).len(), 1);
    assert_eq!(end(child, "TERM"), Some(143));
    fs::write(fixture.path("go"), "").unwrap();
    assert!(passing(&fixture.path("tmp")).is_empty());
}
