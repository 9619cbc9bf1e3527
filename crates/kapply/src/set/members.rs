//! The members of a set: whatever carries its label in the kinds and
//! namespaces that it reaches.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::core::ApiResource;
use serde_json::Value;

use super::{
    SetError, marks,
    reach::{GroupKind, Reach},
};
use crate::{
    connect::{Cluster, RequestError},
    delete::Victim,
    discover::Catalog,
    live::{self, Part},
    plan::Live,
};

/// Lists under way at once.
const CONCURRENCY: usize = 32;
/// How often a list is begun anew because the snapshot behind its pages has expired.
const BEGINNINGS: u32 = 3;

/// An object with the label of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The object, or its metadata where only that was asked for.
    pub live: Live,
    /// The resource that serves it.
    pub resource: ApiResource,
}

impl Member {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> GroupKind {
        GroupKind::from(&self.resource)
    }

    /// The controller that made it, as `Kind name`. Such an object only has
    /// the label because its controller copied it from its owner.
    #[must_use]
    pub fn controller(&self) -> Option<String> {
        controller(&self.live)
    }

    /// It as an object to delete.
    #[must_use]
    pub fn victim(self, set: &str) -> Victim {
        Victim {
            live: self.live,
            resource: self.resource,
            member_of: Some(set.to_owned()),
        }
    }

    /// Its identity, whatever the version of its kind.
    pub(crate) fn key(&self) -> Key<'_> {
        (self.kind(), self.live.namespace(), self.live.name())
    }
}

/// The controller that an object belongs to, as `Kind name`.
pub(crate) fn controller(live: &Live) -> Option<String> {
    let owners = live.value["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    Some(format!("{} {}", text("kind"), text("name")))
}

/// The ID of the set that an object says it belongs to.
pub(crate) fn set_of(object: &Value) -> Option<&str> {
    object["metadata"]["labels"][marks::PART_OF].as_str()
}

/// The identity of an object, whatever the version of its kind.
pub(crate) type Key<'object> = (GroupKind, Option<&'object str>, &'object str);

/// Whom the lists have found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Census {
    /// The members that are none of the targets, sorted by kind, namespace and name.
    pub others: Vec<Member>,
    /// How many members there are, targets among them, without those that a
    /// controller made.
    pub total: usize,
}

/// What is listed.
#[derive(Clone, Copy)]
pub(crate) struct Search<'run> {
    pub(crate) id: &'run str,
    pub(crate) reach: &'run Reach,
    pub(crate) part: Part,
    /// Objects that are counted and let go of at once: a set may be large.
    pub(crate) targets: &'run HashSet<Key<'run>>,
}

/// Lists the members.
pub(crate) async fn list(
    cluster: &Cluster,
    catalog: &Catalog,
    search: Search<'_>,
) -> Result<Census, SetError> {
    let lists: Vec<Found> = stream::iter(search.reach.places(catalog))
        .map(|(resource, namespace)| list_one(cluster, search, resource, namespace))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    // Some objects are served under two groups, such as events.
    let mut seen: HashSet<String> = HashSet::new();
    let mut total = 0;
    let mut others = Vec::new();
    for found in lists {
        total += found.targets.len();
        seen.extend(found.targets);
        others.extend(found.others);
    }
    others.retain(|member| seen.insert(member.live.uid().to_owned()));
    others.sort_by(|one, other| one.key().cmp(&other.key()));
    total += others
        .iter()
        .filter(|member| member.controller().is_none())
        .count();
    Ok(Census { others, total })
}

/// The members of one kind and namespace.
#[derive(Default)]
struct Found {
    /// UIDs of targets.
    targets: Vec<String>,
    others: Vec<Member>,
}

async fn list_one(
    cluster: &Cluster,
    search: Search<'_>,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> Result<Found, SetError> {
    let selector = live::query_value(&format!("{}={}", marks::PART_OF, search.id));
    let query = format!("labelSelector={selector}");
    let mut beginnings = 1;
    loop {
        let mut found = Found::default();
        let take = |live| {
            let member = Member {
                live,
                resource: resource.clone(),
            };
            if search.targets.contains(&member.key()) {
                found.targets.push(member.live.uid().to_owned());
            } else {
                found.others.push(member);
            }
        };
        match live::list_part(cluster, resource, namespace, &query, search.part, take).await {
            Ok(()) => return Ok(found),
            Err(RequestError::Status(status)) if status.code == 410 && beginnings < BEGINNINGS => {
                beginnings += 1;
            }
            // A definition may have gone since discovery; its objects went with it.
            Err(RequestError::Status(status)) if status.code == 404 => return Ok(Found::default()),
            Err(error) => return Err(refusal(resource, namespace, &error)),
        }
    }
}

pub(super) fn refusal(
    resource: &ApiResource,
    namespace: Option<&str>,
    error: &RequestError,
) -> SetError {
    let name = resource_name(resource);
    let place = namespace
        .map(|name| format!(" in namespace {name}"))
        .unwrap_or_default();
    match error {
        RequestError::Status(status) if status.code == 403 => SetError::Forbidden {
            verb: "list",
            resource: name,
            place,
        },
        error => SetError::request(format!("list {name}{place}"), error),
    }
}

/// `deployments.apps`
pub(crate) fn resource_name(resource: &ApiResource) -> String {
    if resource.group.is_empty() {
        resource.plural.clone()
    } else {
        format!("{}.{}", resource.plural, resource.group)
    }
}
