//! Which objects a flag means: `KIND[.GROUP][/NAME]`.

use crate::resolve::Target;

/// A kind, a kind of one group, or one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    kind: String,
    group: Option<String>,
    name: Option<String>,
    /// As the user wrote it.
    pub(super) text: String,
}

impl Selector {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (resource, name) = match text.split_once('/') {
            Some((resource, name)) => (resource, Some(name)),
            None => (text, None),
        };
        let (kind, group) = match resource.split_once('.') {
            Some((kind, group)) => (kind, Some(group)),
            None => (resource, None),
        };
        let is_empty = |part: Option<&str>| part.is_some_and(str::is_empty);
        if kind.is_empty() || is_empty(group) || is_empty(name) {
            return Err(format!(
                "\"{text}\" names no object; write KIND[.GROUP]/NAME, such as deployment/web"
            ));
        }
        Ok(Self {
            kind: kind.to_lowercase(),
            group: group.map(str::to_owned),
            name: name.map(str::to_owned),
            text: text.to_owned(),
        })
    }

    /// Whether it names one object and not a kind.
    pub(super) fn has_name(&self) -> bool {
        self.name.is_some()
    }

    pub(super) fn matches(&self, target: &Target) -> bool {
        let kind =
            self.kind == target.object.kind().to_lowercase() || self.kind == target.resource.plural;
        kind && self
            .group
            .as_ref()
            .is_none_or(|group| *group == target.resource.group)
            && self
                .name
                .as_ref()
                .is_none_or(|name| name == target.object.name())
    }

    /// How much it says; of two that match, the one that says more counts.
    pub(super) fn weight(&self) -> u8 {
        u8::from(self.name.is_some()) * 2 + u8::from(self.group.is_some())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use kube::core::ApiResource;
    use serde_json::json;

    use super::*;
    use crate::{object::Object, problem::Place, resolve::Definition};

    pub(in crate::wait) fn target(api_version: &str, kind: &str, name: &str) -> Target {
        let object = Object {
            value: json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}),
            place: Place::file("a.yaml"),
            document: 0,
        };
        Target {
            resource: ApiResource::from_gvk(&object.gvk()),
            object,
            namespace: Some("shop".to_owned()),
            definition: Definition::Cluster,
            served_as: None,
        }
    }

    #[test]
    fn kinds_groups_and_names_are_matched() {
        let web = target("apps/v1", "Deployment", "web");
        for (text, matches) in [
            ("deployment", true),
            ("Deployment/web", true),
            ("deployments/web", true),
            ("deployment.apps/web", true),
            ("deployment.example.com/web", false),
            ("deployment/api", false),
            ("statefulset", false),
        ] {
            assert_eq!(
                Selector::parse(text).unwrap().matches(&web),
                matches,
                "{text}"
            );
        }
        for text in ["", "/web", "deployment/", "deployment./web"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
