//! Building: equal inputs are equal bytes, and bad inputs leave nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::fixture::{Fixture, assert_fails, stdout};

pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push((
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            ));
        }
    }
    files.sort();
    files
}

#[test]
fn equal_inputs_are_equal_bytes_wherever_and_whenever() {
    let (first, second) = (Fixture::new(), Fixture::new());
    let arguments = "build --binary linux/amd64=server --name web:1 --env B=2 --env A=1 \
                     --port 5000 --file server:/opt/copy:0600";
    let run = |fixture: &Fixture, umask: &str, zone: &str, output: &str| {
        let script = format!(
            "umask {umask} && exec {} {arguments} -o {output}",
            env!("CARGO_BIN_EXE_ocipack")
        );
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .current_dir(fixture.path(""))
            .env("TZ", zone)
            .env_remove("SOURCE_DATE_EPOCH");
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    // Another mtime and mode of the source; the other directory and umask come with the run.
    let server = fs::File::options()
        .write(true)
        .open(second.path("server"))
        .unwrap();
    server
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    fs::set_permissions(
        second.path("server"),
        std::os::unix::fs::PermissionsExt::from_mode(0o400),
    )
    .unwrap();

    let digest = run(&first, "022", "UTC", "web.tar");
    assert_eq!(digest, run(&second, "077", "Asia/Kathmandu", "web.tar"));
    assert_eq!(
        fs::read(first.path("web.tar")).unwrap(),
        fs::read(second.path("web.tar")).unwrap()
    );
    assert_eq!(digest, run(&first, "077", "UTC", "layout"));
    assert_eq!(digest, run(&second, "022", "UTC", "layout"));
    assert_eq!(files(&first.path("layout")), files(&second.path("layout")));
    assert_eq!(digest, stdout(&first.run(&["digest", "layout"]).success()));
    assert_eq!(digest, stdout(&first.run(&["digest", "web.tar"]).success()));
}

#[test]
fn the_source_date_is_in_every_time_stamp_and_strict() {
    let fixture = Fixture::new();
    let build = |epoch: &str| {
        let mut command = fixture.command();
        command.args(["build", "--binary", "linux/amd64=server", "-o", "web.tar"]);
        command.env("SOURCE_DATE_EPOCH", epoch).assert()
    };
    build("1700000000").success();
    let json = stdout(&fixture.run(&["inspect", "web.tar", "-o", "json"]).success());
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["images"][0]["created"], "2023-11-14T22:13:20Z");
    let mut archive = tar::Archive::new(fs::File::open(fixture.path("web.tar")).unwrap());
    for entry in archive.entries().unwrap() {
        assert_eq!(entry.unwrap().header().mtime().unwrap(), 1_700_000_000);
    }
    assert_fails(build("yesterday"), 2, &["SOURCE_DATE_EPOCH=\"yesterday\""]);
}

