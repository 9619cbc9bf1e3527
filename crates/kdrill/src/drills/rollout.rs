//! rollout: another version under load, and back.

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::{
        field::{Field, MANAGER},
        view::View,
    },
    error::{Error, Result},
    limits::Limits,
    timeline::recorder::Snapshot,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "rollout",
    promise: "another version is rolled out and taken back, never fewer replicas serve, and no request fails",
    does: "sets the image to --image-next, waits until all replicas run it, and sets it back",
    needs: &[Need::Load, Need::ImageNext],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let image = stage
        .params
        .image_next
        .as_ref()
        .ok_or_else(|| Error::Usage("rollout needs --image-next".to_owned()))?;
    if !stage.whole(findings).await {
        return Ok(());
    }
    let from = stage.timeline.now();
    let old = stage.timeline.view().revision().map(str::to_owned);
    let asked = stage
        .change(&container_image(stage, image), MANAGER)
        .await?;
    let rolled = completed(
        stage,
        findings,
        "every replica runs the next version",
        asked,
        |view| view.revision() != old.as_deref(),
    )
    .await;
    if let Some(rolled) = rolled {
        findings.seconds("rollout", seconds(asked, rolled.at));
        every_new_one_answers(stage, findings, &rolled).await?;
    }

    let asked = stage.timeline.now();
    stage.put_back().await?;
    stage
        .progress
        .step("waiting for the former version to be back");
    let back = completed(
        stage,
        findings,
        "every replica runs the former version again",
        asked,
        |view| view.revision() == old.as_deref(),
    )
    .await;
    if let Some(back) = back {
        findings.seconds("rollout back", seconds(asked, back.at));
    }
    let (fewest, replicas) = (stage.fewest_serving(from), stage.params.replicas);
    findings.check(
        "as many replicas are Ready all the time",
        format!("fewest {fewest}"),
        format!("≥ {replicas}"),
        fewest >= replicas,
    );
    stage.judge_requests(from, findings).await
}

/// The image of the Deployment's first container.
pub(super) fn container_image(stage: &Stage, image: &str) -> Field {
    let first = stage.target.containers.first();
    Field::Image {
        container: first.map(|(name, _)| name.clone()).unwrap_or_default(),
        image: image.to_owned(),
    }
}

/// Waits until all replicas are of one revision, the one that is asked for, and the others gone.
pub(super) async fn completed(
    stage: &Stage,
    findings: &mut Findings,
    promise: &str,
    asked: std::time::Duration,
    right: impl Fn(&View) -> bool + Send + Sync,
) -> Option<Snapshot> {
    let replicas = stage.params.replicas;
    stage
        .reach(findings, promise, asked, |view| {
            let current = view.revision();
            right(view)
                && view.whole(replicas)
                && view
                    .pods
                    .values()
                    .all(|pod| pod.revision.as_deref() == current)
        })
        .await
}

async fn every_new_one_answers(
    stage: &Stage,
    findings: &mut Findings,
    rolled: &Snapshot,
) -> Result<()> {
    let limit = stage.params.timeout;
    let all = stage
        .load()?
        .answered_by(&rolled.view.ready_names(), limit)
        .await?;
    findings.reached(
        "every replica of the next version answers",
        format!("within {} s", limit.as_secs()),
        all.then(|| seconds(rolled.at, stage.timeline.now())),
    );
    Ok(())
}
