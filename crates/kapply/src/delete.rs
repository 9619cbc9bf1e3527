//! Deleting objects in the reverse of the order in which they are applied,
//! each exactly as it was looked at, and waiting until they are gone: what
//! needs others to end in peace, such as a custom resource whose operator has
//! to tidy up, is gone before those others are asked to go.

mod fate;
mod hold;
mod request;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::stream::{self, StreamExt as _};
use kube::core::ApiResource;
use tokio::time::Instant;

pub use self::fate::{Fate, Word};
use crate::{
    apply::send_order,
    connect::{Cluster, RequestError},
    interrupt::Interrupt,
    live,
    object::Object,
    plan::Live,
    problem::Place,
};

/// How soon, and how late, is looked again whether an object is gone.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// An object that is to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Victim {
    /// The object as it was looked at.
    pub live: Live,
    /// The resource that serves it.
    pub resource: ApiResource,
    /// The set that it has to belong to still, without a controller of its own.
    pub member_of: Option<String>,
}

impl Victim {
    pub(crate) fn path(&self) -> String {
        let collection = live::collection(&self.resource, self.live.namespace());
        format!("{collection}/{}", self.live.name())
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        self.resource.group == group && self.resource.kind == kind
    }
}

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Cascade {
    /// They go after it
    #[default]
    Background,
    /// They go before it
    Foreground,
    /// They stay
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone)]
pub struct DeleteOptions {
    /// Whether to ask the server only, and change nothing.
    pub dry_run: bool,
    /// Whether to wait until everything is gone.
    pub wait: bool,
    /// How long to wait for all of it.
    pub timeout: Duration,
    /// What becomes of what the objects own.
    pub cascade: Cascade,
    /// How many requests may be under way at once, at least 1.
    pub concurrency: usize,
}

impl Default for DeleteOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            wait: true,
            timeout: Duration::from_mins(5),
            cascade: Cascade::Background,
            concurrency: 32,
        }
    }
}

/// Deletes objects and gives back what became of each, in their order.
/// `observe` hears of every fate, and of what holds an object meanwhile.
/// Once something of a stage is held or fails, later stages are left alone.
pub async fn delete(
    cluster: &Cluster,
    victims: &[Victim],
    options: &DeleteOptions,
    interrupt: &Interrupt,
    observe: impl FnMut(&Victim, Word<'_>),
) -> Vec<Fate> {
    let mut run = Run {
        cluster,
        victims,
        options,
        interrupt,
        deadline: Instant::now() + options.timeout,
        observe,
        fates: BTreeMap::new(),
    };
    for (_, indices) in stages(victims) {
        run.stage(indices).await;
    }
    run.fates.into_values().collect()
}

/// The victims by stage, first to go first.
fn stages(victims: &[Victim]) -> BTreeMap<(std::cmp::Reverse<i32>, u8), Vec<usize>> {
    let mut stages: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, victim) in victims.iter().enumerate() {
        let object = Object {
            value: serde_json::json!({"apiVersion": victim.resource.api_version, "kind": victim.resource.kind,
                "metadata": {"annotations": victim.live.value["metadata"]["annotations"]}}),
            place: Place::file("cluster"),
            document: 0,
        };
        // A namespace takes everything in it along, a definition only its own kind.
        let last = match &victim {
            victim if victim.is("", "Namespace") => 2,
            victim if victim.is("apiextensions.k8s.io", "CustomResourceDefinition") => 1,
            _ => 0,
        };
        let wave = if last == 0 {
            send_order(&object)
        } else {
            i32::MIN
        };
        stages
            .entry((std::cmp::Reverse(wave), last))
            .or_default()
            .push(index);
    }
    stages
}

struct Run<'run, Observe> {
    cluster: &'run Cluster,
    victims: &'run [Victim],
    options: &'run DeleteOptions,
    interrupt: &'run Interrupt,
    deadline: Instant,
    observe: Observe,
    fates: BTreeMap<usize, Fate>,
}

