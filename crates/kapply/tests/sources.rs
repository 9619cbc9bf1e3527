//! Where manifests come from, on the command line: directories, URLs, kustomizations.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use assert_cmd::Command;
use predicates::{
    prelude::PredicateBooleanExt as _,
    str::{contains, is_empty},
};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fetched}\n";

fn render(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("kapply").unwrap();
    command
        .env("KUBECONFIG", "/nonexistent")
        // A proxy of this machine is not meant for its own loopback address.
        .env("NO_PROXY", "127.0.0.1,localhost")
        .arg("render")
        .args(arguments);
    command
}

/// A server on the loopback address; `answer` gets the path of each request.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            answer(&path, &mut stream);
        }
    });
    url
}

/// Answers once and closes; the reader may be gone already.
fn reply(stream: &mut TcpStream, head: &str, body: &str) {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let _ = stream.write_all(text.as_bytes());
}

#[test]
fn a_url_is_fetched_only_if_that_is_allowed() {
    let url = serve(|path, stream| match path {
        "/moved.yaml" => reply(stream, "302 Found\r\nLocation: /map.yaml", ""),
        "/map.yaml" => reply(stream, "200 OK", MAP),
        _ => reply(stream, "404 Not Found", ""),
    });
    let moved = format!("{url}/moved.yaml");
    render(&["-f", &moved])
        .assert()
        .code(2)
        .stdout(is_empty())
        .stderr(contains("--allow-urls").and(contains(&moved)));
    render(&["-f", &moved, "--allow-urls"])
        .assert()
        .success()
        .stdout(contains("name: fetched"));
    render(&["-f", &format!("{url}/none.yaml"), "--allow-urls"])
        .assert()
        .code(2)
        .stderr(contains(
            "/none.yaml: cannot fetch it: the server answered 404 Not Found",
        ));
}

#[test]
fn mistakes_behind_a_url_are_named_with_its_line() {
    let url = serve(|_, stream| reply(stream, "200 OK", &format!("{MAP}metadata: {{}}\n")));
    render(&["-f", &format!("{url}/a.yaml"), "--allow-urls"])
        .assert()
        .code(2)
        .stderr(contains(format!(
            "{url}/a.yaml:4: syntax error: the key `metadata`"
        )));
}

#[test]
fn unsafe_urls_and_redirects_are_refused() {
    let url = serve(|path, stream| match path {
        "/round" => reply(stream, "302 Found\r\nLocation: /round", ""),
        "/out" => reply(stream, "302 Found\r\nLocation: http://example.com/", ""),
        _ => reply(
            stream,
            "200 OK\r\nContent-Type: text/html; charset=utf-8",
            "<html>",
        ),
    });
    for (path, word) in [
        ("/round", "redirects more than 5 times"),
        ("/out", "redirects elsewhere"),
        ("/page", "give the address of the raw file"),
    ] {
        render(&["-f", &format!("{url}{path}"), "--allow-urls"])
            .assert()
            .code(2)
            .stderr(contains(word));
    }
    render(&["-f", "http://example.com/a.yaml", "--allow-urls"])
        .assert()
        .code(2)
        .stderr(contains("use https:"));
}

#[test]
fn a_url_that_sends_without_end_is_left() {
    let url = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let block = vec![b'#'; 1 << 20];
        while stream.write_all(&block).is_ok() {}
    });
    render(&["-f", &url, "--allow-urls"])
        .assert()
        .code(2)
        .stderr(contains("larger than 32 MiB"));
}

#[test]
fn no_message_repeats_the_credentials_of_a_url() {
    let url = serve(|_, stream| reply(stream, "401 Unauthorized", ""));
    let secret = url.replace("http://", "http://me:planted-password@");
    let secret = format!("{secret}/a.yaml?token=planted-token");
    for flags in [
        &["-f", &secret][..],
        &["-f", &secret, "--allow-urls", "-vvv"],
    ] {
        render(flags)
            .assert()
            .code(2)
            .stderr(contains("/a.yaml").and(contains("planted").not()));
    }
    render(&["-f", "https://me:planted-password@[::/", "--allow-urls"])
        .assert()
        .code(2)
        .stderr(contains("does not parse").and(contains("planted").not()));
}

#[test]
fn a_kustomization_needs_a_directory_and_a_builder() {
    let empty = tempfile::tempdir().unwrap();
    let directory = empty.path().to_str().unwrap();
    for (argument, word) in [
        (directory, "neither kustomize nor kubectl is on the PATH"),
        ("no/such", "-k takes a directory"),
        ("https://example.com/base", "clone what the URL names"),
    ] {
        render(&["-k", argument])
            .env("PATH", directory)
            .assert()
            .code(2)
            .stderr(contains(format!("{argument} (kustomize): ")).and(contains(word)));
    }
    render(&["-k", directory, "-f", "a.yaml"])
        .assert()
        .code(2)
        .stderr(contains("cannot be used with"));
}

#[test]
fn pipes_and_devices_in_a_directory_are_no_manifests() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), MAP).unwrap();
    // It never ends, and is no file of this directory.
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("zero.yaml")).unwrap();
    render(&["-f", folder.path().to_str().unwrap()])
        .timeout(std::time::Duration::from_secs(20))
        .assert()
        .success()
        .stdout(contains("name: fetched"));
}

#[test]
fn nasty_inputs_are_read_or_refused_as_their_names_say() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut seen = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let assert = render(&["-f", path.to_str().unwrap()])
            .timeout(std::time::Duration::from_secs(20))
            .assert();
        if name.starts_with("good-") {
            assert.success().stderr(is_empty());
        } else {
            assert
                .code(2)
                .stdout(is_empty())
                .stderr(contains(format!("{name}:")).and(contains("panicked").not()));
        }
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} files");
}
