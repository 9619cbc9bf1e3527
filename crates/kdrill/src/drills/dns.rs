//! dns: clients know the Service by its name. Is it found, each time, and does it lead there?

use std::{collections::BTreeSet, time::Duration};

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage, stage::seconds};
use crate::{
    error::{Error, Result},
    judge::{failures, latency},
    limits::Limits,
    load::{
        aim::NameService,
        generate::Connections,
        handle::{Load, LoadOptions},
        received::Sample,
    },
};

/// Requests by name in each second at most: they come on top of the run's own load, and each asks
/// the name server four times.
const RATE: u32 = 100;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "dns",
    promise: "the Service is found by its name, each time, and the replicas answer",
    does: "sends up to 100 requests per second to <service>.<namespace>.svc.<domain>, asking the cluster's name server for each as pods do; counts for --steady once the name is known",
    needs: &[Need::Load, Need::NameServer],
    limits: Limits::USUAL,
    run: |stage, findings| run(stage, findings).boxed_local(),
};

async fn run(stage: &Stage, findings: &mut Findings) -> Result<()> {
    let server = stage
        .params
        .name_server
        .ok_or_else(|| Error::Usage("this drill needs a name server".to_owned()))?;
    if !stage.whole(findings).await {
        return Ok(());
    }
    let (target, domain) = (&stage.target, &stage.params.cluster_domain);
    let service = format!("svc.{domain}");
    let space = format!("{}.{service}", target.namespace);
    let name = format!("{}.{space}", target.service);
    let usual = stage.load()?.options();
    let options = LoadOptions {
        names: Some(NameService {
            server,
            // What the kubelet writes into a pod's resolv.conf.
            search: vec![space, service, domain.clone()],
        }),
        // A kept connection asks for no name.
        connections: Connections::Fresh,
        place: usual.place.clone(),
        ..LoadOptions::to(
            format!("http://{name}:{}/", target.port),
            usual.rate.min(RATE),
        )
    };
    let from = stage.act(&name, &format!("asking {server} for {name}"));
    let load = stage.load()?.another(options).await?;
    let counted = count(stage, findings, &load, from).await;
    load.stop().await;
    let samples = counted?;
    findings.requests("requests by name", samples.len());
    findings.checks.push(failures::judge(
        &format!("every request finds {name}"),
        &samples,
        findings.limits.max_failed,
    ));
    findings
        .checks
        .extend(latency::judge(samples.iter(), findings.limits.max_p99));
    leads_to_replicas(stage, findings, &samples);
    Ok(())
}

/// The requests that count: all since the name is known, or all when it never is.
async fn count(
    stage: &Stage,
    findings: &mut Findings,
    load: &Load,
    from: Duration,
) -> Result<Vec<Sample>> {
    let (length, limit) = (stage.params.steady, stage.params.timeout);
    // A name server learns of a new Service a moment after everybody else.
    let known = load.steady(from, length, limit).await?;
    let now = stage.timeline.now();
    findings.reached(
        "the name is known",
        format!("within {} s", limit.as_secs()),
        known.then(|| seconds(from, now)),
    );
    let (from, until) = if known {
        (now, now + length)
    } else {
        (from, now)
    };
    load.settled(until).await?;
    Ok(load.between(from, until))
}

fn leads_to_replicas(stage: &Stage, findings: &mut Findings, samples: &[Sample]) {
    let answered: BTreeSet<_> = samples
        .iter()
        .filter_map(|sample| sample.answer.as_deref().ok())
        .collect();
    let replicas = stage.timeline.view().ready_names();
    let strangers: Vec<_> = answered
        .iter()
        .filter(|pod| !replicas.contains(**pod))
        .copied()
        .collect();
    if !answered.is_empty() {
        findings.check(
            "it leads to the replicas",
            if strangers.is_empty() {
                format!("{} answered", answered.len())
            } else {
                format!("{} answered", strangers.join(", "))
            },
            "the replicas, and nobody else",
            strangers.is_empty(),
        );
    }
}
