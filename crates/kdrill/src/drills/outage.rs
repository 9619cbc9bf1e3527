//! What losing a node and cutting it off have in common: which node, the cut, recovering from it,
//! and which requests may fail.
//!
//! Requests that were on their way to the node fail, and so do those sent there until the endpoints
//! no longer list its pods: that is the window. Outside it, none may.

use std::{collections::BTreeMap, time::Duration};

use super::{Findings, Stage, stage::seconds};
use crate::{
    cluster::view::View,
    command::UserCommand,
    error::{Error, Result},
    files::write_file,
    judge::{
        failures, latency,
        recovery::{self, Loss},
    },
    putback::{Change, NodeRef},
    timeline::{document::EventKind, recorder::Snapshot},
};

/// How long to wait for others to cut a node, and to bring it back.
const OTHERS: Duration = Duration::from_mins(10);

/// How a node is taken away.
pub(super) struct Cut<'a> {
    /// The command; its node is appended.
    pub(super) command: Option<&'a UserCommand>,
    /// The flag that gives it.
    pub(super) flag: &'static str,
    /// What it does, in words that the node's name follows.
    pub(super) doing: &'static str,
    /// The change that is put back.
    pub(super) change: fn(NodeRef) -> Change,
}

/// A node that was taken away.
pub(super) struct Outage {
    /// Which.
    pub(super) node: String,
    /// Since when requests count.
    pub(super) from: Duration,
    /// When it was taken away.
    pub(super) cut: Duration,
    /// Its pods at that moment.
    pub(super) pods: Vec<String>,
}

/// Takes a node away and waits until the rest makes up for it. `None` when the drill ends before
/// the cut, because a promise is broken already.
pub(super) async fn survive(
    stage: &Stage,
    findings: &mut Findings,
    cut: &Cut<'_>,
) -> Result<Option<Outage>> {
    if !stage.whole(findings).await {
        return Ok(None);
    }
    let node = choose(stage, stage.params.expect_lost.as_ref())?;
    let from = stage.timeline.now();
    if !stage
        .steady(findings, "requests are answered before the cut")
        .await?
    {
        return Ok(None);
    }
    let view = stage.timeline.view();
    let pods = view
        .ready_pods()
        .filter(|(_, on)| *on == node)
        .map(|(pod, _)| pod.to_owned())
        .collect();
    let at = lose(stage, cut, &node).await?;
    recover(stage, findings, &node, at).await;
    stage
        .steady(findings, "requests are answered again with the node gone")
        .await?;
    Ok(Some(Outage {
        node,
        from,
        cut: at,
        pods,
    }))
}

/// The node to lose: the expected one, or the one with the most replicas that may be cut.
pub(super) fn choose(stage: &Stage, expected: Option<&String>) -> Result<String> {
    let view = stage.timeline.view();
    let carried = |node: &str| view.ready_pods().filter(|(_, on)| *on == node).count();
    if let Some(expected) = expected {
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
async fn lose(stage: &Stage, cut: &Cut<'_>, node: &str) -> Result<Duration> {
    let armed = stage.timeline.now();
    if let Some(marker) = &stage.params.ready_marker {
        write_file(marker, format!("{node}\n").as_bytes())?;
    }
    if stage.params.expect_lost.is_none() {
        let command = cut
            .command
            .ok_or_else(|| Error::Usage(format!("this drill needs {}", cut.flag)))?;
        stage.journal.add((cut.change)(stage.node(node)))?;
        // Before the command: what it does happens at this moment or later, so no time is lost.
        let at = stage.act(node, &format!("{} {node}", cut.doing));
        command.run(&[node]).await?;
        return Ok(at);
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
async fn recover(stage: &Stage, findings: &mut Findings, node: &str, cut: Duration) {
    let allowed = findings.limits.max_recovery;
    let (replicas, limit) = (stage.params.replicas, stage.params.timeout.max(allowed));
    stage
        .progress
        .step(&format!("waiting for {replicas} replicas on living nodes"));
    stage
        .timeline
        .wait(cut, limit, |view| recovery::recovered(view, node, replicas))
        .await;
    let loss = moments(stage, cut, node);
    findings.checks.push(loss.judge(replicas, allowed, limit));
    findings.measurements.extend(loss.measurements());
}

/// Puts the node back, or waits for others to do it, and then for a state.
pub(super) async fn come_back(
    stage: &Stage,
    findings: &mut Findings,
    promise: String,
    node: &str,
    back: impl Fn(&View) -> bool + Send,
) -> Result<()> {
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
    let back = stage.timeline.wait(asked, limit, back).await;
    let took = back.as_ref().map(|Snapshot { at, .. }| seconds(asked, *at));
    findings.reached(promise, format!("within {} s", limit.as_secs()), took);
    if let Some(took) = took {
        findings.seconds("node back", took);
    }
    // What a returning node breaks shows only once it is there.
    stage
        .load()?
        .settled(stage.timeline.now() + stage.params.steady)
        .await
}

/// Judges the requests: in the window some may fail, outside of it as many as the limits say.
pub(super) async fn judge(stage: &Stage, findings: &mut Findings, outage: &Outage) -> Result<()> {
    let until = stage.timeline.now();
    let load = stage.load()?;
    load.settled(until).await?;
    let samples = load.between(outage.from, until);
    let delisted = moments(stage, outage.cut, &outage.node)
        .delisted
        .unwrap_or(until);
    let window = outage.cut..=delisted + load.options().timeout;
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
        findings.limits.max_failed,
    ));
    let calm = samples
        .iter()
        .filter(|sample| !window.contains(&sample.due));
    findings
        .checks
        .extend(latency::judge(calm, findings.limits.max_p99));
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
