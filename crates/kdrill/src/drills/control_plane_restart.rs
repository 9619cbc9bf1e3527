//! control-plane-restart: the control plane goes and comes back. Traffic does not need it.

use std::time::Duration;

use futures::FutureExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use tokio::time::timeout;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    cluster::controllers,
    error::{Error, Result},
    limits::Limits,
    putback::Change,
};

/// How often the API server is asked whether it is there, and how long it may take to say so.
const ASK: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(1);

/// The drill.
pub const DRILL: Drill = Drill {
    name: "control-plane-restart",
    promise: "the control plane is restarted: it answers again in time, its controllers act, the replicas stay, and no request fails",
    does: "runs --control-plane-restart, asks the API server until it answers again, and makes a Deployment of no pods to see the controllers act",
    needs: &[Need::Load, Need::ControlPlaneRestart],
    limits: Limits {
        max_recovery: Duration::from_mins(1),
        ..Limits::USUAL
    },
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let command = stage
        .params
        .control_plane_restart
        .as_ref()
        .ok_or_else(|| Error::Usage("this drill needs --control-plane-restart".to_owned()))?;
    if !stage.whole(findings).await
        || !stage
            .steady(findings, "requests are answered before the restart")
            .await?
    {
        return Ok(());
    }
    // One that a killed run left would say nothing of the controllers of today.
    let (client, target) = (&stage.client.0, &stage.target);
    controllers::delete_probe(client, &target.namespace).await?;
    let probe = controllers::probe(client, &target.namespace, &target.deployment).await?;
    let pods = stage.timeline.view().ready_names();
    let asked = stage.act("", "restart the control plane");
    let (limit, allowed) = (
        stage.params.timeout.max(findings.limits.max_recovery),
        findings.limits.max_recovery,
    );
    let mut command = std::pin::pin!(command.run(&[]));
    let mut finished = false;
    let (mut away, mut back) = (None, None);
    while back.is_none() && stage.timeline.now() < asked + limit {
        tokio::select! {
            ended = &mut command, if !finished => {
                ended?;
                finished = true;
            }
            () = tokio::time::sleep(ASK) => {}
        }
        if !answers(stage).await {
            away = away.or(Some(stage.timeline.now()));
        } else if finished {
            back = Some(stage.timeline.now());
        }
    }
    let took = back.map(|back| seconds(asked, back));
    findings.check(
        "the API server answers again",
        match took {
            Some(took) => format!("after {took:.1} s"),
            None if finished => format!("not within {} s", limit.as_secs()),
            None => format!("the command still runs after {} s", limit.as_secs()),
        },
        format!("≤ {} s", allowed.as_secs()),
        took.is_some_and(|took| took <= allowed.as_secs_f64()),
    );
    if let (Some(away), Some(back)) = (away, back) {
        findings.seconds("API server away", seconds(away, back));
    }

    // What a control plane that comes back does wrong shows only once all of it is there.
    if let Some(back) = back {
        controllers_act(stage, findings, &probe, back).await?;
    }
    let (replicas, settled) = (
        stage.params.replicas,
        stage.timeline.now() + stage.params.steady,
    );
    stage.load()?.settled(settled).await?;
    stage
        .reach(
            findings,
            "the same replicas are Ready and serving",
            settled,
            |view| view.whole(replicas) && view.ready_names() == pods,
        )
        .await;
    stage.judge_requests(asked, findings).await
}

/// Notes whether the controllers act, and when they did, counted from the API server's answer.
async fn controllers_act(
    stage: &Stage,
    findings: &mut Findings,
    probe: &Deployment,
    back: Duration,
) -> Result<()> {
    let namespace = &stage.target.namespace;
    stage
        .journal
        .add(Change::ControllerProbe(namespace.clone()))?;
    let limit = stage.params.timeout;
    let act = controllers::act(&stage.client.0, namespace, probe, limit).await?;
    findings.reached(
        "the controllers act again",
        format!("within {} s", limit.as_secs()),
        act.then(|| seconds(back, stage.timeline.now())),
    );
    Ok(())
}

async fn answers(stage: &Stage) -> bool {
    matches!(
        timeout(ANSWER, stage.client.0.apiserver_version()).await,
        Ok(Ok(_))
    )
}
