//! The cluster as the drills see it: only what a promise can be about, judged honestly.
//!
//! A pod counts as Ready only while its node does: a pod on a lost node keeps the condition
//! `Ready=True` until the node lifecycle controller rewrites it, seconds after it stopped answering.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Taint, Toleration};
use serde::Serialize;

/// One pod that the Deployment's selector selects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// The node it is bound to.
    pub node: Option<String>,
    /// Condition `Ready` is `True`.
    pub ready: bool,
    /// It has a deletionTimestamp.
    pub terminating: bool,
    /// `status.phase`.
    pub phase: String,
    /// Label `pod-template-hash`: the revision it was made from.
    pub revision: Option<String>,
    /// The images of its running containers, as their runtime names them.
    pub images: Vec<String>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its UID.
    pub uid: Option<String>,
    /// Condition `Ready` is `True`.
    pub ready: bool,
    /// `spec.unschedulable` (cordoned).
    pub cordoned: bool,
    /// Label `node-role.kubernetes.io/control-plane` is present.
    pub control_plane: bool,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// What it runs, for the report.
    pub info: NodeInfo,
}

/// What a node runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, serde::Deserialize)]
pub struct NodeInfo {
    /// kubelet's version.
    pub kubelet: String,
    /// The container runtime with its version.
    pub runtime: String,
    /// The kernel's release.
    pub kernel: String,
    /// The operating system image.
    pub os: String,
}

/// One address of the Service's `EndpointSlices`.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// The pod behind it.
    pub pod: Option<String>,
    /// The node that the pod runs on.
    pub node: Option<String>,
    /// Condition `ready`; absent means true (discovery.k8s.io/v1, `EndpointConditions`).
    pub ready: bool,
}

/// One `ReplicaSet` of the Deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// Annotation `deployment.kubernetes.io/revision`.
    pub revision: u64,
    /// Label `pod-template-hash`.
    pub hash: String,
}

/// Where the Deployment's pods may go, from its pod template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// `spec.template.spec.tolerations`.
    pub tolerations: Vec<Toleration>,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Pods by name.
    pub pods: BTreeMap<String, Pod>,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Endpoints by `EndpointSlice` name.
    pub slices: BTreeMap<String, Vec<Endpoint>>,
    /// `ReplicaSets` by name.
    pub replica_sets: BTreeMap<String, ReplicaSet>,
    /// Where pods may go.
    pub placement: Placement,
}

impl View {
    /// Whether the node exists and is Ready.
    #[must_use]
    pub fn node_ready(&self, node: &str) -> bool {
        self.nodes.get(node).is_some_and(|node| node.ready)
    }

    /// Pods that are Ready, not terminating, and on a node that is Ready: name and node.
    pub fn ready_pods(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pods.iter().filter_map(|(name, pod)| {
            let node = pod.node.as_deref()?;
            (pod.ready && !pod.terminating && self.node_ready(node))
                .then_some((name.as_str(), node))
        })
    }

    /// The names of the [Ready pods](Self::ready_pods).
    #[must_use]
    pub fn ready_names(&self) -> BTreeSet<String> {
        self.ready_pods().map(|(name, _)| name.to_owned()).collect()
    }

    /// How many [Ready pods](Self::ready_pods) are on nodes other than `lost`.
    #[must_use]
    pub fn ready_elsewhere(&self, lost: &str) -> usize {
        self.ready_pods().filter(|(_, node)| *node != lost).count()
    }

    /// The pods that the Service sends traffic to: ready in an `EndpointSlice`.
    #[must_use]
    pub fn serving(&self) -> BTreeSet<String> {
        self.slices
            .values()
            .flatten()
            .filter(|endpoint| endpoint.ready)
            .filter_map(|endpoint| endpoint.pod.clone())
            .collect()
    }

    /// Whether an `EndpointSlice` still lists a pod of this node as ready.
    #[must_use]
    pub fn listed_on(&self, node: &str) -> bool {
        self.slices
            .values()
            .flatten()
            .any(|endpoint| endpoint.ready && endpoint.node.as_deref() == Some(node))
    }

    /// Exactly these many pods exist (those that ended do not count), all are Ready, and the
    /// Service serves exactly them.
    #[must_use]
    pub fn whole(&self, replicas: usize) -> bool {
        let ended = |pod: &&Pod| pod.phase == "Failed" || pod.phase == "Succeeded";
        let living = self.pods.values().filter(|pod| !ended(pod)).count();
        living == replicas && self.at_full_strength(replicas)
    }

