//! prune: a manifest is removed. Its object goes with the next apply, everything else stays.

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage};
use crate::{error::Result, limits::Limits, putback::Change};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "prune",
    promise: "an object whose manifest was removed is pruned, the rest of its set and the stack are untouched, and no request fails",
    does: "applies a set of three ConfigMaps of its own, then the same set without one of them, pruning",
    needs: &[Need::Load],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let from = stage.timeline.now();
    let pods = stage.timeline.view().ready_names();
    stage
        .journal
        .add(Change::ProbeSet(stage.target.namespace.clone()))?;
    stage.act("", "apply a set, and again without one of its objects");
    let pruned = stage.params.manifests.prune_one().await?;
    let named = |probes: &[(String, String)]| {
        let names: Vec<_> = probes.iter().map(|(name, _)| name.as_str()).collect();
        names.join(", ")
    };
    let gone = pruned
        .before
        .iter()
        .filter(|probe| !pruned.after.iter().any(|(name, _)| *name == probe.0));
    let gone: Vec<_> = gone.map(|(name, _)| name.as_str()).collect();
    findings.check(
        "the object without a manifest is gone",
        if gone.is_empty() {
            format!("none is gone; kapply said: {}", pruned.fates.join("; "))
        } else {
            format!("{} gone of {}", gone.join(", "), named(&pruned.before))
        },
        "one of three",
        pruned.before.len() == 3 && gone.len() == 1,
    );
    let kept = pruned
        .after
        .iter()
        .filter(|probe| pruned.before.contains(probe))
        .count();
    findings.check(
        "the others keep their versions",
        format!("{kept} of {} untouched", pruned.after.len()),
        "all",
        kept == pruned.after.len() && kept > 0,
    );
    let now = stage.timeline.view().ready_names();
    findings.check(
        "the replicas are the same",
        format!(
            "{} of {} still there",
            pods.intersection(&now).count(),
            pods.len()
        ),
        "all",
        pods == now,
    );
    stage.put_back().await?;
    stage
        .load()?
        .settled(stage.timeline.now() + stage.params.steady)
        .await?;
    stage.judge_requests(from, findings).await
}
