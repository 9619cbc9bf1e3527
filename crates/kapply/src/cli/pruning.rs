//! The end of `kapply apply --prune`: what left the set is deleted, the parent
//! is narrowed, and the set may be handed to another tool.

use std::process::Command;

use super::{
    Results,
    exit::{self, Exit},
    input::Prepared,
    output,
};
use crate::{
    delete::{DeleteOptions, Fate, Victim, Word},
    error::Error,
    interrupt::Interrupt,
    plan::{Plan, Verdict},
    problem::{Problem, Problems},
    report,
    set::{self, ApplySet, Tooling},
};

/// To whom the set goes afterwards.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Set")]
pub(super) struct HandOver {
    /// Give the set to another tool when everything is done, such as kubectl [default version: that of kubectl on the PATH]
    #[arg(long, value_name = "TOOL[/VERSION]", requires = "prune")]
    hand_over: Option<Tooling>,
}

impl HandOver {
    /// The tool with its version.
    pub(super) fn tooling(&self) -> Result<Option<Tooling>, Error> {
        let Some(given) = &self.hand_over else {
            return Ok(None);
        };
        if !given.version.is_empty() {
            return Ok(Some(given.clone()));
        }
        let version = if given.name == "kubectl" {
            kubectl_version()
        } else {
            None
        };
        let Some(version) = version else {
            let message = format!(
                "--hand-over {given}: its version cannot be found out; give it as {}/VERSION",
                given.name
            );
            return Err(Problems::from(Problem::general(message)).into());
        };
        Ok(Some(Tooling {
            name: given.name.clone(),
            version,
        }))
    }
}

fn kubectl_version() -> Option<String> {
    let output = Command::new("kubectl")
        .args(["version", "--client", "-o", "json"])
        .output()
        .ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    answer["clientVersion"]["gitVersion"]
        .as_str()
        .map(str::to_owned)
}

/// What pruning came to.
pub(super) struct Pruned {
    pub(super) fates: Vec<Fate>,
    pub(super) exit: Exit,
}

/// Prunes what the plan says and writes down what is left.
pub(super) async fn prune(
    set: &mut ApplySet,
    prepared: &Prepared,
    plan: &Plan,
    tooling: Option<&Tooling>,
    options: &DeleteOptions,
    results: Results,
    interrupt: &Interrupt,
) -> Pruned {
    let cluster = &prepared.cluster;
    let show =
        |victim: &Victim, word: Word<'_>| show(victim, word, "pruned", options.dry_run, results);
    let fates = set
        .prune(cluster, &plan.prunes, options, interrupt, show)
        .await;
    for (prune, fate) in plan.prunes.iter().zip(&fates) {
        if prune.verdict != Verdict::Delete {
            show(&prune.victim(set.id()), Word::Ended(fate));
        }
    }
    if results == Results::Text && !fates.is_empty() {
        output::answer(&format!(
            "set {}: {}",
            set.parent(),
            report::set::counts(&fates, "pruned")
        ));
    }
    let mut exit = exit::deleted(&fates, interrupt.is_set());
    let own = Tooling::own();
    let next = match tooling {
        Some(tooling) if exit == Exit::Done => tooling,
        Some(_) => {
            output::warning("the set was not handed over, because not everything was pruned");
            &own
        }
        None => &own,
    };
    let remaining = set::remaining(&prepared.targets, &plan.prunes, &fates);
    match set
        .narrow(
            cluster,
            &prepared.catalog,
            &remaining,
            next,
            options.dry_run,
        )
        .await
    {
        // A dry run has met the same when it widened.
        Ok(_) if options.dry_run => {}
        Ok(notes) => notes.iter().for_each(|note| output::warning(note)),
        Err(error) => {
            output::error(&format!("everything was applied and pruned, but: {error}"));
            exit = exit::first([exit, Exit::Error]);
        }
    }
    if exit == Exit::Done && !next.is_own() {
        let mood = if options.dry_run {
            "would belong"
        } else {
            "belongs"
        };
        output::line(&format!("the set of {} {mood} to {next} now", set.parent()));
    }
    Pruned { fates, exit }
}

/// Says that prunes were left out, if there were any.
pub(super) fn not_pruned(plan: &Plan) {
    let count = plan
        .prunes
        .iter()
        .filter(|prune| prune.verdict == Verdict::Delete)
        .count();
    if count > 0 {
        output::line(&format!(
            "nothing was pruned ({count} to go), because not everything was applied; the next run does it"
        ));
    }
}

/// A line for what became of an object, or for what holds it.
pub(super) fn show(victim: &Victim, word: Word<'_>, gone: &str, dry_run: bool, results: Results) {
    let fate = match word {
        Word::Waits(reason) => return output::line(&format!("waiting: {victim}: {reason}")),
        Word::Ended(fate) => fate,
    };
    if let Some(line) = report::set::not_ended(victim, fate) {
        output::line(&line);
    } else if results == Results::Text
        && let Some(line) = report::set::ended(victim, fate, gone, dry_run)
    {
        output::answer(&line);
    }
}
