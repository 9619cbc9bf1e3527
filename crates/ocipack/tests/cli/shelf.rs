//! A registry of a few fixed answers, for what real ones do seldom.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// Answers by path, each with its media type.
#[derive(Default)]
pub(crate) struct Shelf {
    answers: BTreeMap<String, (String, Vec<u8>)>,
    /// The header without which nothing is told.
    login: Option<String>,
}

impl Shelf {
    /// Puts a document under its digest and under a tag; returns its descriptor.
    pub(crate) fn manifest(&mut self, tag: &str, kind: &str, document: &Value) -> Value {
        let media_type = format!("application/vnd.oci.image.{kind}.v1+json");
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        for target in [tag, &digest] {
            let path = format!("/v2/web/manifests/{target}");
            self.answers
                .insert(path, (media_type.clone(), bytes.clone()));
        }
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Puts a blob; returns its descriptor.
    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        let path = format!("/v2/web/blobs/{digest}");
        let answer = ("application/octet-stream".to_owned(), bytes.to_vec());
        self.answers.insert(path, answer);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Puts an image under a tag; returns its descriptor.
    pub(crate) fn image(&mut self, tag: &str, architecture: &str) -> Value {
        let config = json!({"os": "linux", "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": []}});
        let config = self.blob(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().as_bytes(),
        );
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [],
            "mediaType": "application/vnd.oci.image.manifest.v1+json"});
        self.manifest(tag, "manifest", &manifest)
    }

    pub(crate) fn guarded(mut self, login: &str) -> Self {
        self.login = Some(login.to_owned());
        self
    }

    /// Answers until the test ends.
    pub(crate) fn open(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever goes away has no need of the answer.
                let _ = self.answer(&stream);
            }
        });
        address
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).split(b'\n');
        let mut line = || lines.next().transpose().map(Option::unwrap_or_default);
        let request = String::from_utf8_lossy(&line()?).into_owned();
        // Whoever asks for TLS does not speak HTTP.
        if !request.contains("HTTP/1.1") {
            return Ok(());
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let mut login = None;
        loop {
            let header = String::from_utf8_lossy(&line()?).trim().to_owned();
            match header.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    login = Some(value.to_owned());
                }
                Some(_) => {}
                None => break,
            }
        }
        let asked = "WWW-Authenticate: Basic realm=\"shelf\"\r\n".to_owned();
        let (status, more, body) = match self.answers.get(path) {
            _ if login != self.login => ("401 Unauthorized", asked, &b""[..]),
            None => ("404 Not Found", String::new(), &b""[..]),
            Some((kind, body)) => ("200 OK", format!("Content-Type: {kind}\r\n"), &body[..]),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", super::verify::hex_digest(bytes))
}
