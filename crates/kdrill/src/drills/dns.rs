//! dns: clients know the Service by its name. Is it found, each time, and does it lead there?

use std::collections::BTreeSet;

use futures::FutureExt as _;

use super::{Drill, Findings, Need, Stage};
use crate::{
    error::{Error, Result},
    judge::{failures, latency},
    limits::Limits,
    load::{aim::NameService, generate::Connections, handle::LoadOptions},
};

/// Requests by name in each second at most: they come on top of the run's own load, and each asks
/// the name server four times.
const RATE: u32 = 100;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "dns",
    promise: "the Service is found by its name, each time, and the replicas answer",
    does: "sends up to 100 requests per second for --steady to <service>.<namespace>.svc.<domain>, asking the cluster's name server for each as pods do",
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
    let until = stage.timeline.now() + stage.params.steady;
    let settled = load.settled(until).await;
    load.stop().await;
    settled?;

    let samples = load.between(from, until);
    findings.requests("requests by name", samples.len());
    findings.checks.push(failures::judge(
        &format!("every request finds {name}"),
        &samples,
        findings.limits.max_failed,
    ));
    findings
        .checks
        .extend(latency::judge(samples.iter(), findings.limits.max_p99));
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
    Ok(())
}