impl<Observe: FnMut(&Victim, Word<'_>)> Run<'_, Observe> {
    async fn stage(&mut self, mut indices: Vec<usize>) {
        if let Some(reason) = self.obstacle() {
            for index in indices {
                self.finish(index, Fate::Skipped(reason.clone()));
            }
            return;
        }
        indices.retain(|index| match self.inhabitant(*index) {
            Some(reason) => {
                self.finish(*index, Fate::Kept(reason));
                false
            }
            None => true,
        });
        let (cluster, victims, options, interrupt) =
            (self.cluster, self.victims, self.options, self.interrupt);
        let mut sent = stream::iter(indices)
            .map(|index| async move {
                if interrupt.is_set() {
                    return (
                        index,
                        Fate::Skipped("interrupted before it was deleted".to_owned()),
                    );
                }
                (
                    index,
                    request::delete(cluster, &victims[index], options).await,
                )
            })
            .buffer_unordered(options.concurrency.max(1));
        let mut going = BTreeSet::new();
        while let Some((index, fate)) = sent.next().await {
            match fate {
                Fate::Held(_) if options.wait => drop(going.insert(index)),
                Fate::Held(reason) => self.finish(index, Fate::Going(reason)),
                fate => self.finish(index, fate),
            }
        }
        self.wait(going).await;
    }

    /// Waits until the objects are gone, the time is up or the user wants to stop.
    async fn wait(&mut self, mut going: BTreeSet<usize>) {
        let (cluster, victims) = (self.cluster, self.victims);
        let mut told: BTreeMap<usize, String> = BTreeMap::new();
        let mut pause = FIRST_LOOK;
        while !going.is_empty() {
            let looks: Vec<_> = stream::iter(going.clone())
                .map(|index| async move { (index, look(cluster, &victims[index]).await) })
                .buffer_unordered(self.options.concurrency.max(1))
                .collect()
                .await;
            let is_over = self.interrupt.is_set() || Instant::now() >= self.deadline;
            for (index, holder) in looks {
                match holder {
                    None => self.finish(index, Fate::Deleted),
                    Some(holder) if is_over => self.finish(index, Fate::Held(holder)),
                    Some(holder) => {
                        // What goes by itself within a moment is no news.
                        if pause > FIRST_LOOK * 4 && told.get(&index) != Some(&holder) {
                            (self.observe)(&victims[index], Word::Waits(&holder));
                            told.insert(index, holder);
                        }
                        continue;
                    }
                }
                going.remove(&index);
            }
            if !going.is_empty() {
                tokio::select! {
                    () = tokio::time::sleep_until((Instant::now() + pause).min(self.deadline)) => {}
                    () = self.interrupt.asked() => {}
                }
                pause = (pause * 2).min(LAST_LOOK);
            }
        }
    }

    /// Why nothing more is deleted.
    fn obstacle(&self) -> Option<String> {
        if self.interrupt.is_set() {
            return Some("interrupted before it was deleted".to_owned());
        }
        if !self.options.wait || self.options.dry_run {
            return None;
        }
        let (index, _) = self
            .fates
            .iter()
            .find(|(_, fate)| matches!(fate, Fate::Held(_) | Fate::Failed(_)))?;
        let victim = &self.victims[*index];
        Some(format!("{victim} has to be gone before it"))
    }

    /// What is left in a namespace or of a definition's kind, so that this has to stay.
    fn inhabitant(&self, index: usize) -> Option<String> {
        let victim = &self.victims[index];
        let spec = &victim.live.value["spec"];
        let holds = |other: &Victim| {
            if victim.is("", "Namespace") {
                other.live.namespace() == Some(victim.live.name())
            } else if victim.is("apiextensions.k8s.io", "CustomResourceDefinition") {
                spec["group"] == other.resource.group.as_str()
                    && spec["names"]["kind"] == other.resource.kind.as_str()
            } else {
                false
            }
        };
        let stays =
            |fate: &Fate| matches!(fate, Fate::Kept(_) | Fate::Failed(_) | Fate::Skipped(_));
        let (other, _) = self
            .fates
            .iter()
            .find(|(other, fate)| stays(fate) && holds(&self.victims[**other]))?;
        Some(format!("{} could not be deleted", self.victims[*other]))
    }

    fn finish(&mut self, index: usize, fate: Fate) {
        (self.observe)(&self.victims[index], Word::Ended(&fate));
        self.fates.insert(index, fate);
    }
}

/// What holds an object, or `None` once it is gone.
async fn look(cluster: &Cluster, victim: &Victim) -> Option<String> {
    match live::get_path(cluster, &victim.path()).await {
        Ok(None) => None,
        // Somebody made a new object of the same name.
        Ok(Some(live)) if live.uid() != victim.live.uid() => None,
        Ok(Some(live)) => Some(hold::holder(cluster, &live).await),
        Err(RequestError::Status(status)) if status.code == 403 => {
            Some("it is being deleted, but this account may not look whether it is gone".to_owned())
        }
        Err(error) => Some(format!("it cannot be looked at: {error}")),
    }
}
