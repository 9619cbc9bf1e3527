//! node-add: a new node joins. Pods that run stay where they are; what is scheduled from then on
//! lands there, too.

use std::collections::BTreeSet;

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, scale, stage::seconds};
use crate::{
    error::{Error, Result},
    limits::{Limits, RETRANSMITTED},
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "node-add",
    promise: "a new node joins, new pods land on it and answer, and no request fails",
    does: "adds a node, scales up by as many replicas as there are nodes, and back",
    needs: &[Need::Load, Need::NodeAdd],
    limits: Limits {
        max_p99: RETRANSMITTED,
        ..Limits::USUAL
    },
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let command = stage
        .params
        .node_add
        .as_ref()
        .ok_or_else(|| Error::Usage("node-add needs --node-add".to_owned()))?;
    if !stage.whole(findings).await {
        return Ok(());
    }
    let before: BTreeSet<String> = stage.timeline.view().nodes.keys().cloned().collect();
    let asked = stage.act("", "add a node");
    command.run(&[]).await?;

    stage.progress.step("waiting for the new node to be Ready");
    let is_new = |name: &String| !before.contains(name);
    let joined = stage
        .reach(findings, "a new node is Ready", asked, |view| {
            // Ready alone is not enough: the taint of a node that is not leaves it a moment later.
            view.schedulable()
                .iter()
                .any(|name| is_new(&(*name).to_owned()))
        })
        .await;
    let Some(joined) = joined else {
        return stage.judge_requests(asked, findings).await;
    };
    findings.seconds("node added", seconds(asked, joined.at));

    // As many more as there are nodes: an even spread puts some of them on the new one.
    let count = stage.params.replicas + joined.view.nodes.len();
    if let Some(scaled) = scale::up(stage, findings, count).await? {
        let landed: Vec<_> = scaled
            .view
            .ready_pods()
            .filter(|(_, node)| is_new(&(*node).to_owned()))
            .map(|(pod, node)| format!("{pod} on {node}"))
            .collect();
        let measured = if landed.is_empty() {
            "none".to_owned()
        } else {
            landed.join(", ")
        };
        findings.check(
            "new pods land on the new node",
            measured,
            "at least one",
            !landed.is_empty(),
        );
    }
    scale::down(stage, findings).await?;
    stage.judge_requests(asked, findings).await
}
