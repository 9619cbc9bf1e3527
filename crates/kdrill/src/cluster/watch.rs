//! Watches on the five kinds that drills are about, merged into one stream of small changes.

use std::collections::BTreeMap;

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::{apps::v1 as apps, core::v1 as core, discovery::v1::EndpointSlice};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;

use super::{
    target::Target,
    view::{Endpoint, Node, NodeInfo, Placement, Pod, ReplicaSet, View},
};

/// A change of one kind's objects, reduced to what the [`View`] keeps.
#[derive(Debug)]
pub enum Change<T> {
    /// The object was added or changed.
    Set(String, T),
    /// The object is gone.
    Remove(String),
    /// A new list begins: what follows replaces everything known.
    Restart,
    /// An object of the new list.
    Listed(String, T),
    /// The new list is complete.
    Done,
}

/// A change of any kind.
#[derive(Debug)]
pub enum Update {
    /// A pod of the Deployment.
    Pod(Change<Pod>),
    /// A node.
    Node(Change<Node>),
    /// An `EndpointSlice` of the Service.
    Slice(Change<Vec<Endpoint>>),
    /// A `ReplicaSet` of the Deployment.
    ReplicaSet(Change<ReplicaSet>),
    /// The Deployment itself.
    Deployment(Change<Placement>),
}

/// Opens the watches. They reconnect with a back-off for ever; their errors pass by as items.
pub fn watch(
    client: &Client,
    target: &Target,
) -> impl Stream<Item = Result<Update, watcher::Error>> + Send + use<> {
    let namespace = target.namespace.as_str();
    let selected = watcher::Config::default().labels(&target.selector.to_string());
    let slices = format!("kubernetes.io/service-name={}", target.service);
    let deployment = target.deployment.clone();
    let by_name = format!("metadata.name={deployment}");
    stream::select_all([
        changes(
            Api::namespaced(client.clone(), namespace),
            selected.clone(),
            |pod| Some(reduce_pod(pod)),
            Update::Pod,
        )
        .boxed(),
        changes(
            Api::all(client.clone()),
            watcher::Config::default(),
            |node| Some(reduce_node(node)),
            Update::Node,
        )
        .boxed(),
        changes(
            Api::namespaced(client.clone(), namespace),
            watcher::Config::default().labels(&slices),
            |slice| Some(reduce_slice(slice)),
            Update::Slice,
        )
        .boxed(),
        changes(
            Api::namespaced(client.clone(), namespace),
            selected,
            move |set| reduce_set(&set, &deployment),
            Update::ReplicaSet,
        )
        .boxed(),
        changes(
            Api::namespaced(client.clone(), namespace),
            watcher::Config::default().fields(&by_name),
            |deployment| Some(reduce_deployment(&deployment)),
            Update::Deployment,
        )
        .boxed(),
    ])
}

/// One kind's watch, with each object reduced; objects reduced to nothing are left out.
fn changes<K, T>(
    api: Api<K>,
    config: watcher::Config,
    reduce: impl Fn(K) -> Option<T> + Send + 'static,
    wrap: fn(Change<T>) -> Update,
) -> impl Stream<Item = Result<Update, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    T: Send + 'static,
{
    watcher(api, config)
        .default_backoff()
        .filter_map(move |event| {
            let change = match event {
                Err(error) => Some(Err(error)),
                Ok(watcher::Event::Apply(object)) => {
                    let name = object.name_any();
                    reduce(object).map(|reduced| Ok(Change::Set(name, reduced)))
                }
                Ok(watcher::Event::InitApply(object)) => {
                    let name = object.name_any();
                    reduce(object).map(|reduced| Ok(Change::Listed(name, reduced)))
                }
                Ok(watcher::Event::Delete(object)) => Some(Ok(Change::Remove(object.name_any()))),
                Ok(watcher::Event::Init) => Some(Ok(Change::Restart)),
                Ok(watcher::Event::InitDone) => Some(Ok(Change::Done)),
            };
            std::future::ready(change.map(|change| change.map(wrap)))
        })
}

fn reduce_pod(pod: core::Pod) -> Pod {
    let status = pod.status.unwrap_or_default();
    let containers = status
        .init_container_statuses
        .into_iter()
        .chain(status.container_statuses)
        .flatten();
    Pod {
        images: containers
            .filter(|container| {
                container
                    .state
                    .as_ref()
                    .is_some_and(|state| state.running.is_some())
            })
            .map(|container| container.image_id)
            .collect(),
        node: pod.spec.and_then(|spec| spec.node_name),
        ready: status
            .conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        phase: status.phase.unwrap_or_default(),
        revision: pod
            .metadata
            .labels
            .and_then(|mut labels| labels.remove("pod-template-hash")),
    }
}

fn reduce_node(node: core::Node) -> Node {
    let spec = node.spec.unwrap_or_default();
    let status = node.status.unwrap_or_default();
    let info = status.node_info.unwrap_or_default();
    let labels = node.metadata.labels.unwrap_or_default();
    Node {
        uid: node.metadata.uid,
        ready: status
            .conditions
            .unwrap_or_default()
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        cordoned: spec.unschedulable.unwrap_or(false),
        control_plane: labels.contains_key("node-role.kubernetes.io/control-plane"),
        // When a taint was added is of no interest, and would make two equal states differ.
        taints: spec
            .taints
            .unwrap_or_default()
            .into_iter()
            .map(|taint| core::Taint {
                time_added: None,
                ..taint
            })
            .collect(),
        info: NodeInfo {
            kubelet: info.kubelet_version,
            runtime: info.container_runtime_version,
            kernel: info.kernel_version,
            os: info.os_image,
        },
    }
}

