//! scale: more replicas and fewer again, without a request lost.

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::field::{Field, MANAGER},
    error::Result,
    limits::Limits,
    timeline::recorder::Snapshot,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "scale",
    promise: "scaled up and down again, every new replica answers and no request fails",
    does: "scales to --scale-to replicas, waits for an answer of each, and scales back",
    needs: &[Need::Load],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let from = stage.timeline.now();
    up(stage, findings, stage.params.scale_to).await?;
    down(stage, findings).await?;
    stage.judge_requests(from, findings).await
}

/// Scales up and waits until each new replica has answered; gives that state.
pub(super) async fn up(
    stage: &Stage,
    findings: &mut Findings,
    count: usize,
) -> Result<Option<Snapshot>> {
    let old = stage.timeline.view().ready_names();
    let replicas = i32::try_from(count).unwrap_or(i32::MAX);
    let asked = stage.change(&Field::Replicas(replicas), MANAGER).await?;
    let promise = format!("{count} replicas are Ready and serving");
    let Some(scaled) = stage
        .reach(findings, promise, asked, |view| view.whole(count))
        .await
    else {
        return Ok(None);
    };
    findings.seconds("scale up", seconds(asked, scaled.at));

    stage
        .progress
        .step("waiting for an answer of every new replica");
    let new = scaled
        .view
        .ready_names()
        .difference(&old)
        .cloned()
        .collect();
    let limit = stage.params.timeout;
    let all = stage.load()?.answered_by(&new, limit).await?;
    findings.reached(
        "every new replica answers",
        format!("within {} s", limit.as_secs()),
        all.then(|| seconds(scaled.at, stage.timeline.now())),
    );
    Ok(Some(scaled))
}

/// Scales back and waits until the others are gone.
pub(super) async fn down(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let replicas = stage.params.replicas;
    let asked = stage.timeline.now();
    stage.put_back().await?;
    stage
        .progress
        .step("waiting for the other replicas to be gone");
    let promise = format!("back to {replicas} replicas, the others gone");
    let back = stage
        .reach(findings, promise, asked, |view| view.whole(replicas))
        .await;
    if let Some(back) = back {
        findings.seconds("scale down", seconds(asked, back.at));
    }
    Ok(())
}
