//! Where pods were and when: the history of states turned into one row of spans per node and pod.

use std::time::Duration;

use super::{
    document::{NodeRow, Placement, PodRow, Span, State, millis},
    recorder::Snapshot,
};
use crate::cluster::view::{Pod, View};

/// The rows of all nodes and pods seen, until `end`.
#[must_use]
pub fn rows(history: &[Snapshot], end: Duration) -> Placement {
    let mut placement = Placement::default();
    for (index, snapshot) in history.iter().enumerate() {
        let until = history
            .get(index + 1)
            .map_or(end, |next| next.at)
            .max(snapshot.at);
        let (from_ms, to_ms) = (millis(snapshot.at), millis(until));
        for (name, node) in &snapshot.view.nodes {
            let state = if node.ready {
                State::Ready
            } else {
                State::NotReady
            };
            extend(
                &mut node_row(&mut placement, name).spans,
                Span {
                    from_ms,
                    to_ms,
                    state,
                },
            );
        }
        for (name, pod) in &snapshot.view.pods {
            let row = pod_row(&mut placement, name);
            if let Some(node) = &pod.node {
                row.node.clone_from(node);
            }
            let state = pod_state(&snapshot.view, pod);
            extend(
                &mut row.spans,
                Span {
                    from_ms,
                    to_ms,
                    state,
                },
            );
        }
    }
    placement.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    placement
}

fn pod_state(view: &View, pod: &Pod) -> State {
    if pod.terminating {
        State::Terminating
    } else if pod.ready
        && pod
            .node
            .as_deref()
            .is_some_and(|node| view.node_ready(node))
    {
        State::Ready
    } else {
        State::NotReady
    }
}

/// Adds a span, making one of two that touch and are alike.
fn extend(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.state == span.state && last.to_ms == span.from_ms => {
            last.to_ms = span.to_ms;
        }
        _ => spans.push(span),
    }
}

fn node_row<'a>(placement: &'a mut Placement, name: &str) -> &'a mut NodeRow {
    let rows = &mut placement.nodes;
    let index = rows
        .iter()
        .position(|row| row.name == name)
        .unwrap_or_else(|| {
            rows.push(NodeRow {
                name: name.to_owned(),
                spans: Vec::new(),
            });
            rows.len() - 1
        });
    &mut rows[index]
}

fn pod_row<'a>(placement: &'a mut Placement, name: &str) -> &'a mut PodRow {
    let rows = &mut placement.pods;
    let index = rows
        .iter()
        .position(|row| row.name == name)
        .unwrap_or_else(|| {
            rows.push(PodRow {
                name: name.to_owned(),
                node: String::new(),
                spans: Vec::new(),
            });
            rows.len() - 1
        });
    &mut rows[index]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::tests::view;
    use std::sync::Arc;

    #[test]
    fn spans_join_break_and_end() {
        let at = |secs, view: View| Snapshot {
            at: Duration::from_secs(secs),
            view: Arc::new(view),
        };
        let whole = view(&["a@n1", "b@n2"], &["n1", "n2"]);
        let mut lost = whole.clone();
        lost.nodes.get_mut("n2").unwrap().ready = false;
        let mut after = lost.clone();
        after.pods.remove("b");
        let history = [
            at(0, whole.clone()),
            at(2, whole),
            at(5, lost),
            at(9, after),
        ];

        let placement = rows(&history, Duration::from_secs(12));
        let span = |from_ms, to_ms, state| Span {
            from_ms,
            to_ms,
            state,
        };
        assert_eq!(placement.nodes[0].spans, [span(0, 12000, State::Ready)]);
        assert_eq!(
            placement.nodes[1].spans,
            [
                span(0, 5000, State::Ready),
                span(5000, 12000, State::NotReady)
            ]
        );
        let b = &placement.pods[1];
        assert_eq!((b.name.as_str(), b.node.as_str()), ("b", "n2"));
        assert_eq!(
            b.spans,
            [
                span(0, 5000, State::Ready),
                span(5000, 9000, State::NotReady)
            ]
        );
    }
}
