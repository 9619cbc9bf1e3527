//! Are there as many Ready pods as promised, of one revision, spread over the nodes?

use std::collections::BTreeMap;

use crate::{cluster::view::View, timeline::document::Check};

/// Judges count, revision and spread of the Ready pods.
#[must_use]
pub fn judge(view: &View, replicas: usize) -> Vec<Check> {
    vec![ready(view, replicas), revision(view), spread(view)]
}

fn ready(view: &View, replicas: usize) -> Check {
    let (ready, serving) = (view.ready_names(), view.serving());
    let measured = if ready == serving {
        format!("{} Ready and in the service's endpoints", ready.len())
    } else {
        format!(
            "{} Ready, {} in the service's endpoints",
            ready.len(),
            serving.len()
        )
    };
    Check {
        promise: "all replicas are Ready on Ready nodes and get traffic".to_owned(),
        measured,
        limit: format!("{replicas}"),
        held: view.at_full_strength(replicas),
    }
}

fn revision(view: &View) -> Check {
    let current = view.revision();
    let other: Vec<_> = view
        .ready_pods()
        .map(|(name, _)| name)
        .filter(|name| view.pods.get(*name).and_then(|pod| pod.revision.as_deref()) != current)
        .collect();
    Check {
        promise: "every Ready replica is of the current revision".to_owned(),
        measured: if other.is_empty() {
            "all".to_owned()
        } else {
            format!("not {}", other.join(", "))
        },
        limit: format!(
            "all of {}",
            current.unwrap_or("a revision, and there is none")
        ),
        held: current.is_some() && other.is_empty(),
    }
}

/// Evenly means: between the fullest and the emptiest schedulable node lies at most one pod.
fn spread(view: &View) -> Check {
    let mut counts: BTreeMap<&str, usize> = view
        .schedulable()
        .into_iter()
        .map(|node| (node, 0))
        .collect();
    for (_, node) in view.ready_pods() {
        *counts.entry(node).or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or_default();
    let least = counts.values().min().copied().unwrap_or_default();
    let rows: Vec<_> = counts
        .iter()
        .map(|(node, count)| format!("{node} {count}"))
        .collect();
    Check {
        promise: "replicas are spread evenly over the schedulable nodes".to_owned(),
        measured: if rows.is_empty() {
            "no schedulable node".to_owned()
        } else {
            rows.join(", ")
        },
        limit: "most − least ≤ 1".to_owned(),
        held: !counts.is_empty() && most - least <= 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::tests::view;

    fn held(view: &View, replicas: usize) -> Vec<bool> {
        judge(view, replicas)
            .iter()
            .map(|check| check.held)
            .collect()
    }

    #[test]
    fn two_and_one_on_two_nodes_one_each_on_three() {
        assert_eq!(
            held(&view(&["a@n1", "b@n1", "c@n2"], &["n1", "n2"]), 3),
            [true; 3]
        );
        assert_eq!(
            held(&view(&["a@n1", "b@n2", "c@n3"], &["n1", "n2", "n3"]), 3),
            [true; 3]
        );
    }

    #[test]
    fn an_empty_living_node_breaks_the_spread_and_a_dead_one_does_not() {
        let mut uneven = view(&["a@n1", "b@n1", "c@n2"], &["n1", "n2", "n3"]);
        let check = spread(&uneven);
        assert!(!check.held);
        assert_eq!(check.measured, "n1 2, n2 1, n3 0");
        uneven.nodes.get_mut("n3").unwrap().ready = false;
        assert!(spread(&uneven).held);
    }

    #[test]
    fn a_pod_missing_too_many_or_outside_the_endpoints_breaks_the_count() {
        let mut three = view(&["a@n1", "b@n2", "c@n2"], &["n1", "n2"]);
        assert!(!ready(&three, 4).held);
        assert!(!ready(&three, 2).held);
        three.slices.clear();
        let check = ready(&three, 3);
        assert!(!check.held);
        assert_eq!(check.measured, "3 Ready, 0 in the service's endpoints");
    }

    #[test]
    fn a_pod_of_an_old_revision_is_named() {
        let mut view = view(&["a@n1", "b@n2"], &["n1", "n2"]);
        view.pods.get_mut("b").unwrap().revision = Some("r0".to_owned());
        let check = revision(&view);
        assert!(!check.held);
        assert_eq!(check.measured, "not b");
    }
}
