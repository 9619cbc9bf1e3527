//! `kapply delete`

use std::{collections::HashMap, num::NonZeroUsize, time::Duration};

use kube::core::ApiResource;

use super::{
    Results,
    exit::{self, Exit},
    input::{Input, Prepared},
    output, preflight, pruning, signal,
};
use crate::{
    connect::ConnectOptions,
    delete::{self, Cascade, DeleteOptions, Fate, Victim, Word},
    discover::discover,
    error::Error,
    interrupt::Interrupt,
    live,
    object::Object,
    plan::Live,
    preflight::Needs,
    report,
    set::{
        Access, Allow, AllowPrune, ApplySet, OpenOptions, SetRef,
        dissolve::{self, Dissolution},
    },
    wait::duration,
};

pub(super) const EXAMPLES: &str = "Examples:
  kapply delete -f manifests/ -n shop
  kapply delete --applyset shop -n shop --dry-run
  kapply delete --applyset shop -n shop --orphan

Objects go in the reverse of the order in which they are applied; what has to end
in peace is waited for before what it needs goes. With --applyset, members that are
annotated kapply.dev/prune: disabled stay, and the set with them.";

/// Flags of `kapply delete`.
// Each is a flag of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, clap::Args)]
#[command(
    mut_arg("filename", |arg| arg.required_unless_present("applyset").conflicts_with("applyset")),
    mut_arg("kustomize", |arg| arg.conflicts_with("applyset"))
)]
pub(super) struct DeleteCommand {
    #[command(flatten)]
    input: Input,
    /// Delete all members of this set, and the set itself
    #[arg(long, value_name = "[RESOURCE[.GROUP]/]NAME")]
    applyset: Option<SetRef>,
    /// Leave the members of the set as they are; only their label and the set go
    #[arg(long, requires = "applyset", conflicts_with_all = ["filename", "kustomize"])]
    orphan: bool,
    /// Delete also what a guard refuses (repeatable, or comma-separated)
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        requires = "applyset", conflicts_with_all = ["filename", "kustomize"]
    )]
    allow_prune: Vec<Allow>,
    /// Delete the set although another tool takes care of it
    #[arg(long, requires = "applyset", conflicts_with_all = ["filename", "kustomize"])]
    adopt: bool,
    /// What becomes of what the objects own
    #[arg(long, value_enum, default_value_t)]
    cascade: Cascade,
    /// Ask the server what would happen, and change nothing
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "server", value_parser = ["server"])]
    dry_run: Option<String>,
    /// Ask first whether every permission is there; if not, name those that are missing
    #[arg(long)]
    preflight: bool,
    /// Wait until everything is gone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    wait: bool,
    /// How long to wait, such as 90s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    /// Requests under way at once
    #[arg(long, value_name = "N", default_value = "32")]
    concurrency: NonZeroUsize,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t)]
    output: Results,
}

impl DeleteCommand {
    pub(super) async fn run(self, connect: &ConnectOptions) -> Result<Exit, Error> {
        let interrupt = signal::install();
        let ended = match &self.applyset {
            Some(reference) => self.set(reference, connect, &interrupt).await?,
            None => self.objects(connect, &interrupt).await?,
        };
        let Some((victims, fates)) = ended else {
            return Ok(Exit::Error);
        };
        if self.output == Results::Json {
            output::answer(&format!("{:#}", report::set::deleted(&victims, &fates)));
        } else {
            let count = fates.len();
            let plural = if count == 1 { "" } else { "s" };
            output::answer(&format!(
                "{count} object{plural}: {}",
                report::set::counts(&fates, "deleted")
            ));
        }
        Ok(exit::deleted(&fates, interrupt.is_set()))
    }

