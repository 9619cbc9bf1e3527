//! bad-rollout: a version that cannot serve. The old replicas go on, and kapply says why the new
//! ones do not.

use std::time::Duration;

use futures::FutureExt as _;

use super::{
    Drill, Findings, Need, Stage,
    rollout::{completed, container_image},
    stage::seconds,
};
use crate::{cluster::field::MANAGER, error::Result, limits::Limits};

/// How long kapply looks at a rollout that may just be slow before it has to say what is wrong.
const LOOK: Duration = Duration::from_secs(20);

/// The drill.
pub const DRILL: Drill = Drill {
    name: "bad-rollout",
    promise: "a broken version is rolled out: the old replicas keep serving, kapply says what is wrong, and no request fails",
    does: "sets an image that does not exist (or --image-broken), asks kapply why the rollout is stuck, and sets it back",
    needs: &[Need::Load],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let from = stage.timeline.now();
    let old = stage.timeline.view();
    let image = broken_image(stage);
    let asked = stage
        .change(&container_image(stage, &image), MANAGER)
        .await?;
    stage
        .progress
        .step("asking kapply why the rollout is stuck");
    let look = LOOK.min(stage.params.timeout);
    let deployment = &stage.target.deployment;
    let reason = stage.params.manifests.why_stuck(deployment, look).await?;
    findings.check(
        "kapply says what is wrong",
        reason.clone().unwrap_or_else(|| {
            format!("it calls the rollout of {image} ready: nothing told it that the version does not serve")
        }),
        "a reason",
        reason.is_some_and(|reason| !reason.is_empty()),
    );
    findings.seconds("time to the reason", seconds(asked, stage.timeline.now()));

    let (view, before) = (stage.timeline.view(), old.ready_names());
    let left = before.intersection(&view.serving()).count();
    findings.check(
        "the old replicas keep serving",
        format!("{left} of {} still serve", before.len()),
        format!("all {}", before.len()),
        left == before.len(),
    );

    let asked = stage.timeline.now();
    stage.put_back().await?;
    stage
        .progress
        .step("waiting for the former version to be back");
    completed(
        stage,
        findings,
        "the broken replicas are gone",
        asked,
        |view| view.revision() == old.revision(),
    )
    .await;
    stage.judge_requests(from, findings).await
}

/// The given one, or the image in use by a tag that nobody gives to an image.
fn broken_image(stage: &Stage) -> String {
    if let Some(image) = &stage.params.image_broken {
        return image.clone();
    }
    let image = stage.target.containers.first();
    let image = image.map(|(_, image)| image.as_str()).unwrap_or_default();
    format!("{}:kdrill-no-such-version", repository(image))
}

/// An image's name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before a slash is that of a registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_no_tag_and_no_digest_but_may_have_a_port() {
        assert_eq!(repository("web"), "web");
        assert_eq!(repository("r.example:5000/web"), "r.example:5000/web");
        assert_eq!(repository("r.example:5000/web:1"), "r.example:5000/web");
        assert_eq!(repository("web:1@sha256:00"), "web");
    }
}
