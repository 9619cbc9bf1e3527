//! A run: refuse what cannot work, start the load, carry out the drills one after the other, put
//! everything back, and report, whatever happened.

use std::{sync::Arc, time::Duration};

use crate::{
    cluster::{connect::Connection, name_server, target, watch},
    drills::{Drill, Findings, Need, Stage, outage, stage::ClientHandle},
    error::{Error, Result},
    files,
    load::{
        handle::{Load, LoadOptions, Place},
        job::JobOrder,
    },
    plan::Plan,
    progress::Progress,
    putback::Journal,
    report::{self, assemble},
    signals::Signals,
    timeline::{
        document::{Document, DrillReport, EventKind, Outcome, millis},
        recorder::Timeline,
        series,
    },
};

/// Runs the plan; comes back with what timeline.json says.
///
/// # Errors
/// Before the first drill: whatever makes the run impossible; nothing has been changed and there
/// is no report. After it: only when the report cannot be written.
pub async fn run(mut plan: Plan, connection: Connection) -> Result<Document> {
    let (mut stage, recording, server) = prepare(&mut plan, connection).await?;
    let mut signals = Signals::listen()?;
    let mut reports = Vec::new();
    if let Err(error) = start_load(&plan, &mut stage).await {
        if let Some(load) = &stage.load {
            load.stop().await;
        }
        stage.progress.finish();
        return Err(error);
    }
    let following = stage.progress.follow(stage.load.as_ref(), &stage.timeline);
    for (name, why) in &plan.left_out {
        stage.progress.warn(&format!("{name} is left out: {why}"));
    }
    let mut stopped = false;
    for (index, drill) in plan.drills.iter().enumerate() {
        let report = if stopped {
            not_run(drill, &stage)
        } else {
            stage
                .progress
                .drill(drill.name, index + 1, plan.drills.len());
            carry_out(drill, &stage, &mut signals).await
        };
        stopped |= matches!(report.outcome, Outcome::Error | Outcome::Interrupted);
        reports.push(report);
    }
    if let Some(load) = &stage.load {
        load.stop().await;
    }
    for task in following.into_iter().chain([recording]) {
        task.abort();
    }
    stage.progress.finish();
    let document = assemble::document(&stage, &server, reports);
    report::write(&plan.report, &document)?;
    Ok(document)
}

/// The API server, as the report names it.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL.
    pub url: String,
    /// Its version.
    pub version: String,
}

/// Everything that can be refused is refused here.
async fn prepare(
    plan: &mut Plan,
    connection: Connection,
) -> Result<(Stage, tokio::task::JoinHandle<()>, Server)> {
    plan.check()?;
    let target = target::resolve(
        &connection.client,
        &plan.namespace,
        &plan.deployment,
        &plan.service,
    )
    .await?;
    find_name_server(plan, &connection.client).await?;
    std::fs::create_dir_all(&plan.report).map_err(Error::file(&plan.report))?;
    let markers = [&plan.params.ready_marker, &plan.params.recovered_marker];
    for marker in markers.into_iter().flatten() {
        // One of an earlier run would send its reader off too soon.
        files::remove(marker)?;
    }
    let journal = Journal::open(&plan.report)?;
    let timeline = Timeline::start();
    let recording = timeline
        .record(watch::watch(&connection.client, &target))
        .await?;
    let stage = Stage {
        client: ClientHandle(connection.client),
        target,
        timeline,
        load: None,
        params: plan.params.clone(),
        journal,
        progress: Progress::start(),
    };
    let checked = check_nodes(plan, &stage).and_then(|()| check_next_image(plan, &stage));
    if checked.is_ok() && !stage.journal.changes().is_empty() {
        stage
            .progress
            .step("putting back what an interrupted run left");
        stage.put_back().await?;
    }
    checked.inspect_err(|_| stage.progress.finish())?;
    Ok((
        stage,
        recording,
        Server {
            url: connection.server,
            version: connection.version,
        },
    ))
}

