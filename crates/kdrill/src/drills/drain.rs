//! drain: a node is emptied for maintenance. Evictions take no more replicas at once than the
//! `PodDisruptionBudget` allows.

use std::{collections::BTreeSet, time::Duration};

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, outage, stage::seconds};
use crate::{
    cluster::nodes::{self, Budget, Eviction},
    error::Result,
    limits::Limits,
    putback::Change,
};

/// How soon a refused eviction is asked for again; nobody tells when it would be granted.
const AGAIN: Duration = Duration::from_millis(250);

/// The drill.
pub const DRILL: Drill = Drill {
    name: "drain",
    promise: "a node is drained within the PodDisruptionBudget: its replicas move, enough stay Ready, and no request fails",
    does: "cordons the node with the most replicas, evicts them, asks for one eviction too many, and uncordons it",
    needs: &[Need::Load, Need::Drain],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let budgets = nodes::budgets(&stage.client.0, &stage.target).await?;
    let names: Vec<_> = budgets.iter().map(|budget| budget.name.as_str()).collect();
    findings.check(
        "a PodDisruptionBudget covers the replicas",
        if names.is_empty() {
            "none does: evictions may take all replicas at once".to_owned()
        } else {
            names.join(", ")
        },
        "one",
        !budgets.is_empty(),
    );
    let node = outage::choose(stage, None)?;
    let from = stage.timeline.now();
    let reference = stage.node(&node);
    stage.journal.add(Change::Cordoned(reference.clone()))?;
    let asked = stage.act(&node, &format!("drain node {node}"));
    nodes::cordon(&stage.client.0, &reference).await?;
    evict_all(stage, findings, &node, &budgets).await?;

    let replicas = stage.params.replicas;
    let moved = stage
        .reach(
            findings,
            format!("{replicas} replicas are Ready elsewhere, none is left on {node}"),
            asked,
            |view| {
                let left = view
                    .pods
                    .values()
                    .any(|pod| pod.node.as_deref() == Some(node.as_str()));
                !left && view.whole(replicas)
            },
        )
        .await;
    if let Some(moved) = moved {
        findings.seconds("drained", seconds(asked, moved.at));
    }
    if let Some(budget) = budgets.first() {
        let fewest = stage.fewest_serving(from);
        findings.check(
            "enough replicas are Ready all the time",
            format!("fewest {fewest}"),
            format!("≥ {} ({})", budget.keeps, budget.name),
            fewest >= budget.keeps,
        );
    }
    stage.put_back().await?;
    stage.judge_requests(from, findings).await
}

/// Evicts the node's replicas, each as soon as it is allowed, and once asks for one too many.
async fn evict_all(
    stage: &Stage,
    findings: &mut Findings,
    node: &str,
    budgets: &[Budget],
) -> Result<()> {
    let on_node = |stage: &Stage| -> BTreeSet<String> {
        let view = stage.timeline.view();
        view.ready_pods()
            .filter(|(_, on)| *on == node)
            .map(|(pod, _)| pod.to_owned())
            .collect()
    };
    let (client, namespace) = (&stage.client.0, &stage.target.namespace);
    let mut left = on_node(stage);
    let (mut granted, mut refused) = (0, 0);
    let deadline = stage.timeline.now() + stage.params.timeout;
    // With room for one eviction, the next one must be refused until the first is made up for.
    let mut asked_too_much = budgets.first().is_none_or(|budget| budget.allowed != 1);
    while let Some(pod) = left.first().cloned() {
        match nodes::evict(client, namespace, &pod, false).await? {
            Eviction::Accepted => {
                granted += 1;
                left.remove(&pod);
                if !asked_too_much {
                    asked_too_much = one_too_many(stage, findings, &pod).await?;
                }
            }
            Eviction::Gone => {
                left.remove(&pod);
            }
            Eviction::Refused(_) if stage.timeline.now() < deadline => {
                refused += 1;
                tokio::time::sleep(AGAIN).await;
            }
            Eviction::Refused(reason) => {
                findings.check(
                    "every replica of the node may be evicted in the end",
                    reason,
                    format!("within {} s", stage.params.timeout.as_secs()),
                    false,
                );
                return Ok(());
            }
        }
    }
    findings.measurements.extend(
        [
            ("evictions granted", granted),
            ("evictions refused", refused),
        ]
        .map(|(name, count)| crate::timeline::document::Measurement {
            name: name.to_owned(),
            value: f64::from(count),
            unit: "times".to_owned(),
        }),
    );
    Ok(())
}

/// Asks, without meaning it, for the eviction of another replica while one is on its way. Says
/// nothing, and returns false, when the one on its way was made up for before the answer came:
/// then there was room.
async fn one_too_many(stage: &Stage, findings: &mut Findings, going: &str) -> Result<bool> {
    let others = stage.timeline.view().ready_names();
    let Some(other) = others.iter().find(|name| name.as_str() != going) else {
        return Ok(true);
    };
    let answer = nodes::evict(&stage.client.0, &stage.target.namespace, other, true).await?;
    if answer == Eviction::Accepted {
        let budgets = nodes::budgets(&stage.client.0, &stage.target).await?;
        if budgets.iter().any(|budget| budget.allowed > 0) {
            return Ok(false);
        }
    }
    findings.check(
        "an eviction beyond the budget is refused",
        match &answer {
            Eviction::Accepted => format!("that of {other} was allowed while {going} was going"),
            Eviction::Refused(reason) => reason.clone(),
            Eviction::Gone => format!("{other} was gone"),
        },
        "refused",
        matches!(answer, Eviction::Refused(_)),
    );
    Ok(true)
}
