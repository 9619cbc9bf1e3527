//! balance: does every replica get its share?

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage};
use crate::{
    error::Result,
    judge::{failures, share},
    load::generate::due,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "balance",
    promise: "every replica answers, none has less than half its fair share of the requests, and none fails",
    needs: &[Need::Load],
    run: |stage, findings| run(stage, findings).boxed(),
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
    let until = from + due(requests + 1, load.options().rate);
    stage
        .progress
        .step(&format!("counting who answers {requests} requests"));
    load.settled(until).await?;
    let mut samples = load.between(from, until);
    samples.sort_by_key(|sample| sample.due);
    samples.truncate(requests as usize);
    findings.checks.extend(share::judge(&samples, &replicas));
    findings.checks.push(failures::judge(
        "no request fails",
        &samples,
        stage.params.max_failed,
    ));
    Ok(())
}
