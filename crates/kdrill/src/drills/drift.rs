//! drift: somebody changes the Deployment by hand. kapply shows it, and applying repairs it.

use futures::FutureExt as _;
use kapply::plan::Force;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::{
        field::Field,
        manifests::{Difference, STRANGER},
    },
    error::Result,
    limits::Limits,
};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "drift",
    promise: "a change by hand is shown by kapply diff and repaired by kapply apply, and no request fails",
    does: "scales the Deployment by one under another manager's name, then diffs and applies --manifests",
    needs: &[Need::Load, Need::Manifests],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let (from, replicas) = (stage.timeline.now(), stage.params.replicas);
    let manifests = stage.params.manifests.open().await?;
    let before = manifests.differences().await;
    findings.check(
        "nothing differs from the manifests before",
        listed(&before),
        "nothing",
        before.is_empty(),
    );
    if !before.is_empty() {
        return Ok(());
    }

    let more = i32::try_from(replicas + 1).unwrap_or(i32::MAX);
    let asked = stage.change(&Field::Replicas(more), STRANGER).await?;
    stage
        .reach(findings, "the change by hand takes effect", asked, |view| {
            view.whole(replicas + 1)
        })
        .await;
    let shown = manifests.differences().await;
    let deployment = format!("deployment.apps/{}", stage.target.deployment);
    let right = |difference: &Difference| {
        difference.object == deployment && difference.field == ".spec.replicas"
    };
    let is_shown = shown.len() == 1 && shown.iter().all(right);
    findings.check(
        "kapply shows the change, and only it",
        listed(&shown),
        format!("{deployment}: .spec.replicas"),
        is_shown,
    );
    if !is_shown {
        // What is not shown is not repaired either; kdrill puts it back itself.
        return stage.judge_requests(from, findings).await;
    }

    let asked = stage.act(&stage.target.deployment, "kapply apply");
    manifests
        .apply(Force::With(vec![STRANGER.to_owned()]))
        .await?;
    let repaired = stage
        .reach(findings, "applying repairs it", asked, |view| {
            view.whole(replicas)
        })
        .await;
    if let Some(repaired) = repaired {
        findings.seconds("repaired", seconds(asked, repaired.at));
    }
    let after = manifests.differences().await;
    findings.check(
        "nothing differs from the manifests after",
        listed(&after),
        "nothing",
        after.is_empty(),
    );
    stage.judge_requests(from, findings).await
}

fn listed(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "nothing".to_owned();
    }
    let lines: Vec<_> = differences
        .iter()
        .map(|difference| format!("{}: {}", difference.object, difference.words))
        .collect();
    lines.join("; ")
}
