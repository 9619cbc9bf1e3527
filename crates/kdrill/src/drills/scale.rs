//! scale: more replicas and fewer again, without a request lost.

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{cluster::scale, error::Result, putback::Change};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "scale",
    promise: "scaled up and down again, every new replica answers and no request fails",
    needs: &[Need::Load],
    run: |stage, findings| run(stage, findings).boxed(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let from = stage.timeline.now();
    up(stage, findings).await?;
    down(stage, findings).await?;
    stage.judge_failures(from, findings).await
}

async fn up(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let (client, target, count) = (&stage.client.0, &stage.target, stage.params.scale_to);
    let old = stage.timeline.view().ready_names();
    let saved = scale::save(client, &target.namespace, &target.deployment).await?;
    stage.journal.add(Change::Replicas(saved))?;
    let asked = stage.act(&target.deployment, &format!("scale to {count} replicas"));
    scale::set(
        client,
        &target.namespace,
        &target.deployment,
        i32::try_from(count).unwrap_or(i32::MAX),
    )
    .await?;

    let scaled = stage
        .timeline
        .wait(asked, stage.params.timeout, |view| view.whole(count))
        .await;
    let took = scaled.as_ref().map(|snapshot| seconds(asked, snapshot.at));
    let limit = format!("within {} s", stage.params.timeout.as_secs());
    findings.reached(
        format!("{count} replicas are Ready and serving"),
        &limit,
        took,
    );
    let Some(scaled) = scaled else { return Ok(()) };
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
    let all = stage
        .load()?
        .answered_by(&new, stage.params.timeout)
        .await?;
    findings.reached(
        "every new replica answers",
        limit,
        all.then(|| seconds(scaled.at, stage.timeline.now())),
    );
    Ok(())
}

async fn down(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let replicas = stage.params.replicas;
    let asked = stage.timeline.now();
    stage.put_back().await?;
    stage
        .progress
        .step("waiting for the other replicas to be gone");
    let back = stage
        .timeline
        .wait(asked, stage.params.timeout, |view| view.whole(replicas))
        .await;
    let took = back.map(|snapshot| seconds(asked, snapshot.at));
    findings.reached(
        format!("back to {replicas} replicas, the others gone"),
        format!("within {} s", stage.params.timeout.as_secs()),
        took,
    );
    if let Some(took) = took {
        findings.seconds("scale down", took);
    }
    Ok(())
}
