//! The chart of nodes and pods over time: a block per node, in it a bar per pod.

use super::{
    axes::{TOP, TimeAxis, WIDTH},
    requests::COLOURS,
    svg::Drawing,
};
use crate::timeline::document::{Document, PodRow, State};

const BOTTOM: f64 = 26.0;
const ROW: f64 = 16.0;
const HEAD: f64 = 14.0;
const GAP: f64 = 8.0;

/// Draws it; a pod has the colour it has in the chart of requests.
#[must_use]
pub fn chart(document: &Document) -> String {
    let axis = TimeAxis::of(document);
    let blocks: Vec<_> = document
        .placement
        .nodes
        .iter()
        .map(|node| {
            (
                node,
                lanes(
                    document
                        .placement
                        .pods
                        .iter()
                        .filter(|pod| pod.node == node.name),
                ),
            )
        })
        .collect();
    let height: f64 = blocks
        .iter()
        .map(|(_, lanes)| HEAD + lanes.len().max(1) as f64 * ROW + GAP)
        .sum();

    let mut drawing = Drawing::default();
    axis.bands(&mut drawing, document, TOP, height);
    let mut y = TOP + 4.0;
    for (node, lanes) in blocks {
        drawing.text("node end", (78.0, y + 10.0), &node.name);
        for span in &node.spans {
            let (from, to) = (axis.x(span.from_ms), axis.x(span.to_ms));
            let class = if span.state == State::Ready {
                "node ready"
            } else {
                "node lost"
            };
            drawing.rect(
                class,
                (from, y),
                (to - from, HEAD - 6.0),
                &format!("{} {}", node.name, word(span.state)),
            );
        }
        y += HEAD - 3.0;
        for lane in &lanes {
            for pod in lane {
                bar(&mut drawing, axis, document, pod, y);
            }
            y += ROW;
        }
        y += GAP + 3.0 + if lanes.is_empty() { ROW } else { 0.0 };
    }
    axis.marks(&mut drawing, document, TOP, height);
    axis.ticks(&mut drawing, TOP + height);
    drawing.finish(WIDTH, TOP + height + BOTTOM, "Pods on nodes over time")
}

fn bar(drawing: &mut Drawing, axis: TimeAxis, document: &Document, pod: &PodRow, y: f64) {
    let known = document
        .load
        .as_ref()
        .and_then(|load| load.pods.iter().position(|name| *name == pod.name));
    let colour = known.map_or_else(
        || "unknown".to_owned(),
        |index| format!("p{}", index % COLOURS),
    );
    for span in &pod.spans {
        let (from, to) = (axis.x(span.from_ms), axis.x(span.to_ms));
        let class = format!("pod {colour} {}", class(span.state));
        drawing.rect(
            &class,
            (from, y),
            (to - from, ROW - 4.0),
            &format!("{} {}", pod.name, word(span.state)),
        );
    }
    if let (Some(first), Some(last)) = (pod.spans.first(), pod.spans.last()) {
        let name = short(&pod.name);
        // A name wider than its bar would read as the next pod's.
        if axis.x(last.to_ms) - axis.x(first.from_ms) > 7.0 * name.len() as f64 + 6.0 {
            drawing.text("inside", (axis.x(first.from_ms) + 4.0, y + ROW - 7.0), name);
        }
    }
}

/// Pods in as few lanes as there were ever at once: a lane is taken again when its pod is gone.
fn lanes<'a>(pods: impl Iterator<Item = &'a PodRow>) -> Vec<Vec<&'a PodRow>> {
    let mut lanes: Vec<Vec<&PodRow>> = Vec::new();
    for pod in pods {
        let begin = pod.spans.first().map_or(0, |span| span.from_ms);
        let free = |lane: &&mut Vec<&PodRow>| {
            lane.last()
                .and_then(|last| last.spans.last())
                .is_none_or(|span| span.to_ms <= begin)
        };
        match lanes.iter_mut().find(free) {
            Some(lane) => lane.push(pod),
            None => lanes.push(vec![pod]),
        }
    }
    lanes
}

/// The part of a Deployment's pod name that tells it from its siblings.
#[must_use]
pub fn short(pod: &str) -> &str {
    pod.rsplit('-').next().unwrap_or(pod)
}

fn class(state: State) -> &'static str {
    match state {
        State::Ready => "is-ready",
        State::NotReady => "is-not-ready",
        State::Terminating => "is-terminating",
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Ready => "Ready",
        State::NotReady => "not Ready",
        State::Terminating => "being deleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::document::Span;

    #[test]
    fn a_lane_is_reused_when_its_pod_is_gone() {
        let pod = |name: &str, from_ms, to_ms| PodRow {
            name: name.to_owned(),
            node: "n".to_owned(),
            spans: vec![Span {
                from_ms,
                to_ms,
                state: State::Ready,
            }],
        };
        let pods = [pod("w-a", 0, 10), pod("w-b", 5, 20), pod("w-c", 10, 30)];
        let lanes = lanes(pods.iter());
        let names: Vec<Vec<_>> = lanes
            .iter()
            .map(|lane| lane.iter().map(|pod| short(&pod.name)).collect())
            .collect();
        assert_eq!(names, [vec!["a", "c"], vec!["b"]]);
    }
}
