//! What a test stands on: a namespace, a kind of its own, and the schemas.

use e2e::{Namespace, Shared};
use kapply::{decode, object::Object, problem::File, schema::Schemas};
use serde_json::Value;

use crate::server::{self, Server};

pub(crate) struct Ground {
    pub(crate) server: Server,
    /// One or two objects of each kind, as full as they can be.
    pub(crate) templates: Vec<Value>,
    /// The kind of some of them.
    pub(crate) definition: Object,
    pub(crate) schemas: Schemas,
    shared: Shared,
    // Goes after the definition.
    _namespace: Namespace,
}

impl Ground {
    pub(crate) async fn prepare(prefix: &str) -> Self {
        let shared = Shared::get();
        let namespace = Namespace::create(&shared, prefix);
        let group = format!("{}.example.com", namespace.name);
        let mut definitions = read("definition.yaml", include_str!("definition.yaml"), &group);
        let definition = definitions.remove(0);
        let objects = read("objects.yaml", include_str!("objects.yaml"), &group);
        let templates: Vec<_> = objects.into_iter().map(|object| object.value).collect();
        let words = ["apply", "--server-side", "-f", "-"];
        shared
            .kubectl(&words, &definition.value.to_string())
            .exits(0);
        let server = Server::connect(&shared, &namespace.name).await;
        let kinds: Vec<_> = templates.iter().map(server::kind).collect();
        let schemas = server.schemas(&kinds).await;
        Self {
            server,
            templates,
            definition,
            schemas,
            shared,
            _namespace: namespace,
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let name = self.definition.name();
        let ran = self
            .shared
            .kubectl(&["delete", "crd", name, "--wait=false"], "");
        if ran.code != Some(0) {
            eprintln!("{ran}");
        }
    }
}

fn read(name: &str, text: &str, group: &str) -> Vec<Object> {
    let text = text.replace("proof.example.com", group);
    decode::decode(&[File::read(name, text.into_bytes())]).expect("the file holds objects")
}
