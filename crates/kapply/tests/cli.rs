//! The command line without a cluster: what is refused, how, and what is printed.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use assert_cmd::Command;
use predicates::{
    prelude::PredicateBooleanExt as _,
    str::{contains, is_empty, starts_with},
};
use tempfile::TempDir;

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        image: web
";

/// A directory with manifests and a kubeconfig, and the tool that runs in it.
struct Bench {
    directory: TempDir,
}

impl Bench {
    /// With a kubeconfig whose server is at this address.
    fn new(server: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: \"{server}\"}}}}]\n\
             users: [{{name: test, user: {{token: t}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test, namespace: home}}}}]\n"
        );
        fs::write(directory.path().join("kubeconfig"), kubeconfig).unwrap();
        Self { directory }
    }

    /// With a server that fails the test if anything connects to it.
    fn without_cluster() -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        (
            Self::new(&format!("http://{}", listener.local_addr().unwrap())),
            listener,
        )
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn kapply(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("kapply").unwrap();
        command
            .current_dir(self.directory.path())
            .env("KUBECONFIG", "kubeconfig")
            .args(arguments);
        command
    }
}

/// Nobody connected: what was refused was refused before anything was sent.
fn assert_untouched(listener: &TcpListener) {
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn all_mistakes_of_the_input_are_reported_and_nothing_is_sent() {
    let (bench, listener) = Bench::without_cluster();
    bench.write(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n",
    );
    bench.write("b.yaml", "kind: ConfigMap\nmetadata: {name: b}\n");
    bench
        .kapply(&["apply", "-f", "a.yaml", "-f", "b.yaml"])
        .assert()
        .code(2)
        .stdout(is_empty())
        .stderr(contains(
            "kapply: error: a.yaml:5: syntax error: the key `name` is given twice",
        ))
        .stderr(contains(
            "kapply: error: b.yaml:1: this is no Kubernetes object: apiVersion is missing",
        ));
    assert_untouched(&listener);
}

#[test]
fn missing_files_and_empty_input_are_errors() {
    let (bench, listener) = Bench::without_cluster();
    bench.write("empty.yaml", "# nothing\n---\n");
    bench
        .kapply(&["apply", "-f", "no-such.yaml", "-f", "nor-this"])
        .assert()
        .code(2)
        .stderr(contains(
            "kapply: error: no-such.yaml: cannot read it: no such file or directory",
        ))
        .stderr(contains("nor-this"));
    bench
        .kapply(&["apply", "-f", "empty.yaml"])
        .assert()
        .code(2)
        .stderr(contains("there is no object in empty.yaml"));
    bench
        .kapply(&["apply"])
        .assert()
        .code(2)
        .stderr(contains("--filename"));
    assert_untouched(&listener);
}

#[test]
fn the_same_object_twice_names_both_places() {
    let (bench, listener) = Bench::without_cluster();
    bench.write("one.yaml", DEPLOYMENT);
    // The context's namespace is `home`, so these two are one.
    bench.write(
        "two.yaml",
        &DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: home\nspec"),
    );
    bench.kapply(&["apply", "-f", "one.yaml", "-f", "two.yaml"]).assert().code(2).stderr(contains(
        "kapply: error: two.yaml:1: deployment.apps/web: the same object is already given at one.yaml:1",
    ));
    assert_untouched(&listener);
}

#[test]
fn wrong_images_are_refused() {
    let (bench, listener) = Bench::without_cluster();
    bench.write("web.yaml", DEPLOYMENT);
    bench
        .kapply(&[
            "apply",
            "-f",
            "web.yaml",
            "--image",
            "web=registry.example/web@sha256:1234",
        ])
        .assert()
        .code(2)
        .stderr(contains("sha256 has 64 hexadecimal digits"));
    bench
        .kapply(&[
            "apply",
            "-f",
            "web.yaml",
            "--image",
            "other=registry.example/web:1",
        ])
        .assert()
        .code(2)
        .stderr(contains(
            "no container of the input has an image with the name `other` (there are: web)",
        ));
    assert_untouched(&listener);
}

#[test]
fn wrong_flags_are_refused() {
    let (bench, listener) = Bench::without_cluster();
    bench.write("web.yaml", DEPLOYMENT);
    for (flags, word) in [
        (["--timeout", "five"], "such as 90s"),
        (["--concurrency", "0"], "--concurrency"),
        (["--dry-run=client", "--wait"], "possible values: server"),
        (["--context", "nowhere"], "nowhere"),
    ] {
        let mut arguments = vec!["apply", "-f", "web.yaml"];
        arguments.extend(flags);
        bench
            .kapply(&arguments)
            .assert()
            .code(2)
            .stderr(contains(word));
    }
    assert_untouched(&listener);
}

#[test]
fn a_server_that_is_not_there_is_named_soon() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let bench = Bench::new(&url);
    bench.write("web.yaml", DEPLOYMENT);
    let started = Instant::now();
    for command in ["apply", "wait"] {
        bench
            .kapply(&[command, "-f", "web.yaml"])
            .assert()
            .code(2)
            .stderr(starts_with(format!(
                "kapply: error: cannot reach the API server at {url}/: connection refused"
            )))
            .stderr(predicates::str::is_match("^[^\n]*\n$").unwrap());
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_is_no_api_server_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bench = Bench::new(&format!("http://{}", listener.local_addr().unwrap()));
    bench.write("web.yaml", DEPLOYMENT);
    // One answer may be enough: how many connections there are is not known.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
                )
                .unwrap();
        }
    });
    bench
        .kapply(&["apply", "-f", "web.yaml"])
        .assert()
        .code(2)
        .stderr(contains("this is no Kubernetes API server"));
}

