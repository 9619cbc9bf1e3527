//! node-loss: a node that carries a replica is lost at once, as by a power cut, and comes back.
//!
//! Requests that were on their way to it fail, and so do those sent there until the endpoints no
//! longer list its pods: that is the window. Outside it, none may.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::view::View,
    error::{Error, Result},
    files::write_file,
    judge::{
        failures,
        recovery::{self, Loss},
    },
    putback::Change,
    timeline::{document::EventKind, recorder::Snapshot},
};

/// How long to wait for others to cut a node, and to bring it back.
const OTHERS: Duration = Duration::from_mins(10);

/// The drill.
pub const DRILL: Drill = Drill {
    name: "node-loss",
    promise: "a node that carries a replica is lost: all replicas are Ready elsewhere in time, and requests fail only until its endpoints are gone",
    needs: &[Need::Load, Need::NodeLoss],
    run: |stage, findings| run(stage, findings).boxed(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    if !stage.whole(findings).await {
        return Ok(());
    }
    let node = choose(stage)?;
    let from = stage.timeline.now();
    if !stage
        .steady(findings, "requests are answered before the cut")
        .await?
    {
        return Ok(());
    }
    let cut = lose(stage, &node).await?;
    recover(stage, findings, &node, cut).await?;
    stage
        .steady(findings, "requests are answered again with the node gone")
        .await?;
    come_back(stage, findings, &node).await?;
    judge(stage, findings, &node, from, cut).await
}

/// The node to lose: the expected one, or the one with the most replicas that may be cut.
fn choose(stage: &Stage) -> Result<String> {
    let view = stage.timeline.view();
    let carried = |node: &str| view.ready_pods().filter(|(_, on)| *on == node).count();
    if let Some(expected) = &stage.params.expect_lost {
        return if carried(expected) > 0 {
            Ok(expected.clone())
        } else {
            Err(Error::Target(format!(
                "node {expected} (--expect-lost) carries no replica: losing it would prove nothing; name one that does"
            )))
        };
    }
    eligible(&view, &stage.params.protect)
        .into_iter()
        .map(|node| (carried(node), node))
        .filter(|(count, _)| *count > 0)
        .max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(a.1)))
        .map(|(_, node)| node.to_owned())
        .ok_or_else(|| {
            Error::Target(format!(
                "no node that carries a replica may be cut: {}",
                why_not(&view, &stage.params.protect)
            ))
        })
}

/// Nodes that may be cut: Ready, not of the control plane, not protected.
#[must_use]
pub fn eligible<'a>(view: &'a View, protect: &[String]) -> Vec<&'a str> {
    view.nodes
        .iter()
        .filter(|(name, node)| node.ready && !node.control_plane && !protect.contains(name))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Why each node may not be cut, for a message.
#[must_use]
pub fn why_not(view: &View, protect: &[String]) -> String {
    let reasons: BTreeMap<&str, &str> = view
        .nodes
        .iter()
        .map(|(name, node)| {
            let reason = if node.control_plane {
                "control plane"
            } else if protect.contains(name) {
                "--protect-node"
            } else if node.ready {
                "no replica"
            } else {
                "not Ready"
            };
            (name.as_str(), reason)
        })
        .collect();
    let listed: Vec<_> = reasons
        .iter()
        .map(|(node, reason)| format!("{node}: {reason}"))
        .collect();
    format!("{}; add a node, or replicas", listed.join(", "))
}

/// Cuts the node, or waits for others to do it; gives the moment of the cut.
async fn lose(stage: &Stage, node: &str) -> Result<Duration> {
    let armed = stage.timeline.now();
    if let Some(marker) = &stage.params.ready_marker {
        write_file(marker, format!("{node}\n").as_bytes())?;
    }
    if stage.params.expect_lost.is_none() {
        let command = stage
            .params
            .node_down
            .as_ref()
            .ok_or_else(|| Error::Usage("node-loss needs --node-down".to_owned()))?;
        let uid = stage
            .timeline
            .view()
            .nodes
            .get(node)
            .and_then(|node| node.uid.clone());
        stage.journal.add(Change::NodeDown {
            node: node.to_owned(),
            uid,
        })?;
        // Before the command: what it does happens at this moment or later, so no time is lost.
        let cut = stage.act(node, &format!("cut node {node}"));
        command.run(&[node]).await?;
        return Ok(cut);
    }
    stage
        .progress
        .step(&format!("waiting for node {node} to be lost"));
    let lost = stage
        .timeline
        .wait(armed, OTHERS, |view| !view.node_ready(node))
        .await;
    let lost = lost.ok_or_else(|| {
        Error::Target(format!("node {node} (--expect-lost) was not lost within {} s; cut it once the marker file is there", OTHERS.as_secs()))
    })?;
    stage.load()?.settled(lost.at).await?;
    let cut = recovery::first_sign(&stage.load()?.samples(), armed, lost.at);
    stage.timeline.mark(
        EventKind::Action,
        node,
        format!(
            "node {node} was lost, at {:.1} s by the first sign",
            cut.as_secs_f64()
        ),
    );
    Ok(cut)
}

