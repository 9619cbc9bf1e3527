//! pod-kill: a replica is deleted with a second's notice, and replaced.

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::nodes,
    error::Result,
    limits::{Limits, MaxFailed},
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "pod-kill",
    promise: "a replica is killed: another takes its place in time, and next to no request fails",
    does: "deletes one pod with a grace of one second",
    needs: &[Need::Load],
    limits: Limits {
        max_failed: MaxFailed::Percent(0.1),
        ..Limits::USUAL
    },
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await
        || !stage
            .steady(findings, "requests are answered before the kill")
            .await?
    {
        return Ok(());
    }
    let from = stage.timeline.now();
    let replicas = stage.params.replicas;
    let Some(pod) = stage.timeline.view().ready_names().into_iter().next() else {
        return Ok(());
    };
    let asked = stage.act(&pod, &format!("kill pod {pod}"));
    nodes::kill(&stage.client.0, &stage.target.namespace, &pod).await?;
    let limit = findings.limits.max_recovery;
    let replaced = stage
        .timeline
        .wait(asked, stage.params.timeout.max(limit), |view| {
            !view.pods.contains_key(&pod) && view.whole(replicas)
        })
        .await;
    let took = replaced.map(|snapshot| seconds(asked, snapshot.at));
    findings.check(
        format!("{replicas} replicas are Ready and serving again, without the killed one"),
        took.map_or_else(
            || "not reached".to_owned(),
            |took| format!("after {took:.1} s"),
        ),
        format!("≤ {} s", limit.as_secs()),
        took.is_some_and(|took| took <= limit.as_secs_f64()),
    );
    if let Some(took) = took {
        findings.seconds("replaced", took);
    }
    stage
        .load()?
        .settled(stage.timeline.now() + stage.params.steady)
        .await?;
    stage.judge_requests(from, findings).await
}