/// Finds out who is asked for names; where nobody is, drills that need one are left out of `all`.
async fn find_name_server(plan: &mut Plan, client: &kube::Client) -> Result<()> {
    let asks = |drill: &Drill| drill.needs.contains(&Need::NameServer);
    if plan.params.name_server.is_some() || !plan.drills.iter().any(|drill| asks(drill)) {
        return Ok(());
    }
    match name_server::find(client).await {
        Ok(server) => plan.params.name_server = Some(server),
        Err(error) if plan.every => {
            let (without, rest) = plan.drills.iter().partition(|drill| asks(drill));
            let without: Vec<&Drill> = without;
            plan.drills = rest;
            let reasons = without.iter().map(|drill| (drill.name, error.to_string()));
            plan.left_out.extend(reasons);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Refuses a next version that runs already: nothing would be rolled out.
fn check_next_image(plan: &Plan, stage: &Stage) -> Result<()> {
    let rolls = |drill: &&Drill| drill.needs.contains(&Need::ImageNext);
    let runs = stage.target.containers.first().map(|(_, image)| image);
    // What an interrupted run left is put back first.
    if runs != stage.params.image_next.as_ref()
        || !stage.journal.changes().is_empty()
        || !plan.drills.iter().any(rolls)
    {
        return Ok(());
    }
    Err(Error::Target(format!(
        "deployment {} runs {} already; name another version with --image-next",
        stage.target.deployment,
        runs.map_or("", String::as_str)
    )))
}

/// Refuses drills that take a node away where none may be taken, unless one is added first.
fn check_nodes(plan: &Plan, stage: &Stage) -> Result<()> {
    let (params, view) = (&stage.params, stage.timeline.view());
    let takes = |drill: &Drill| drill.needs.iter().any(|need| need.takes_a_node());
    let Some(first) = plan.drills.iter().position(|drill| takes(drill)) else {
        return Ok(());
    };
    if let Some(node) = &params.expect_lost {
        return if view.nodes.contains_key(node) {
            Ok(())
        } else {
            Err(Error::Target(format!(
                "there is no node {node} (--expect-lost); the nodes are {}",
                view.nodes.keys().cloned().collect::<Vec<_>>().join(", ")
            )))
        };
    }
    let added_before = plan.drills[..first]
        .iter()
        .any(|drill| drill.needs.contains(&Need::NodeAdd));
    if added_before
        || !stage.journal.changes().is_empty()
        || !outage::eligible(&view, &params.protect).is_empty()
    {
        return Ok(());
    }
    Err(Error::Target(format!(
        "no node may be cut or drained: {}",
        outage::why_not(&view, &params.protect)
    )))
}

async fn start_load(plan: &Plan, stage: &mut Stage) -> Result<()> {
    if plan
        .drills
        .iter()
        .any(|drill| drill.needs.contains(&Need::Load))
    {
        let options = LoadOptions {
            target: stage.target.url.clone(),
            place: place(plan, stage).await?,
            ..plan.load.clone()
        };
        stage.progress.step(&format!(
            "sending {} requests per second to {}",
            options.rate, options.target
        ));
        stage.load = Some(Arc::new(
            Load::start(options, &plan.program, &stage.timeline).await?,
        ));
    }
    if let Some(node) = stage.load.as_ref().and_then(|load| load.node()) {
        // Cut off, it could tell nothing.
        stage.progress.step(&format!(
            "the load runs on node {node}, which no drill takes away"
        ));
        stage.params.protect.push(node.to_owned());
        check_nodes(plan, stage)?;
    }
    Ok(())
}

async fn place(plan: &Plan, stage: &Stage) -> Result<Place> {
    let Some(image) = &plan.load_image else {
        return Ok(plan.load.place.clone());
    };
    let order = JobOrder {
        client: stage.client.clone(),
        namespace: stage.target.namespace.clone(),
        image: image.clone(),
        deployment: stage.target.uid.clone(),
    };
    order.remove_leftovers().await?;
    Ok(Place::Job(order))
}

/// One drill, and putting back what it left changed.
async fn carry_out(drill: &Drill, stage: &Stage, signals: &mut Signals) -> DrillReport {
    let started = stage.timeline.mark(
        EventKind::DrillStarted,
        drill.name,
        format!("drill {}", drill.name),
    );
    let limits = stage.params.limits.applied(drill.name, drill.limits);
    let mut findings = Findings::new(limits);
    let (mut outcome, mut error) = tokio::select! {
        finished = (drill.run)(stage, &mut findings) => match finished {
            Ok(()) => (Outcome::Held, None),
            Err(error) => (Outcome::Error, Some(error.to_string())),
        },
        signal = signals.next() => (Outcome::Interrupted, Some(format!("interrupted by {signal}"))),
    };
    if let Err(failure) = put_back(stage, signals).await {
        outcome = Outcome::Error;
        error = Some(error.map_or_else(
            || failure.to_string(),
            |first| format!("{first}; {failure}"),
        ));
    }
    // A drill that judged nothing proved nothing.
    let held = !findings.checks.is_empty() && findings.checks.iter().all(|check| check.held);
    if outcome == Outcome::Held && !held {
        outcome = Outcome::Broken;
    }
    let ended = stage.timeline.mark(
        EventKind::DrillEnded,
        drill.name,
        format!("drill {}: {}", drill.name, outcome.word()),
    );
    stage
        .progress
        .step(error.as_deref().unwrap_or(outcome.word()));
    let requests = requests_due(stage, started, ended);
    DrillReport {
        name: drill.name.to_owned(),
        promise: drill.promise.to_owned(),
        outcome,
        started_ms: millis(started),
        ended_ms: millis(ended),
        checks: findings.checks,
        measurements: findings.measurements,
        error,
        requests,
    }
}

fn requests_due(
    stage: &Stage,
    from: Duration,
    until: Duration,
) -> Option<crate::timeline::document::Tally> {
    let samples = stage.load.as_ref()?.between(from, until);
    Some(series::tally(samples.iter()))
}

/// Puts everything back; a further signal gives that up, and leaves it to the next run.
async fn put_back(stage: &Stage, signals: &mut Signals) -> Result<()> {
    if stage.journal.changes().is_empty() {
        return Ok(());
    }
    tokio::select! {
        done = stage.put_back() => done,
        signal = signals.next() => Err(Error::Usage(format!(
            "putting back was given up on a second {signal}; the next run with the same --report folder does it"
        ))),
    }
}

fn not_run(drill: &Drill, stage: &Stage) -> DrillReport {
    let now = millis(stage.timeline.now());
    DrillReport {
        name: drill.name.to_owned(),
        promise: drill.promise.to_owned(),
        outcome: Outcome::NotRun,
        started_ms: now,
        ended_ms: now,
        checks: Vec::new(),
        measurements: Vec::new(),
        error: None,
        requests: None,
    }
}
