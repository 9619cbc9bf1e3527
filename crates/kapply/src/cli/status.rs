//! `kapply status`

use super::{
    Results,
    exit::{self, Exit},
    input::{Input, Prepared},
    output,
    planning::Planning,
    signal,
};
use crate::{
    connect::{self, ConnectOptions},
    discover::discover,
    error::Error,
    interrupt::Interrupt,
    plan::{Check, plan},
    report, schema,
    set::{Access, ApplySet, Member, OpenOptions, SetRef},
    status::{self, Drift, Standing},
};

pub(super) const EXAMPLES: &str = "Examples:
  kapply status --applyset shop -n shop
  kapply status -f manifests/ -n shop
  kapply status -f manifests/ --applyset shop -n shop -o json

Without -f the members of the set are looked at. With it, the objects of the manifests,
what differs from them, and which members of the set are left over.
Exit codes: 0 all there and ready; 1 something differs, is missing or left over;
2 error; 4 something is not ready.";

/// Flags of `kapply status`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("filename", |arg| arg.required_unless_present("applyset")))]
pub(super) struct StatusCommand {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    planning: Planning,
    /// Set to look at, whichever tool takes care of it
    #[arg(long, value_name = "[RESOURCE[.GROUP]/]NAME")]
    applyset: Option<SetRef>,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

impl StatusCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let Some(looked) = signal::or_interrupted(&interrupt, self.look(connect, &interrupt)).await
        else {
            output::error("interrupted");
            return Ok(Exit::Interrupted);
        };
        let (set, standings) = looked?;
        if self.output == Results::Json {
            let mut document = report::status::document(&standings);
            document["set"] = set.as_ref().map(report::set::set).into();
            output::answer(&format!("{document:#}"));
        } else {
            for standing in &standings {
                output::answer(&report::status::line(standing));
            }
            output::answer(&report::status::summary(&standings));
        }
        Ok(exit::first(standings.iter().flat_map(|standing| {
            let differs = match standing.drift {
                Drift::Failed(_) => Exit::Error,
                _ if standing.drift.is_some() => Exit::Different,
                _ => Exit::Done,
            };
            let unready = if standing.is_ready() || standing.drift == Drift::Missing {
                Exit::Done
            } else {
                Exit::NotReady
            };
            [differs, unready]
        })))
    }

    async fn look(
        &self,
        connect: &ConnectOptions,
        interrupt: &Interrupt,
    ) -> Result<(Option<ApplySet>, Vec<Standing>), Error> {
        if self.input.is_given() {
            let mut prepared = self.input.prepared(connect, false).await?;
            let set = self.open(connect, &mut prepared).await?;
            let members = members(set.as_ref(), &prepared).await?;
            let Prepared {
                cluster, targets, ..
            } = &prepared;
            let schemas = schema::of_targets(cluster, targets).await;
            let options = self.planning.options(Check::Unproved);
            let plan = plan(cluster, targets, &schemas, &options, interrupt).await;
            let concurrency = self.planning.concurrency.get();
            return Ok((
                set,
                status::of_targets(cluster, targets, &plan, members, concurrency).await,
            ));
        }
        let cluster = connect::connect(connect).await?;
        let catalog = discover(&cluster).await?;
        let mut prepared = Prepared {
            cluster,
            catalog,
            targets: Vec::new(),
        };
        let set = self.open(connect, &mut prepared).await?;
        let members = members(set.as_ref(), &prepared).await?;
        Ok((set, status::of_members(members)))
    }

    async fn open(
        &self,
        connect: &ConnectOptions,
        prepared: &mut Prepared,
    ) -> Result<Option<ApplySet>, Error> {
        let Some(reference) = &self.applyset else {
            return Ok(None);
        };
        let options = OpenOptions {
            namespace: connect.namespace.clone(),
            access: Access::Read,
        };
        let set = ApplySet::open(&prepared.cluster, &prepared.catalog, reference, &options).await?;
        set.notes()
            .iter()
            .for_each(|note| output::line(&format!("note: {note}")));
        set.label(&mut prepared.targets)?;
        if let Some(tooling) = set.tooling().filter(|tooling| !tooling.is_own()) {
            output::line(&format!(
                "note: the set of {} belongs to {tooling}",
                set.parent()
            ));
        }
        Ok(Some(set))
    }
}

/// The members of the set that are no targets, without those that a controller made.
async fn members(set: Option<&ApplySet>, prepared: &Prepared) -> Result<Vec<Member>, Error> {
    let Some(set) = set else {
        return Ok(Vec::new());
    };
    let census = set
        .census(&prepared.cluster, &prepared.catalog, &prepared.targets)
        .await?;
    let mut members = census.others;
    members.retain(|member| member.controller().is_none());
    Ok(members)
}