    /// Deletes the objects of the manifests; `None` if permissions are missing.
    async fn objects(
        &self,
        connect: &ConnectOptions,
        interrupt: &Interrupt,
    ) -> Result<Option<(Vec<Victim>, Vec<Fate>)>, Error> {
        let (prepared, unknown) = self.input.prepared_to_delete(connect).await?;
        let Prepared {
            cluster, targets, ..
        } = prepared;
        let mut needs = Needs::default();
        if self.preflight && !preflight::is_permitted(&cluster, needs.delete(&targets)).await? {
            return Ok(None);
        }
        let mut found = HashMap::new();
        live::read(&cluster, &targets, self.concurrency.get(), |index, live| {
            found.insert(index, live);
        })
        .await;
        let mut victims = Vec::new();
        let mut others: Vec<_> = unknown.into_iter().map(cannot_exist).collect();
        for (index, target) in targets.into_iter().enumerate() {
            let (live, fate) = match found.remove(&index) {
                Some(Ok(Some(live))) => (live, None),
                Some(Err(error)) => (
                    Live {
                        value: target.object.value,
                    },
                    Some(Fate::Failed(format!("it cannot be read: {error}"))),
                ),
                Some(Ok(None)) | None => (
                    Live {
                        value: target.object.value,
                    },
                    Some(Fate::Missing),
                ),
            };
            let victim = Victim {
                live,
                resource: target.served_as.unwrap_or(target.resource),
                member_of: None,
            };
            match fate {
                None => victims.push(victim),
                Some(fate) => others.push((victim, fate)),
            }
        }
        for (victim, fate) in &others {
            self.show(victim, Word::Ended(fate));
        }
        let mut fates = delete::delete(
            &cluster,
            &victims,
            &self.options(),
            interrupt,
            |victim, word| self.show(victim, word),
        )
        .await;
        for (victim, fate) in others {
            victims.push(victim);
            fates.push(fate);
        }
        Ok(Some((victims, fates)))
    }

    /// Deletes the members of a set and then its parent, or lets the members
    /// go; `None` if permissions are missing.
    async fn set(
        &self,
        reference: &SetRef,
        connect: &ConnectOptions,
        interrupt: &Interrupt,
    ) -> Result<Option<(Vec<Victim>, Vec<Fate>)>, Error> {
        let cluster = crate::connect::connect(connect).await?;
        let catalog = discover(&cluster).await?;
        let options = OpenOptions {
            namespace: connect.namespace.clone(),
            access: if self.adopt {
                Access::Adopt
            } else {
                Access::Change
            },
        };
        let mut set = ApplySet::open(&cluster, &catalog, reference, &options).await?;
        for note in set.notes() {
            output::line(&format!("note: {note}"));
        }
        let mut needs = Needs::default();
        needs.end_of(set.parent());
        if self.orphan {
            needs.release(set.reach(), &catalog);
        } else {
            needs.prune(set.reach(), &catalog);
        }
        if self.preflight && !preflight::is_permitted(&cluster, &needs).await? {
            return Ok(None);
        }
        let show = |victim: &Victim, word: Word<'_>| self.show(victim, word);
        let allow = AllowPrune(self.allow_prune.clone());
        let dissolution = if self.orphan {
            dissolve::release(
                &mut set,
                &cluster,
                &catalog,
                &self.options(),
                interrupt,
                show,
            )
            .await?
        } else {
            dissolve::delete(
                &mut set,
                &cluster,
                &catalog,
                &allow,
                &self.options(),
                interrupt,
                show,
            )
            .await?
        };
        let Dissolution { victims, fates } = dissolution;
        Ok(Some((victims, fates)))
    }

    fn options(&self) -> DeleteOptions {
        DeleteOptions {
            dry_run: self.dry_run.is_some(),
            wait: self.wait,
            timeout: self.timeout,
            cascade: self.cascade,
            concurrency: self.concurrency.get(),
        }
    }

    fn show(&self, victim: &Victim, word: Word<'_>) {
        pruning::show(victim, word, "deleted", self.dry_run.is_some(), self.output);
    }
}

/// What becomes of an object whose kind the cluster does not know.
fn cannot_exist(object: Object) -> (Victim, Fate) {
    output::warning(&format!(
        "{}: {}: the cluster has no kind {} of {}, and so no such object",
        object.place,
        object.label(),
        object.kind(),
        object.api_version()
    ));
    let victim = Victim {
        resource: ApiResource::from_gvk(&object.gvk()),
        live: Live {
            value: object.value,
        },
        member_of: None,
    };
    (victim, Fate::Missing)
}