    /// These many pods are Ready and the Service serves exactly them; leftovers of lost pods may
    /// still be terminating.
    #[must_use]
    pub fn at_full_strength(&self, replicas: usize) -> bool {
        let ready = self.ready_names();
        ready.len() == replicas && ready == self.serving()
    }

    /// The pod-template-hash of the newest `ReplicaSet`: the current revision.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        self.replica_sets
            .values()
            .max_by_key(|set| set.revision)
            .map(|set| set.hash.as_str())
    }

    /// Nodes that the scheduler may use for these pods: Ready, not cordoned, and without a
    /// taint that keeps the pods away. A nodeSelector does not count: replicas that it keeps on
    /// one node are lost with that node.
    #[must_use]
    pub fn schedulable(&self) -> BTreeSet<&str> {
        self.nodes
            .iter()
            .filter(|(_, node)| {
                node.ready
                    && !node.cordoned
                    && node
                        .taints
                        .iter()
                        .all(|taint| taint.effect == "PreferNoSchedule" || self.tolerated(taint))
            })
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Matching of a taint by the tolerations, as the API defines it (core/v1 Toleration).
    fn tolerated(&self, taint: &Taint) -> bool {
        self.placement.tolerations.iter().any(|toleration| {
            let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
            set(&toleration.effect).is_none_or(|effect| effect == taint.effect)
                && set(&toleration.key).is_none_or(|key| key == taint.key)
                && match toleration.operator.as_deref() {
                    Some("Exists") => true,
                    _ => {
                        toleration.key.is_some()
                            && toleration.value.as_deref().unwrap_or("")
                                == taint.value.as_deref().unwrap_or("")
                    }
                }
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A view with Ready pods, written `pod@node`; every node named is Ready.
    pub(crate) fn view(pods: &[&str], nodes: &[&str]) -> View {
        let mut view = View::default();
        for node in nodes {
            let ready = Node {
                ready: true,
                ..Node::default()
            };
            view.nodes.insert((*node).to_owned(), ready);
        }
        let mut slice = Vec::new();
        for pod in pods {
            let (name, node) = pod.split_once('@').unwrap();
            let state = Pod {
                node: Some(node.to_owned()),
                ready: true,
                phase: "Running".to_owned(),
                revision: Some("r1".to_owned()),
                ..Pod::default()
            };
            view.pods.insert(name.to_owned(), state);
            slice.push(Endpoint {
                pod: Some(name.to_owned()),
                node: Some(node.to_owned()),
                ready: true,
            });
        }
        view.slices.insert("s".to_owned(), slice);
        let set = ReplicaSet {
            revision: 1,
            hash: "r1".to_owned(),
        };
        view.replica_sets.insert("web-r1".to_owned(), set);
        view
    }

    fn taint(key: &str, effect: &str) -> Taint {
        Taint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            ..Taint::default()
        }
    }

    #[test]
    fn a_pod_on_a_lost_node_is_not_ready_whatever_its_condition_says() {
        let mut view = view(&["a@n1", "b@n2"], &["n1", "n2"]);
        assert_eq!(view.ready_names().len(), 2);
        view.nodes.get_mut("n2").unwrap().ready = false;
        assert_eq!(view.ready_names(), BTreeSet::from(["a".to_owned()]));
        assert!(!view.whole(2));
    }

    #[test]
    fn a_terminating_pod_is_not_ready() {
        let mut view = view(&["a@n1"], &["n1"]);
        view.pods.get_mut("a").unwrap().terminating = true;
        assert_eq!(view.ready_pods().count(), 0);
    }

    #[test]
    fn the_newest_replica_set_is_the_revision() {
        let mut view = view(&["a@n1"], &["n1"]);
        let newer = ReplicaSet {
            revision: 10,
            hash: "r10".to_owned(),
        };
        view.replica_sets.insert("web-r10".to_owned(), newer);
        assert_eq!(view.revision(), Some("r10"));
    }

    #[test]
    fn taints_and_cordons_keep_nodes_out() {
        let mut view = view(&[], &["n1", "n2", "n3", "n4"]);
        view.nodes.get_mut("n2").unwrap().taints = vec![taint("dedicated", "NoSchedule")];
        view.nodes.get_mut("n3").unwrap().cordoned = true;
        view.nodes.get_mut("n4").unwrap().taints = vec![taint("soft", "PreferNoSchedule")];
        assert_eq!(view.schedulable(), BTreeSet::from(["n1", "n4"]));

        view.placement.tolerations = vec![Toleration {
            key: Some("dedicated".to_owned()),
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }];
        assert_eq!(view.schedulable(), BTreeSet::from(["n1", "n2", "n4"]));
    }
}