#[test]
fn several_platforms_share_an_index() {
    let fixture = Fixture::new();
    let arguments = [
        "build",
        "--binary",
        "linux/arm64=server-arm",
        "--binary",
        "linux/amd64=server",
        "--name",
        "web:1",
        "--annotation",
        "a=b",
    ];
    let digest = stdout(
        &fixture
            .run(&[&arguments[..], &["-o", "web.tar"]].concat())
            .success(),
    );
    let json = stdout(&fixture.run(&["inspect", "web.tar", "-o", "json"]).success());
    let summary: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(summary["digest"], digest.trim());
    assert_eq!(summary["name"], "docker.io/library/web:1");
    let platforms: Vec<_> = summary["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| &image["platform"])
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(
        summary["images"][1]["config"]["Entrypoint"][0],
        "/bin/server-arm"
    );
    // What is said of the image is in the index and in each manifest.
    for said in [&summary, &summary["images"][0], &summary["images"][1]] {
        assert_eq!(said["annotations"]["a"], "b", "{said}");
    }
    let text = stdout(&fixture.run(&["inspect", "web.tar"]).success());
    assert_eq!(text.matches("annotation a=b").count(), 3, "{text}");
    fixture.run(&["verify", "web.tar"]).success();
}

#[test]
fn a_configuration_file_is_the_same_as_flags_and_flags_win() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("sub")).unwrap();
    let config = "name = 'other:9'\nport = ['5000/tcp']\nuser = '1000'\ncmd = ['--listen']\n\
                  stop-signal = 'SIGINT'\n[binary]\n'linux/amd64' = '../server'\n[env]\nA = '1'\nB = 'file'\n\
                  [[file]]\nsource = '../server'\ndest = '/opt/copy'\nmode = '0600'\n";
    fs::write(fixture.path("sub/image.toml"), config).unwrap();
    let from_file = fixture.run(&[
        "build",
        "--config",
        "sub/image.toml",
        "--name",
        "web:1",
        "--env",
        "B=2",
        "--user",
        "7:7",
        "-o",
        "a.tar",
    ]);
    let from_flags = fixture.run(&[
        "build",
        "--binary",
        "linux/amd64=server",
        "--name",
        "web:1",
        "--env",
        "A=1",
        "--env",
        "B=2",
        "--user",
        "7:7",
        "--port",
        "5000",
        "--cmd",
        "--listen",
        "--stop-signal",
        "SIGINT",
        "--file",
        "server:/opt/copy:0600",
        "-o",
        "b.tar",
    ]);
    assert_eq!(stdout(&from_file.success()), stdout(&from_flags.success()));
    assert_eq!(
        fs::read(fixture.path("a.tar")).unwrap(),
        fs::read(fixture.path("b.tar")).unwrap()
    );

    fs::write(fixture.path("bad.toml"), "name = 'web:1'\n\nbinaries = 1\n").unwrap();
    assert_fails(
        fixture.run(&["build", "--config", "bad.toml", "-o", "c.tar"]),
        2,
        &["bad.toml:3:", "`binaries`"],
    );
    fs::write(fixture.path("bad.toml"), "name = 'web:1'\nuser = 1000\n").unwrap();
    assert_fails(
        fixture.run(&["build", "--config", "bad.toml", "-o", "c.tar"]),
        2,
        &["bad.toml:2: user = 1000: invalid type: integer"],
    );
}

/// Arguments that are refused, each with what the message must say.
const BAD_INPUTS: &[(&[&str], &[&str])] = &[
    (
        &["--binary", "linux/arm64=server"],
        &["server is for linux/amd64, not for linux/arm64"],
    ),
    (
        &["--binary", "linux/amd64=script"],
        &["script", "not an ELF binary"],
    ),
    (
        &["--binary", "linux/amd64=missing"],
        &["cannot read missing", "No such file"],
    ),
    (
        &["--binary", "linux/amd64=/dev/zero"],
        &["cannot read /dev/zero", "not a regular file"],
    ),
    (&["--binary", "linux/vax=server"], &["linux/vax", "amd64"]),
    (&["--binary", "server"], &["PLATFORM=PATH"]),
    (&[], &["at least one"]),
    (
        &[
            "--binary",
            "linux/amd64=server",
            "--binary",
            "linux/amd64=server",
        ],
        &["given twice"],
    ),
    (
        &["--binary", "linux/amd64=server", "--name", "web"],
        &["\"web\"", "no tag"],
    ),
    (
        &["--binary", "linux/amd64=server", "--name", "Web:1"],
        &["\"Web:1\""],
    ),
    (
        &["--binary", "linux/amd64=server", "--user", "nobody"],
        &["nobody"],
    ),
    (
        &["--binary", "linux/amd64=server", "--port", "http"],
        &["http"],
    ),
    (
        &["--binary", "linux/amd64=server", "--env", "A"],
        &["KEY=VALUE"],
    ),
    (
        &[
            "--binary",
            "linux/amd64=server",
            "--file",
            "server:/bin/server",
        ],
        &["/bin/server is in the image already"],
    ),
    (
        &["--binary", "linux/amd64=server", "--file", "server:bin/x"],
        &["bin/x"],
    ),
    (
        &["--binary", "linux/amd64=server", "--file", "nope:/x"],
        &["cannot read nope"],
    ),
    (
        &["--binary", "linux/amd64=server", "--no-such-flag"],
        &["--no-such-flag", "see --help"],
    ),
];

