//! How objects are, all at one moment: whether they exist, are as desired, are
//! ready, and which members of a set are left over.

use std::collections::BTreeMap;

use kube::core::ApiResource;

use crate::{
    connect::Cluster,
    live,
    plan::{Action, Blocked, Live, Plan},
    resolve::Target,
    set::Member,
    ssa::FieldConflict,
    wait::{self, State, Status},
};

/// How an object is.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The resource that serves it.
    pub resource: ApiResource,
    /// The object; as the input has it if it does not exist.
    pub live: Live,
    /// How far it differs from the input.
    pub drift: Drift,
    /// Whether it is ready; `None` if it does not exist.
    pub status: Option<Status>,
}

/// How far an object differs from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// There is no input to compare with.
    Unknown,
    /// It is as the input has it.
    None,
    /// It does not exist.
    Missing,
    /// An apply would change it.
    Changed,
    /// Other managers have given fields other values.
    Overruled(Vec<FieldConflict>),
    /// It cannot be compared, for this reason.
    Failed(String),
    /// It belongs to the set, but not to the input.
    LeftOver,
}

/// How members are, without an input to compare them with.
#[must_use]
pub fn of_members(members: Vec<Member>) -> Vec<Standing> {
    members
        .into_iter()
        .map(|member| of_member(member, Drift::Unknown))
        .collect()
}

/// How targets are, and then what is left over of their set: members that are no targets.
pub async fn of_targets(
    cluster: &Cluster,
    targets: &[Target],
    plan: &Plan,
    left: Vec<Member>,
    concurrency: usize,
) -> Vec<Standing> {
    let mut found = BTreeMap::new();
    live::read(cluster, targets, concurrency, |index, live| {
        drop(found.insert(index, live));
    })
    .await;
    let mut standings = Vec::with_capacity(targets.len());
    for ((target, step), found) in targets.iter().zip(&plan.steps).zip(found.into_values()) {
        let (live, drift) = match found {
            Ok(Some(live)) => (Some(live), drift(&step.action)),
            Ok(None) => (None, Drift::Missing),
            Err(error) => (None, Drift::Failed(error.to_string())),
        };
        standings.push(Standing {
            resource: target.resource.clone(),
            status: live.as_ref().map(|live| wait::readiness(&live.value)),
            live: live.unwrap_or_else(|| Live {
                value: target.object.value.clone(),
            }),
            drift,
        });
    }
    standings.extend(
        left.into_iter()
            .map(|member| of_member(member, Drift::LeftOver)),
    );
    standings
}

fn of_member(member: Member, drift: Drift) -> Standing {
    Standing {
        status: Some(wait::readiness(&member.live.value)),
        resource: member.resource,
        live: member.live,
        drift,
    }
}

fn drift(action: &Action) -> Drift {
    match action {
        Action::Unchanged(_) => Drift::None,
        Action::Create { .. } => Drift::Missing,
        Action::Update { .. }
        | Action::Recreate { .. }
        | Action::Blocked(Blocked::Immutable(_)) => Drift::Changed,
        Action::Blocked(Blocked::Conflict(conflicts)) => Drift::Overruled(conflicts.clone()),
        Action::Blocked(blocked) => Drift::Failed(blocked.to_string()),
    }
}

impl Drift {
    /// The stable name, as in `-o json`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Overruled(_) => "overruled",
            Self::Failed(_) => "failed",
            Self::LeftOver => "left over",
        }
    }

    /// Whether an apply with prune would change something.
    #[must_use]
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::Unknown | Self::None)
    }
}

impl Standing {
    /// Whether it exists and is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.state == State::Ready)
    }
}