/// Waits, longer than is allowed, so that a late recovery is measured too.
async fn recover(stage: &Stage, findings: &mut Findings, node: &str, cut: Duration) -> Result<()> {
    let (replicas, limit) = (
        stage.params.replicas,
        stage.params.timeout.max(stage.params.max_recovery),
    );
    stage
        .progress
        .step(&format!("waiting for {replicas} replicas on living nodes"));
    stage
        .timeline
        .wait(cut, limit, |view| recovery::recovered(view, node, replicas))
        .await;
    let loss = moments(stage, cut, node);
    findings
        .checks
        .push(loss.judge(replicas, stage.params.max_recovery, limit));
    findings.measurements.extend(loss.measurements());
    Ok(())
}

async fn come_back(stage: &Stage, findings: &mut Findings, node: &str) -> Result<()> {
    let asked = stage.timeline.now();
    if let Some(marker) = &stage.params.recovered_marker {
        write_file(marker, format!("{node}\n").as_bytes())?;
    }
    stage.put_back().await?;
    stage
        .progress
        .step(&format!("waiting for node {node} to be Ready again"));
    let limit = if stage.params.expect_lost.is_some() {
        OTHERS
    } else {
        stage.params.timeout
    };
    let replicas = stage.params.replicas;
    let back = stage
        .timeline
        .wait(asked, limit, |view| {
            view.node_ready(node) && view.whole(replicas)
        })
        .await;
    let took = back.as_ref().map(|Snapshot { at, .. }| seconds(asked, *at));
    findings.reached(
        format!("node {node} comes back, and {replicas} replicas are Ready and serving"),
        format!("within {} s", limit.as_secs()),
        took,
    );
    if let Some(took) = took {
        findings.seconds("node back", took);
    }
    // What a returning node breaks shows only once it is there.
    stage
        .load()?
        .settled(stage.timeline.now() + stage.params.steady)
        .await
}

async fn judge(
    stage: &Stage,
    findings: &mut Findings,
    node: &str,
    from: Duration,
    cut: Duration,
) -> Result<()> {
    let until = stage.timeline.now();
    let load = stage.load()?;
    load.settled(until).await?;
    let samples = load.between(from, until);
    let delisted = moments(stage, cut, node).delisted.unwrap_or(until);
    let window = cut..=delisted + load.options().timeout;
    let (inside, outside) = failures::split(&samples, &window);
    findings.requests(
        "failed from the cut until its endpoints were gone",
        inside.len(),
    );
    findings.requests("failed outside that window", outside.len());
    findings.checks.push(failures::judge_outside(
        &window,
        &samples,
        &outside,
        stage.params.max_failed,
    ));
    Ok(())
}

fn moments(stage: &Stage, cut: Duration, node: &str) -> Loss {
    recovery::find(&stage.timeline.history(), cut, node, stage.params.replicas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::tests::view;

    #[test]
    fn the_control_plane_and_protected_nodes_are_never_cut() {
        let mut view = view(&["a@server", "b@n1", "c@n2"], &["server", "n1", "n2", "n3"]);
        view.nodes.get_mut("server").unwrap().control_plane = true;
        view.nodes.get_mut("n3").unwrap().ready = false;
        assert_eq!(eligible(&view, &["n2".to_owned()]), ["n1"]);
        let reasons = why_not(&view, &["n2".to_owned(), "n1".to_owned()]);
        assert!(
            reasons.starts_with(
                "n1: --protect-node, n2: --protect-node, n3: not Ready, server: control plane"
            ),
            "{reasons}"
        );
    }
}
