//! A run: refuse what cannot work, start the load, carry out the drills one after the other, put
//! everything back, and report, whatever happened.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    cluster::{connect::Connection, name_server, target, watch},
    drills::{self, Drill, Findings, Need, Params, Stage, balance, outage, stage::ClientHandle},
    error::{Error, Result},
    files,
    load::{
        generate::Connections,
        handle::{Load, LoadOptions, Place},
        job::JobOrder,
    },
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

/// A word of the command line that says what to run.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Every drill that the flags allow.
    All,
    /// This one.
    One(&'static Drill),
}

/// What to run.
#[derive(Debug)]
pub struct Plan {
    /// The drills, in order.
    pub drills: Vec<&'static Drill>,
    /// They are those of `all`.
    pub every: bool,
    /// Drills of `all` that the flags do not allow, with what is missing.
    pub left_out: Vec<(&'static str, String)>,
    /// The namespace of the Deployment and the Service.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// The Service.
    pub service: String,
    /// The folder of the report.
    pub report: PathBuf,
    /// The kdrill program, which the load generator is part of.
    pub program: PathBuf,
    /// The image of the load's Job, if it is to be one.
    pub load_image: Option<String>,
    /// The load; its target is found out.
    pub load: LoadOptions,
    /// The drills' parameters.
    pub params: Params,
}

impl Plan {
    /// Takes the drills that were asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] when `all` stands beside others.
    pub fn choose(&mut self, choices: &[Choice]) -> Result<()> {
        if choices
            .iter()
            .all(|choice| matches!(choice, Choice::One(_)))
        {
            self.drills = choices
                .iter()
                .filter_map(|choice| match choice {
                    Choice::One(drill) => Some(*drill),
                    Choice::All => None,
                })
                .collect();
            return Ok(());
        }
        if choices.len() > 1 {
            return Err(Error::Usage(
                "`all` is every drill: name no other beside it".to_owned(),
            ));
        }
        self.every = true;
        for drill in drills::ALL {
            match drill
                .needs
                .iter()
                .find_map(|need| self.params.missing(*need))
            {
                None => self.drills.push(drill),
                Some(missing) => self
                    .left_out
                    .push((drill.name, format!("it needs {missing}"))),
            }
        }
        Ok(())
    }

    /// Refuses what needs no cluster to be seen as wrong.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<()> {
        let (params, needs) = (&self.params, |need| {
            self.drills.iter().find(|drill| drill.needs.contains(&need))
        });
        let wrong = |text: String| Err(Error::Usage(text));
        if params.scale_to <= params.replicas {
            return wrong(format!(
                "--scale-to {} is not more than --replicas {}: the scale drill could add none",
                params.scale_to, params.replicas
            ));
        }
        if self.load.connections == Connections::Kept
            && self
                .drills
                .iter()
                .any(|drill| drill.name == balance::DRILL.name)
        {
            return wrong(
                "balance counts fresh connections, and --connections kept makes none: give fresh or both".to_owned(),
            );
        }
        for drill in &self.drills {
            if let Some(missing) = drill.needs.iter().find_map(|need| params.missing(*need)) {
                return wrong(format!("{} needs {missing}", drill.name));
            }
        }
        let cuts = [
            (Need::NodeLoss, &params.node_down, "--node-down"),
            (Need::Partition, &params.partition, "--partition"),
        ];
        for (need, command, flag) in cuts {
            if needs(need).is_some() && params.expect_lost.is_some() && command.is_some() {
                return wrong(format!(
                    "--expect-lost says that others take the node away, {flag} that kdrill does: give one of them"
                ));
            }
        }
        Ok(())
    }
}

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
    let checked = check_nodes(plan, &stage);
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