fn reduce_slice(slice: EndpointSlice) -> Vec<Endpoint> {
    slice
        .endpoints
        .into_iter()
        .map(|endpoint| Endpoint {
            pod: endpoint.target_ref.and_then(|reference| reference.name),
            node: endpoint.node_name,
            ready: endpoint
                .conditions
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true),
        })
        .collect()
}

fn reduce_set(set: &apps::ReplicaSet, deployment: &str) -> Option<ReplicaSet> {
    let owner = set
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))?;
    if owner.kind != "Deployment" || owner.name != deployment {
        return None;
    }
    let revision = set.annotations().get("deployment.kubernetes.io/revision")?;
    Some(ReplicaSet {
        revision: revision.parse().ok()?,
        hash: set.labels().get("pod-template-hash")?.clone(),
    })
}

fn reduce_deployment(deployment: &apps::Deployment) -> Placement {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.clone())
        .unwrap_or_default();
    Placement {
        tolerations: pod.tolerations.unwrap_or_default(),
    }
}

/// The view under construction: what is known, and the lists that are still arriving.
#[derive(Debug, Default)]
pub struct Observed {
    view: View,
    pods: Listing<Pod>,
    nodes: Listing<Node>,
    slices: Listing<Vec<Endpoint>>,
    sets: Listing<ReplicaSet>,
    deployment: Listing<Placement>,
    deployments: BTreeMap<String, Placement>,
}

impl Observed {
    /// Takes one change in.
    pub fn take(&mut self, update: Update) {
        match update {
            Update::Pod(change) => self.pods.take(&mut self.view.pods, change),
            Update::Node(change) => self.nodes.take(&mut self.view.nodes, change),
            Update::Slice(change) => self.slices.take(&mut self.view.slices, change),
            Update::ReplicaSet(change) => self.sets.take(&mut self.view.replica_sets, change),
            Update::Deployment(change) => {
                self.deployment.take(&mut self.deployments, change);
                self.view.placement = self
                    .deployments
                    .values()
                    .next()
                    .cloned()
                    .unwrap_or_default();
            }
        }
    }

    /// The view so far.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The kinds whose first list is not complete.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        [
            ("pods", self.pods.complete),
            ("nodes", self.nodes.complete),
            ("endpointslices", self.slices.complete),
            ("replicasets", self.sets.complete),
            ("deployments", self.deployment.complete),
        ]
        .into_iter()
        .filter_map(|(kind, complete)| (!complete).then_some(kind))
        .collect()
    }
}

/// A list in flight; it replaces what is known only once it is complete.
#[derive(Debug)]
struct Listing<T> {
    incoming: BTreeMap<String, T>,
    complete: bool,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self {
            incoming: BTreeMap::new(),
            complete: false,
        }
    }
}

impl<T> Listing<T> {
    fn take(&mut self, known: &mut BTreeMap<String, T>, change: Change<T>) {
        match change {
            Change::Set(name, object) => {
                known.insert(name, object);
            }
            Change::Remove(name) => {
                known.remove(&name);
            }
            Change::Restart => self.incoming.clear(),
            Change::Listed(name, object) => {
                self.incoming.insert(name, object);
            }
            Change::Done => {
                *known = std::mem::take(&mut self.incoming);
                self.complete = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_restarted_list_replaces_what_was_known_only_when_complete() {
        let mut observed = Observed::default();
        let pod = Pod::default;
        observed.take(Update::Pod(Change::Restart));
        observed.take(Update::Pod(Change::Listed("a".into(), pod())));
        assert!(observed.view().pods.is_empty());
        assert!(observed.missing().contains(&"pods"));
        observed.take(Update::Pod(Change::Done));
        observed.take(Update::Pod(Change::Set("b".into(), pod())));
        assert_eq!(observed.view().pods.len(), 2);

        observed.take(Update::Pod(Change::Restart));
        observed.take(Update::Pod(Change::Listed("c".into(), pod())));
        assert_eq!(
            observed.view().pods.len(),
            2,
            "the old state stands until the list is whole"
        );
        observed.take(Update::Pod(Change::Done));
        assert_eq!(observed.view().pods.keys().collect::<Vec<_>>(), ["c"]);
        assert!(!observed.missing().contains(&"pods"));
    }

    #[test]
    fn an_endpoint_without_conditions_is_ready() {
        let slice = from_value(json!({
            "addressType": "IPv4", "metadata": {"name": "s"},
            "endpoints": [
                {"addresses": ["10.0.0.1"], "nodeName": "n1", "targetRef": {"name": "a"}},
                {"addresses": ["10.0.0.2"], "nodeName": "n2", "targetRef": {"name": "b"},
                 "conditions": {"ready": false}},
            ],
        }))
        .unwrap();
        let ready: Vec<_> = reduce_slice(slice)
            .into_iter()
            .map(|endpoint| endpoint.ready)
            .collect();
        assert_eq!(ready, [true, false]);
    }

    #[test]
    fn replica_sets_of_other_deployments_are_left_out() {
        let set = |owner: &str| -> apps::ReplicaSet {
            from_value(json!({"metadata": {
                "name": "web-1", "labels": {"pod-template-hash": "1"},
                "annotations": {"deployment.kubernetes.io/revision": "7"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": owner,
                                     "uid": "u", "controller": true}],
            }}))
            .unwrap()
        };
        assert_eq!(
            reduce_set(&set("web"), "web").map(|set| set.revision),
            Some(7)
        );
        assert_eq!(reduce_set(&set("other"), "web"), None);
    }
}