#[test]
fn bad_inputs_are_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    fs::write(fixture.path("script"), "#!/bin/sh\n").unwrap();
    // This test is itself a program with a loader.
    fs::copy(std::env::current_exe().unwrap(), fixture.path("dynamic")).unwrap();
    let native = format!(
        "linux/{}",
        if cfg!(target_arch = "x86_64") {
            "amd64"
        } else {
            "arm64"
        }
    );
    let dynamic = format!("{native}=dynamic");
    let platform = ["--binary", dynamic.as_str()];
    let refused = BAD_INPUTS.iter().copied().chain([(
        &platform[..],
        &["dynamically linked", "--allow-dynamic"][..],
    )]);
    for (arguments, parts) in refused {
        for output in ["out.tar", "out"] {
            assert_fails(
                fixture.run(&[&["build", "-o", output], arguments].concat()),
                2,
                parts,
            );
            assert!(
                !fixture.path(output).exists(),
                "{arguments:?} left {output}"
            );
        }
    }
    fixture
        .run(&[
            "build",
            "--allow-dynamic",
            "--binary",
            &dynamic,
            "-o",
            "out.tar",
        ])
        .success();
}

#[test]
fn what_is_not_an_image_is_not_replaced_and_an_image_is() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("precious")).unwrap();
    fs::write(fixture.path("precious/file"), "keep").unwrap();
    fs::write(fixture.path("notes.tar"), "keep").unwrap();
    for (output, part) in [
        ("precious", "not an OCI layout"),
        ("notes.tar", "not an OCI archive"),
        ("server", "is a file"),
    ] {
        let run = fixture.run(&["build", "--binary", "linux/amd64=server", "-o", output]);
        assert_fails(run, 2, &[output, part, "choose another path"]);
    }
    assert_eq!(fs::read(fixture.path("precious/file")).unwrap(), b"keep");
    assert_eq!(fs::read(fixture.path("notes.tar")).unwrap(), b"keep");

    for output in ["layout", "web.tar"] {
        let first = fixture.build(output);
        let again = fixture.run(&["build", "--binary", "linux/arm64=server-arm", "-o", output]);
        assert_ne!(first, stdout(&again.success()).trim());
        fixture.run(&["verify", output]).success();
    }
    // The blobs of the first image went with it.
    assert_eq!(
        fs::read_dir(fixture.path("layout/blobs/sha256"))
            .unwrap()
            .count(),
        3
    );
}

#[test]
fn a_killed_run_is_finished_by_the_next() {
    let fixture = Fixture::new();
    let whole = fixture.build("whole");
    // Killed while writing the first file, after it, and before index.json.
    for state in ["temporary", "layout", "blobs"] {
        let directory = fixture.path(state);
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        match state {
            "temporary" => {
                fs::remove_dir_all(directory.join("blobs")).unwrap();
                fs::write(directory.join(".ocipack-abc"), "{").unwrap();
            }
            _ => fs::copy(
                fixture.path("whole/oci-layout"),
                directory.join("oci-layout"),
            )
            .map(drop)
            .unwrap(),
        }
        if state == "blobs" {
            fs::write(directory.join("blobs/sha256/.ocipack-abc"), "half").unwrap();
        }
        assert_eq!(fixture.build(state), whole);
        assert_eq!(
            files(&fixture.path(state)),
            files(&fixture.path("whole")),
            "{state}"
        );
    }
}
