//! A registry of a few fixed answers, for what real ones do seldom.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// Answers by path, each with its media type.
#[derive(Default)]
pub(crate) struct Shelf {
    answers: BTreeMap<String, (String, Vec<u8>)>,
    /// The header without which nothing is told.
    login: Option<String>,
    /// Where whoever has none is sent.
    realm: Option<String>,
    /// Where manifests are instead.
    moved: Option<String>,
    /// Where an answer does not come.
    silent: Option<String>,
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

    /// Demands a token of this service.
    pub(crate) fn tokens_of(mut self, realm: &str) -> Self {
        self.realm = Some(realm.to_owned());
        self.guarded("Bearer planted-token")
    }

    /// Sends whoever asks for a manifest to another registry.
    pub(crate) fn moved(mut self, origin: &str) -> Self {
        self.moved = Some(origin.to_owned());
        self
    }

    /// Lets whoever asks for a blob wait.
    pub(crate) fn silent(mut self, blob: &Value) -> Self {
        let digest = blob["digest"].as_str().unwrap();
        self.silent = Some(format!("/v2/web/blobs/{digest}"));
        self
    }

    /// Answers until the test ends.
    pub(crate) fn open(mut self) -> SocketAddr {
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

    fn answer(&mut self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).map(|_| line)
        };
        // Whoever asks for TLS does not speak text.
        let request = line()?;
        let words: Vec<&str> = request.split_whitespace().collect();
        let [method, path, _] = words[..] else {
            return Ok(());
        };
        let mut headers = BTreeMap::new();
        while let Some((name, value)) = line()?.trim().split_once(": ") {
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;

        if self.silent.as_deref() == Some(path) {
            thread::park();
        }
        let (status, more, body) = if headers.get("authorization") != self.login.as_ref() {
            let asked = match &self.realm {
                Some(realm) => format!("Bearer realm=\"{realm}\",service=\"shelf\""),
                None => "Basic realm=\"shelf\"".to_owned(),
            };
            let asked = format!("WWW-Authenticate: {asked}\r\n");
            ("401 Unauthorized", asked, Vec::new())
        } else if let Some(origin) = &self.moved {
            let there = format!("Location: {origin}{path}\r\n");
            ("307 Temporary Redirect", there, Vec::new())
        } else if method == "PUT" {
            let kind = headers.remove("content-type").unwrap_or_default();
            (self.put(path, kind, body), String::new(), Vec::new())
        } else if let Some((kind, body)) = self.answers.get(path) {
            let kind = format!("Content-Type: {kind}\r\n");
            ("200 OK", kind, body.clone())
        } else {
            ("404 Not Found", String::new(), Vec::new())
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let body = if method == "HEAD" { &[] } else { &body[..] };
        stream.write_all(body)
    }

    /// Takes a manifest; of an index all that it lists has to be there.
    fn put(&mut self, path: &str, kind: String, body: Vec<u8>) -> &'static str {
        let document: Value = serde_json::from_slice(&body).unwrap();
        let listed = document["manifests"].as_array().into_iter().flatten();
        let mut digests = listed.map(|one| one["digest"].as_str().unwrap());
        let known = |digest| {
            let path = format!("/v2/web/manifests/{digest}");
            self.answers.contains_key(&path)
        };
        if !digests.all(known) {
            return "400 Bad Request";
        }
        self.answers.insert(path.to_owned(), (kind, body));
        "201 Created"
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", super::verify::hex_digest(bytes))
}
