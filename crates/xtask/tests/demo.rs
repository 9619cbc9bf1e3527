//! `demo` from end to end with stand-ins for the tools: what is called, in which
//! order, and that the cluster goes down whatever happens.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const CARGO: &str = r#"
case "$1" in
metadata) echo '{"packages": []}' ;;
build)
    while [ $# -gt 0 ]; do
        case "$1" in
        --target) triple=$2 ;;
        --target-dir) folder=$2 ;;
        esac
        shift
    done
    [ -z "$folder" ] && exit 0
    mkdir -p "$folder/$triple/release" && : >"$folder/$triple/release/hostname-server" ;;
esac"#;

const KLAB: &str = r#"
echo "klab $*" >>"$LOG"
case "$*" in
"runtime build" | "runtime path") echo "$STAND_INS" ;;
*"kubeconfig --path") echo "$STAND_INS/kubeconfig" ;;
*"status --output json") echo '{"registry": "127.0.0.1:4711"}' ;;
*" up "*) mkdir -p "$KLAB_STATE/demo"; [ "$BREAK" != up ] ;;
*" down") rm -r "$KLAB_STATE/demo" ;;
esac"#;

/// Its layouts have as much as is read of them: a manifest that names a configuration.
const OCIPACK: &str = r#"
DIGEST=abababababababababababababababababababababababababababababababab
case "$1" in
digest | push) echo "sha256:$DIGEST" ;;
build)
    for output; do :; done
    case "$output" in
    *.tar) : >"$output" ;;
    *)
        mkdir -p "$output/blobs/sha256"
        echo '{"config": {"digest": "sha256:cdcd"}}' >"$output/blobs/sha256/$DIGEST"
        ;;
    esac
    ;;
esac"#;

const KDRILL: &str = r#"
echo "kdrill $*" >>"$LOG"
[ "$BREAK" = drills ] && exit 1
[ "$BREAK" = hang ] || exit 0
trap 'exit 1' TERM
: >"$STAND_INS/hangs"
while :; do sleep 0.05; done"#;

/// A target folder in which every tool is a script.
struct StandIns {
    folder: tempfile::TempDir,
}

impl StandIns {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stand_ins = Self { folder };
        fs::create_dir_all(stand_ins.path("target/debug")).unwrap();
        fs::copy(
            assert_cmd::cargo::cargo_bin!("xtask"),
            stand_ins.path("target/debug/xtask"),
        )
        .unwrap();
        for (name, body) in [
            ("target/debug/klab", KLAB),
            ("target/debug/kapply", r#"echo "kapply $*" >>"$LOG""#),
            ("target/debug/kdrill", KDRILL),
            ("target/debug/ocipack", OCIPACK),
            ("cargo", CARGO),
            ("go", "echo go99.0"),
            ("kubectl", "exit 1"),
        ] {
            fs::write(stand_ins.path(name), format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(stand_ins.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(stand_ins.path("kubeconfig"), "").unwrap();
        stand_ins
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn demo(&self, breaks: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let xtask = self.path("target/debug/xtask");
        // The demo refuses anybody but root, which `tests/cli.rs` checks. With stand-ins for all
        // that it starts, the root of a user namespace is root enough.
        let mut demo = if nix::unistd::geteuid().is_root() {
            Command::new(xtask)
        } else {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user"]).arg(xtask);
            unshare
        };
        demo.arg("demo")
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env("CARGO", self.path("cargo"))
            .env("LOG", self.path("log"))
            .env("STAND_INS", self.folder.path())
            .env("KLAB_STATE", self.path("state"))
            .env("BREAK", breaks)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        demo
    }

    /// The calls that change something, in order.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let asks = |line: &&str| {
            [" runtime ", " status ", "kubeconfig"]
                .iter()
                .any(|asked| line.contains(asked))
        };
        log.lines()
            .filter(|line| !asks(line))
            .map(str::to_owned)
            .collect()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_stages_come_in_the_papers_order() {
    let stand_ins = StandIns::new();
    let output = stand_ins.demo("").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let calls = stand_ins.calls();
    let starts = [
        "klab --name demo up --registry --nodes 2",
        "kapply apply -f ",
        "kapply apply -f ",
        "kdrill run all --namespace hello --report ",
        "klab --name demo down",
    ];
    assert_eq!(calls.len(), starts.len(), "{calls:#?}");
    for (call, start) in calls.iter().zip(starts) {
        assert!(call.starts_with(start), "{call}");
    }
    let image = format!(
        "--image hostname-server=127.0.0.1:4711/hostname-server@sha256:{} -n hello --wait",
        "ab".repeat(32)
    );
    assert!(calls[2].ends_with(&image), "{}", calls[2]);
    assert!(
        calls[3].ends_with("--node-add klab --name demo node add"),
        "{}",
        calls[3]
    );
    for flag in [
        "--image-digest sha256:cdcd ",
        "--image-next 127.0.0.1:4711/hostname-server@sha256:abab",
    ] {
        assert!(calls[3].contains(flag), "{}", calls[3]);
    }
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(
        table.contains("drills") && table.contains("total"),
        "{table}"
    );
}

#[test]
fn a_failure_is_told_and_the_cluster_goes_down() {
    for (breaks, told) in [
        ("up", "`klab --name demo up --registry --nodes 2` failed"),
        ("drills", "drills: `kdrill run "),
    ] {
        let stand_ins = StandIns::new();
        let output = stand_ins.demo(breaks).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(told), "{}", text(&output));
        assert_eq!(stand_ins.calls().last().unwrap(), "klab --name demo down");
        assert!(!stand_ins.path("state/demo").exists());
    }
}

#[test]
fn a_signal_ends_the_drills_and_the_cluster_goes_down() {
    let stand_ins = StandIns::new();
    let demo = stand_ins.demo("hang").spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !stand_ins.path("hangs").exists() {
        assert!(Instant::now() < deadline, "the drills never started");
        // The file of another process has no event; the deadline bounds this.
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(
        Pid::from_raw(i32::try_from(demo.id()).unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    let output = demo.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143), "{}", text(&output));
    assert_eq!(stand_ins.calls().last().unwrap(), "klab --name demo down");
}

#[test]
fn a_kept_cluster_stays_with_the_way_to_it() {
    let stand_ins = StandIns::new();
    let output = stand_ins.demo("").arg("--keep").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!stand_ins.calls().iter().any(|call| call.ends_with(" down")));
    let said = text(&output);
    for hint in [
        "export KUBECONFIG=",
        "/kubectl -n hello get pods",
        "klab --name demo down",
    ] {
        assert!(said.contains(hint), "{hint}: {said}");
    }
}
