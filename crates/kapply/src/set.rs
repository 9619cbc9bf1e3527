//! Which objects belong together: `ApplySets` (KEP-3659) as kubectl implements
//! them, so that both tools can take turns with a set.
//!
//! A parent object says in which kinds and namespaces the set has members, and
//! every member carries a label with the set's ID. A run goes like this:
//! [`ApplySet::open`], [`ApplySet::label`] the targets, find out with
//! [`ApplySet::census`] and [`verdicts`] what would be pruned, look for
//! [`claims::claims`] of other sets; then [`ApplySet::widen`], apply,
//! [`ApplySet::prune`], [`ApplySet::narrow`].

pub mod claims;
pub mod dissolve;
mod error;
mod gone;
mod guard;
mod id;
pub mod inventory;
pub(crate) mod marks;
mod members;
mod parent;
mod prune;
mod reach;
mod record;
mod tooling;
mod verdict;
mod write;

pub use self::{
    error::SetError,
    guard::{Allow, AllowPrune},
    id::SetRef,
    members::{Census, Member},
    parent::Parent,
    prune::remaining,
    reach::{GroupKind, Reach},
    tooling::Tooling,
    verdict::verdicts,
    write::{Widened, WriteOptions},
};
use self::{gone::Absence, record::Record};
pub(crate) use self::{
    members::{controller, set_of as id_of},
    verdict::keeping_annotation,
};
use crate::{
    connect::Cluster,
    discover::Catalog,
    live::Part,
    problem::{Problem, Problems},
    resolve::Target,
};

/// What is going to happen to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is looked at, whosever it is.
    Read,
    /// It is changed; it has to be this tool's.
    Change,
    /// It is changed and is this tool's from then on.
    Adopt,
}

/// How to open a set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The namespace of the parent as it was given; the context's default does not count.
    pub namespace: Option<String>,
    /// What is going to happen to it.
    pub access: Access,
}

/// A set of objects with its parent.
#[derive(Debug, Clone)]
pub struct ApplySet {
    parent: Parent,
    id: String,
    /// What the parent says; `None` while there is none.
    record: Option<Record>,
    /// Where members may be, without the kinds that are gone.
    reach: Reach,
    gone: Vec<GroupKind>,
    unknown: Vec<GroupKind>,
}

impl ApplySet {
    /// Finds the parent and checks what it says. A parent that does not exist is
    /// the beginning of a new set, if it is a Secret or a `ConfigMap`.
    ///
    /// # Errors
    /// The reference or the parent is not sound, another tool takes care of the
    /// set, or members may be where nobody can look at the moment.
    pub async fn open(
        cluster: &Cluster,
        catalog: &Catalog,
        reference: &SetRef,
        options: &OpenOptions,
    ) -> Result<Self, SetError> {
        let parent =
            parent::locate(cluster, catalog, reference, options.namespace.as_deref()).await?;
        let found = parent.read(cluster).await?;
        if found.is_none() && (options.access == Access::Read || !parent.is_built_in()) {
            let reason = if parent.is_built_in() {
                "there is no such set; `kapply sets -A` lists all"
            } else {
                "it does not exist, and custom resources are never made automatically: create it first"
            };
            return Err(SetError::Parent {
                parent: Box::new(parent),
                reason: reason.to_owned(),
            });
        }
        let record = match &found {
            Some(live) => Some(record::record(
                &parent,
                &live.value,
                catalog,
                options.access,
            )?),
            None => None,
        };
        if let Some(record) = record
            .as_ref()
            .filter(|record| options.access == Access::Change && !record.tooling.is_own())
        {
            return Err(SetError::OtherTooling {
                parent: Box::new(parent),
                tooling: record.tooling.clone(),
            });
        }
        let mut reach = record
            .as_ref()
            .map(|record| record.reach.clone())
            .unwrap_or_default();
        let absent = reach
            .kinds
            .iter()
            .filter(|kind| catalog.by_group_kind(&kind.group, &kind.kind).is_none());
        let absent = gone::absences(cluster, catalog, absent.cloned().collect()).await?;
        let (gone, unknown): (Vec<_>, Vec<_>) = absent
            .into_iter()
            .partition(|(_, absence)| *absence == Absence::Gone);
        let kinds = |absences: Vec<(GroupKind, Absence)>| {
            absences.into_iter().map(|(kind, _)| kind).collect()
        };
        let (gone, unknown): (Vec<_>, Vec<_>) = (kinds(gone), kinds(unknown));
        reach.kinds.retain(|kind| !gone.contains(kind));
        Ok(Self {
            id: parent.id(),
            parent,
            record,
            reach,
            gone,
            unknown,
        })
    }

    /// The parent.
    #[must_use]
    pub fn parent(&self) -> &Parent {
        &self.parent
    }

    /// The ID that members carry as a label.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the set may have members, as its parent says.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Who takes care of the set; `None` while there is no parent.
    #[must_use]
    pub fn tooling(&self) -> Option<&Tooling> {
        self.record.as_ref().map(|record| &record.tooling)
    }

    /// What the reader should know about the set.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let gone = self.gone.iter().map(|kind| {
            format!(
                "the definition of {kind} is gone, and its objects with it: the kind leaves the set"
            )
        });
        let unknown = self.unknown.iter().map(|kind| {
            format!("the cluster does not serve {kind}, and this account may not list definitions to see why: the kind stays in the set")
        });
        gone.chain(unknown).collect()
    }

    /// Puts the set's label on every target.
    ///
    /// # Errors
    /// Every object that has the label already: it is not for manifests.
    pub fn label(&self, targets: &mut [Target]) -> Result<(), Problems> {
        let mut problems = Problems::default();
        for target in targets {
            let object = &mut target.object;
            if members::set_of(&object.value).is_some() {
                let message = format!(
                    "{}: it has the label {} already, which --applyset sets; remove it from the manifest",
                    object.label(),
                    marks::PART_OF
                );
                problems.0.push(Problem::at(&object.place, message));
                continue;
            }
            let labels = &mut object.value["metadata"]["labels"];
            if !labels.is_null() && !labels.is_object() {
                let message = format!(
                    "{}: metadata.labels has to be a map of names and texts",
                    object.label()
                );
                problems.0.push(Problem::at(&object.place, message));
                continue;
            }
            labels[marks::PART_OF] = self.id.as_str().into();
        }
        problems.or(())
    }

    /// The members, wherever the parent or the targets say that there may be
    /// some. Of targets only the number is kept.
    ///
    /// # Errors
    /// A list is forbidden or failed: then nothing may be pruned.
    pub async fn census(
        &self,
        cluster: &Cluster,
        catalog: &Catalog,
        targets: &[Target],
    ) -> Result<Census, SetError> {
        let keys = targets.iter().map(|target| {
            let kind = GroupKind::from(&target.resource);
            (kind, target.namespace.as_deref(), target.object.name())
        });
        let search = members::Search {
            id: &self.id,
            reach: &self.reach.union(&Reach::of(targets)),
            part: Part::Whole,
            targets: &keys.collect(),
        };
        members::list(cluster, catalog, search).await
    }
}
