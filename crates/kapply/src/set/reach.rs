//! How far a set reaches: the kinds and namespaces in which it may have
//! members. The parent writes it down, so that no member is ever forgotten.

use std::{collections::BTreeSet, fmt};

use kube::core::ApiResource;

use crate::{discover::Catalog, resolve::Target};

/// A kind of a group, in whatever version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// The group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

impl GroupKind {
    /// `Kind.group`, or `Kind` of the core group.
    pub(crate) fn parse(text: &str) -> Self {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
        }
    }
}

impl From<&ApiResource> for GroupKind {
    fn from(resource: &ApiResource) -> Self {
        Self {
            group: resource.group.clone(),
            kind: resource.kind.clone(),
        }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.kind)?;
        if self.group.is_empty() {
            return Ok(());
        }
        write!(out, ".{}", self.group)
    }
}

/// Kinds and namespaces in which a set may have members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The kinds.
    pub kinds: BTreeSet<GroupKind>,
    /// The namespaces, the parent's own among them if a member may live there.
    pub namespaces: BTreeSet<String>,
}

impl Reach {
    /// Where the targets are.
    #[must_use]
    pub fn of(targets: &[Target]) -> Self {
        let mut reach = Self::default();
        for target in targets {
            reach.add(&target.resource, target.namespace.as_deref());
        }
        reach
    }

    pub(crate) fn add(&mut self, resource: &ApiResource, namespace: Option<&str>) {
        self.kinds.insert(resource.into());
        self.namespaces.extend(namespace.map(str::to_owned));
    }

    /// Both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            kinds: &self.kinds | &other.kinds,
            namespaces: &self.namespaces | &other.namespaces,
        }
    }

    /// Where to look for members. Kinds that are not served are left out:
    /// [`super::gone`] has judged them.
    pub(crate) fn places<'run>(
        &'run self,
        catalog: &'run Catalog,
    ) -> impl Iterator<Item = (&'run ApiResource, Option<&'run str>)> {
        let served = |kind: &GroupKind| catalog.by_group_kind(&kind.group, &kind.kind);
        self.kinds.iter().filter_map(served).flat_map(|known| {
            let namespaces: Vec<_> = if known.namespaced {
                let names = self.namespaces.iter();
                names.map(|name| Some(name.as_str())).collect()
            } else {
                vec![None]
            };
            namespaces
                .into_iter()
                .map(|namespace| (&known.resource, namespace))
        })
    }

    /// Whether the other one has all of it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.kinds.is_subset(&other.kinds) && self.namespaces.is_subset(&other.namespaces)
    }

    /// The kinds as the parent's annotation has them.
    pub(crate) fn kinds_text(&self) -> String {
        let texts: BTreeSet<_> = self.kinds.iter().map(ToString::to_string).collect();
        join(&texts)
    }

    /// The namespaces as the parent's annotation has them: without its own.
    pub(crate) fn namespaces_text(&self, own: Option<&str>) -> String {
        let others = self
            .namespaces
            .iter()
            .filter(|namespace| Some(namespace.as_str()) != own);
        join(&others.cloned().collect())
    }
}

fn join(texts: &BTreeSet<String>) -> String {
    texts
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(",")
}

/// The parts of a comma-separated annotation; none of an empty one.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_sorted_and_leave_the_own_namespace_out() {
        let reach = Reach {
            kinds: ["Service", "Deployment.apps", "ConfigMap", "CronJob.batch"]
                .map(GroupKind::parse)
                .into(),
            namespaces: ["shop", "billing", "audit"].map(str::to_owned).into(),
        };
        assert_eq!(
            reach.kinds_text(),
            "ConfigMap,CronJob.batch,Deployment.apps,Service"
        );
        assert_eq!(reach.namespaces_text(Some("shop")), "audit,billing");
        assert_eq!(reach.namespaces_text(None), "audit,billing,shop");
        assert_eq!(parts("").count(), 0);
    }
}
