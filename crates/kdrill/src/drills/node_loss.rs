//! node-loss: a node that carries a replica is lost at once, as by a power cut, and comes back.

use futures::FutureExt as _;

use super::{
    Drill, Findings, Need, Stage,
    outage::{self, Cut},
};
use crate::{
    error::Result,
    limits::{Limits, RETRANSMITTED},
    putback::Change,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "node-loss",
    promise: "a node that carries a replica is lost: all replicas are Ready elsewhere in time, and requests fail only until its endpoints are gone",
    does: "cuts the power of the node with the most replicas, waits until others make up for it, and starts it again",
    needs: &[Need::Load, Need::NodeLoss],
    limits: Limits {
        max_p99: RETRANSMITTED,
        ..Limits::USUAL
    },
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let cut = Cut {
        command: stage.params.node_down.as_ref(),
        flag: "--node-down",
        doing: "cut node",
        change: Change::NodeDown,
    };
    let Some(outage) = outage::survive(stage, findings, &cut).await? else {
        return Ok(());
    };
    let (node, replicas) = (&outage.node, stage.params.replicas);
    let promise = format!("node {node} comes back, and {replicas} replicas are Ready and serving");
    outage::come_back(stage, findings, promise, node, |view| {
        view.node_ready(node) && view.whole(replicas)
    })
    .await?;
    outage::judge(stage, findings, &outage).await
}
