//! The requests that the cases make.

use std::time::Duration;

use e2e::Shared;
use http::{Request, StatusCode};
use kapply::{
    connect,
    schema::{self, Schemas},
};
use kube::core::{GroupVersionKind, ObjectMeta, TypeMeta};
use serde_json::{Value, json};

pub(crate) const MANAGER: &str = "kapply";

pub(crate) struct Server {
    cluster: connect::Cluster,
    namespace: String,
}

/// The group, version and kind of an object.
pub(crate) fn kind(object: &Value) -> GroupVersionKind {
    let types = TypeMeta {
        api_version: text(&object["apiVersion"]),
        kind: text(&object["kind"]),
    };
    GroupVersionKind::try_from(types).expect("every object has a kind")
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is a text").to_owned()
}

impl Server {
    pub(crate) async fn connect(shared: &Shared, namespace: &str) -> Self {
        let kubeconfig = shared.klab(&["kubeconfig", "--path"]).exits(0);
        let options = connect::ConnectOptions {
            kubeconfig: Some(kubeconfig.stdout.trim().into()),
            ..connect::ConnectOptions::default()
        };
        Self {
            cluster: connect::connect(&options)
                .await
                .expect("the kubeconfig is good"),
            namespace: namespace.to_owned(),
        }
    }

    /// The schemas of the kinds, as soon as the server describes them all.
    pub(crate) async fn schemas(&self, kinds: &[GroupVersionKind]) -> Schemas {
        let all = async {
            loop {
                let schemas = schema::load(&self.cluster, kinds).await;
                if kinds.iter().all(|kind| schemas.get(kind).is_some()) {
                    return schemas;
                }
                // A new CRD is described a moment later, and there is nothing to watch for it.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let limit = Duration::from_secs(30);
        tokio::time::timeout(limit, all)
            .await
            .expect("the server describes its kinds")
    }

    /// The object with this name, in the namespace of the test.
    pub(crate) fn place(&self, mut object: Value, name: &str) -> Value {
        object["metadata"]["name"] = name.into();
        object["metadata"]["namespace"] = self.namespace.as_str().into();
        object
    }

    pub(crate) async fn apply(
        &self,
        object: &Value,
        manager: &str,
        dry: bool,
    ) -> Result<Value, String> {
        let force = if manager == MANAGER {
            ""
        } else {
            "&force=true"
        };
        let dry = if dry { "&dryRun=All" } else { "" };
        let query = format!("?fieldManager={manager}&fieldValidation=Strict{force}{dry}");
        self.send(
            "PATCH",
            object,
            &query,
            "application/apply-patch+yaml",
            object,
        )
        .await
    }

    /// A dry run that takes every field.
    pub(crate) async fn force(&self, object: &Value) -> Result<Value, String> {
        let query = format!("?fieldManager={MANAGER}&force=true&dryRun=All");
        self.send(
            "PATCH",
            object,
            &query,
            "application/apply-patch+yaml",
            object,
        )
        .await
    }

    /// An update by another manager, perhaps through a subresource.
    pub(crate) async fn merge(
        &self,
        object: &Value,
        subresource: &str,
        patch: &Value,
    ) -> Result<Value, String> {
        let query = format!("{subresource}?fieldManager=editor");
        self.send(
            "PATCH",
            object,
            &query,
            "application/merge-patch+json",
            patch,
        )
        .await
    }

    pub(crate) async fn get(&self, object: &Value) -> Value {
        let found = self
            .send("GET", object, "", "application/json", &Value::Null)
            .await;
        found.unwrap_or_else(|error| panic!("{object} cannot be read: {error}"))
    }

    async fn send(
        &self,
        method: &str,
        object: &Value,
        rest: &str,
        content: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let version = text(&object["apiVersion"]);
        let root = if version.contains('/') { "apis" } else { "api" };
        let place = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("namespaces/{namespace}/"),
            None => String::new(),
        };
        let plural = plural(&text(&object["kind"]));
        let name = text(&object["metadata"]["name"]).replace(':', "%3A");
        let request = Request::builder()
            .method(method)
            .uri(format!("/{root}/{version}/{place}{plural}/{name}{rest}"))
            .header("content-type", content)
            .body(if body.is_null() {
                Vec::new()
            } else {
                body.to_string().into_bytes()
            })
            .expect("it is a request");
        let response = self.cluster.client.send(request.map(Into::into)).await;
        let response = response.map_err(|error| error.to_string())?;
        let good = response.status() < StatusCode::BAD_REQUEST;
        let body = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        if good {
            Ok(body)
        } else {
            Err(body["message"].to_string())
        }
    }
}

fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !kind.ends_with("way") => format!("{stem}ies"),
        _ if kind.ends_with('s') && kind != "endpoints" => format!("{kind}es"),
        _ if kind == "endpoints" => kind,
        _ => format!("{kind}s"),
    }
}

/// What the server says the manager owns; who owns nothing has no entry.
pub(crate) fn owned(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array();
    let ours = |entry: &&Value| {
        entry["manager"] == MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
    };
    let entry = entries.into_iter().flatten().find(ours);
    entry.map_or(json!({}), |entry| entry["fieldsV1"].clone())
}

/// The object without what moves although nothing changes.
pub(crate) fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = &mut object["metadata"];
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.remove("resourceVersion");
    }
    for entry in metadata["managedFields"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
    object
}

/// A live object as somebody would have written it down.
pub(crate) fn as_manifest(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    let meta: ObjectMeta =
        serde_json::from_value(object["metadata"].clone()).expect("it is metadata");
    let kept = ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        labels: meta.labels,
        annotations: meta.annotations,
        owner_references: meta.owner_references,
        finalizers: meta.finalizers,
        ..ObjectMeta::default()
    };
    object["metadata"] = serde_json::to_value(kept).expect("metadata is JSON");
    object
}
