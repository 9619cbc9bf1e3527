//! balance: does every replica get its share?

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage};
use crate::{
    error::Result,
    judge::{failures, latency, share},
    limits::Limits,
    load::generate::due,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "balance",
    promise: "every replica answers, none has less than half its fair share of the requests, and none fails",
    does: "counts who answers --requests requests on fresh connections",
    needs: &[Need::Load],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let whole = stage.whole(findings).await;
    if !whole || !stage.steady(findings, "requests are answered").await? {
        return Ok(());
    }
    let (load, requests) = (stage.load()?, stage.params.requests);
    let replicas = stage.timeline.view().ready_names();
    let from = stage.timeline.now();
    // One more interval, so that the number is complete wherever in an interval it begins.
    let until = from + due(requests + 1, load.fresh_rate());
    stage
        .progress
        .step(&format!("counting who answers {requests} requests"));
    load.settled(until).await?;
    let mut samples = load.between(from, until);
    // Kept connections stay with the pod that they were balanced to.
    samples.retain(|sample| !sample.kept);
    samples.sort_by_key(|sample| sample.due);
    samples.truncate(requests as usize);
    findings.checks.extend(share::judge(&samples, &replicas));
    findings.checks.push(failures::judge(
        "no request fails",
        &samples,
        findings.limits.max_failed,
    ));
    let p99 = latency::judge(samples.iter(), findings.limits.max_p99);
    findings.checks.extend(p99);
    Ok(())
}
