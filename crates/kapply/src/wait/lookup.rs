//! What no watch shows and is asked for once: storage classes, and the words of
//! an autoscaler. Whoever may not read them waits without.

use http::Request;
use serde_json::Value;

use crate::{
    connect::{Cluster, Retry},
    resolve::Target,
};

/// Whether cluster-autoscaler or Karpenter has promised a node for a pod.
pub(super) async fn is_node_coming(cluster: &Cluster, target: &Target, uid: &str) -> bool {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let path =
        format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.uid%3D{uid}");
    let events = list(cluster, &path).await;
    events
        .iter()
        .any(|event| event["reason"] == "TriggeredScaleUp" || event["reason"] == "Nominated")
}

/// Names of the storage classes with `WaitForFirstConsumer`; none if they cannot be read.
pub(super) async fn late_binding_classes(cluster: &Cluster) -> Vec<String> {
    let classes = list(cluster, "/apis/storage.k8s.io/v1/storageclasses").await;
    classes
        .iter()
        .filter(|class| class["volumeBindingMode"] == "WaitForFirstConsumer")
        .filter_map(|class| class.pointer("/metadata/name")?.as_str().map(str::to_owned))
        .collect()
}

/// The items of a list; none if it cannot be read.
async fn list(cluster: &Cluster, path: &str) -> Vec<Value> {
    let Ok(request) = Request::get(path).body(Vec::new()) else {
        return Vec::new();
    };
    let Ok(reply) = cluster.send(&request, Retry::Transient).await else {
        return Vec::new();
    };
    let mut list: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
