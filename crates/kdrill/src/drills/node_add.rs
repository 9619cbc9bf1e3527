//! node-add: a new node joins. Pods that run stay where they are; what is scheduled from then on
//! lands there too, as the scale drill shows.

use std::collections::BTreeSet;

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::error::{Error, Result};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "node-add",
    promise: "a new node joins and becomes Ready, and no request fails",
    needs: &[Need::Load, Need::NodeAdd],
    run: |stage, findings| run(stage, findings).boxed(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let command = stage
        .params
        .node_add
        .as_ref()
        .ok_or_else(|| Error::Usage("node-add needs --node-add".to_owned()))?;
    if !stage.whole(findings).await {
        return Ok(());
    }
    let before: BTreeSet<String> = stage.timeline.view().nodes.keys().cloned().collect();
    let asked = stage.act("", "add a node");
    command.run(&[]).await?;

    stage.progress.step("waiting for the new node to be Ready");
    let is_new = |name: &String| !before.contains(name);
    let joined = stage
        .timeline
        .wait(asked, stage.params.timeout, |view| {
            view.nodes
                .iter()
                .any(|(name, node)| is_new(name) && node.ready)
        })
        .await;
    let took = joined.map(|snapshot| seconds(asked, snapshot.at));
    findings.reached(
        "a new node is Ready",
        format!("within {} s", stage.params.timeout.as_secs()),
        took,
    );
    if let Some(took) = took {
        findings.seconds("node added", took);
    }
    // A route or rule that the new node breaks shows only once it is there.
    stage
        .load()?
        .settled(stage.timeline.now() + stage.params.steady)
        .await?;
    stage.judge_failures(asked, findings).await
}
