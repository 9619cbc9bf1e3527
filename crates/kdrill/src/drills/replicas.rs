//! replicas: are they all there, of one revision, and spread?

use futures::FutureExt as _;

use super::{Drill, Findings, Stage};
use crate::{
    error::Result,
    judge::{images, spread},
    limits::Limits,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "replicas",
    promise: "all replicas are Ready, of the current revision, and spread as evenly as the nodes allow",
    does: "looks at the pods, their nodes and the Service's endpoints, and at image digests with --image-digest",
    needs: &[],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let (now, replicas) = (stage.timeline.now(), stage.params.replicas);
    stage.progress.step(&format!(
        "waiting for {replicas} replicas, Ready and serving"
    ));
    let whole = stage
        .timeline
        .wait(now, stage.params.timeout, |view| view.whole(replicas))
        .await;
    let view = whole.map_or_else(|| stage.timeline.view(), |snapshot| snapshot.view);
    findings.checks.extend(spread::judge(&view, replicas));
    findings
        .checks
        .extend(images::judge(&view, &stage.params.image_digests));
    Ok(())
}
