//! Events of the cluster: the differences between two states that follow each other.

use std::time::Duration;

use super::document::{Event, EventKind};
use crate::cluster::view::View;

/// What changed between two states, in the reader's order: nodes, pods, endpoints. The first state
/// has no events: it is where the run began.
#[must_use]
pub fn between(at: Duration, before: Option<&View>, after: &View) -> Vec<Event> {
    let Some(before) = before else {
        return Vec::new();
    };
    let mut events = Vec::new();
    let mut note =
        |kind, subject: &str, text: String| events.push(Event::new(at, kind, subject, text));
    nodes(before, after, &mut note);
    pods(before, after, &mut note);
    endpoints(before, after, &mut note);
    events
}

fn nodes(before: &View, after: &View, note: &mut impl FnMut(EventKind, &str, String)) {
    for (name, node) in &after.nodes {
        match (before.nodes.get(name).map(|node| node.ready), node.ready) {
            (None, ready) => {
                note(EventKind::NodeAdded, name, format!("node {name} joined"));
                if ready {
                    note(EventKind::NodeReady, name, format!("node {name} is Ready"));
                }
            }
            (Some(false), true) => {
                note(EventKind::NodeReady, name, format!("node {name} is Ready"));
            }
            (Some(true), false) => note(
                EventKind::NodeNotReady,
                name,
                format!("node {name} is NotReady"),
            ),
            _ => {}
        }
    }
    for name in before
        .nodes
        .keys()
        .filter(|name| !after.nodes.contains_key(*name))
    {
        note(EventKind::NodeRemoved, name, format!("node {name} left"));
    }
}

fn pods(before: &View, after: &View, note: &mut impl FnMut(EventKind, &str, String)) {
    for (name, pod) in &after.pods {
        let old = before.pods.get(name);
        let on = pod
            .node
            .as_deref()
            .map(|node| format!(" on {node}"))
            .unwrap_or_default();
        if old.is_none() {
            note(EventKind::PodCreated, name, format!("pod {name} created"));
        }
        if pod.ready && !old.is_some_and(|old| old.ready) {
            note(
                EventKind::PodReady,
                name,
                format!("pod {name} is Ready{on}"),
            );
        }
        if !pod.ready && old.is_some_and(|old| old.ready) {
            note(
                EventKind::PodNotReady,
                name,
                format!("pod {name} is not Ready{on}"),
            );
        }
        if pod.terminating && !old.is_some_and(|old| old.terminating) {
            note(
                EventKind::PodTerminating,
                name,
                format!("pod {name} is being deleted{on}"),
            );
        }
    }
    for name in before
        .pods
        .keys()
        .filter(|name| !after.pods.contains_key(*name))
    {
        note(EventKind::PodGone, name, format!("pod {name} is gone"));
    }
}

fn endpoints(before: &View, after: &View, note: &mut impl FnMut(EventKind, &str, String)) {
    let (old, new) = (before.serving(), after.serving());
    for pod in new.difference(&old) {
        note(
            EventKind::EndpointAdded,
            pod,
            format!("the service sends traffic to {pod}"),
        );
    }
    for pod in old.difference(&new) {
        note(
            EventKind::EndpointRemoved,
            pod,
            format!("the service sends no more traffic to {pod}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::tests::view;

    #[test]
    fn a_lost_node_reads_as_node_then_endpoint() {
        let before = view(&["a@n1", "b@n2"], &["n1", "n2"]);
        let mut after = before.clone();
        after.nodes.get_mut("n2").unwrap().ready = false;
        after.pods.get_mut("b").unwrap().terminating = true;
        after.slices.get_mut("s").unwrap()[1].ready = false;
        let kinds: Vec<_> = between(Duration::ZERO, Some(&before), &after)
            .into_iter()
            .map(|event| (event.kind, event.subject))
            .collect();
        assert_eq!(
            kinds,
            [
                (EventKind::NodeNotReady, "n2".to_owned()),
                (EventKind::PodTerminating, "b".to_owned()),
                (EventKind::EndpointRemoved, "b".to_owned()),
            ]
        );
    }

    #[test]
    fn the_first_state_is_no_event() {
        assert!(between(Duration::ZERO, None, &view(&["a@n1"], &["n1"])).is_empty());
    }
}