#[test]
fn render_sets_images_and_namespaces_without_a_cluster() {
    let (bench, listener) = Bench::without_cluster();
    bench.write("web.yaml", DEPLOYMENT);
    bench.write(
        "ns.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    );
    let output = bench
        .kapply(&[
            "render",
            "-f",
            "web.yaml",
            "-f",
            "ns.yaml",
            "-n",
            "shop",
            "--image",
            "web=registry.example/web:1.2",
        ])
        .assert()
        .success()
        .stderr(is_empty());
    insta::assert_snapshot!(String::from_utf8_lossy(&output.get_output().stdout), @r"
    ---
    apiVersion: v1
    kind: Namespace
    metadata:
      name: shop
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      namespace: shop
    spec:
      template:
        spec:
          containers:
          - name: web
            image: registry.example/web:1.2
    ");
    assert_untouched(&listener);
}

#[test]
fn render_reads_yaml_as_kubectl_does_and_writes_it_for_everybody() {
    let (bench, listener) = Bench::without_cluster();
    bench
        .kapply(&["render", "-f", "-"])
        .write_stdin("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {mode: '0400', answer: 'yes'}\nnumber: 0400\nflag: y\n")
        .assert()
        .success()
        .stdout(contains("  mode: \"0400\"\n  answer: \"yes\"\nnumber: 256\nflag: true\n"));
    bench
        .kapply(&["render", "-f", "-", "-o", "json"])
        .write_stdin(
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"a\"}}",
        )
        .assert()
        .success()
        .stdout(contains("\"kind\": \"List\"").and(contains("\"name\": \"a\"")));
    assert_untouched(&listener);
}

#[test]
fn render_enforces_the_namespace() {
    let (bench, listener) = Bench::without_cluster();
    bench.write(
        "web.yaml",
        &DEPLOYMENT.replace("name: web\nspec", "name: web\n  namespace: other\nspec"),
    );
    bench
        .kapply(&[
            "render",
            "-f",
            "web.yaml",
            "-n",
            "shop",
            "--enforce-namespace",
        ])
        .assert()
        .code(2)
        .stderr(contains(
            "web.yaml:1: deployment.apps/web: its namespace is `other`",
        ));
    bench
        .kapply(&["render", "-f", "web.yaml", "-n", "shop"])
        .assert()
        .success()
        .stdout(contains("namespace: other"));
    assert_untouched(&listener);
}

#[test]
fn every_command_explains_itself() {
    let bench = Bench::new("http://127.0.0.1:1");
    for command in ["apply", "render", "wait", "completions", "man"] {
        bench
            .kapply(&[command, "--help"])
            .assert()
            .success()
            .stdout(contains("Examples:\n  "));
    }
    bench
        .kapply(&["--help"])
        .assert()
        .success()
        .stdout(contains("Exit codes:"));
    bench
        .kapply(&["completions", "bash"])
        .assert()
        .success()
        .stdout(contains("_kapply"));
    bench.kapply(&["man", "--dir", "pages"]).assert().success();
    let page = fs::read_to_string(bench.directory.path().join("pages/kapply-apply.1")).unwrap();
    assert!(page.contains("force\\-conflicts"), "{page}");
}
