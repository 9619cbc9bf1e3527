//! node-partition: a node lives on, but nobody reaches it. Its pods know nothing of that: they leave
//! the endpoints, are replaced, and end when the network is back.

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
    name: "node-partition",
    promise: "a node is cut off the network: its pods leave the endpoints, are replaced in time, and end once it is back; requests fail only until its endpoints are gone",
    does: "cuts the network of the node with the most replicas, waits until others make up for it, and heals it",
    needs: &[Need::Load, Need::Partition],
    limits: Limits {
        max_p99: RETRANSMITTED,
        ..Limits::USUAL
    },
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let cut = Cut {
        command: stage.params.partition.as_ref(),
        flag: "--partition",
        doing: "cut off node",
        change: Change::Partitioned,
    };
    let Some(outage) = outage::survive(stage, findings, &cut).await? else {
        return Ok(());
    };
    let (cluster, lost) = (stage.timeline.view(), &outage.pods);
    let waiting = lost
        .iter()
        .filter(|pod| cluster.pods.get(*pod).is_some_and(|pod| pod.terminating))
        .count();
    let serving = lost.iter().filter(|pod| cluster.serving().contains(*pod));
    let serving: Vec<_> = serving.map(String::as_str).collect();
    findings.check(
        "the pods cut off get no traffic and wait for their end",
        if serving.is_empty() {
            format!("{waiting} of {} wait", lost.len())
        } else {
            format!("{} still get traffic", serving.join(", "))
        },
        "all",
        serving.is_empty() && waiting == lost.len(),
    );

    let (node, replicas) = (&outage.node, stage.params.replicas);
    let promise = format!("node {node} is reached again, and the pods that were cut off end");
    outage::come_back(stage, findings, promise, node, |view| {
        let left = lost.iter().any(|pod| view.pods.contains_key(pod));
        view.node_ready(node) && view.whole(replicas) && !left
    })
    .await?;
    outage::judge(stage, findings, &outage).await
}
