//! Finding a kind by less than its full name: what an `ApplySet`'s parent writes
//! down (`Deployment.apps`), and what people type (`deploy`, `configmaps`).

use super::{Catalog, KnownKind};

impl Catalog {
    /// A kind of a group, in the version that the server prefers.
    #[must_use]
    pub fn by_group_kind(&self, group: &str, kind: &str) -> Option<&KnownKind> {
        self.in_order()
            .find(|known| known.resource.group == group && known.resource.kind == kind)
    }

    /// A resource as people name it: plural, singular, short name or kind, with
    /// or without `.GROUP`. Without one, Kubernetes' core group comes first.
    #[must_use]
    pub fn by_resource(&self, text: &str) -> Option<&KnownKind> {
        let text = text.to_lowercase();
        let named = |name: &str| {
            self.in_order().find(|known| {
                let resource = &known.resource;
                let is_named = resource.plural == name
                    || resource.kind.to_lowercase() == name
                    || known.aliases.iter().any(|alias| alias == name);
                is_named && (name == text || resource.group == text[name.len() + 1..])
            })
        };
        let by_group = || named(text.split_once('.')?.0);
        named(&text).or_else(by_group)
    }

    /// Every kind whose objects can be listed and deleted, in the version that the server prefers.
    pub fn deletable(&self) -> impl Iterator<Item = &KnownKind> {
        self.in_order().filter(|known| {
            let resource = &known.resource;
            let is_preferred = self.by_group_kind(&resource.group, &resource.kind) == Some(known);
            is_preferred && known.can("list") && known.can("delete")
        })
    }

    /// Whether a version of the group has an API service that does not answer:
    /// then a kind that is missing may still exist.
    #[must_use]
    pub fn is_unsure_of(&self, group: &str) -> bool {
        self.stale
            .iter()
            .any(|stale| stale.rsplit_once('/').map_or("", |(group, _)| group) == group)
    }

    fn in_order(&self) -> impl Iterator<Item = &KnownKind> {
        self.order.iter().filter_map(|gvk| self.kinds.get(gvk))
    }
}

#[cfg(test)]
impl Catalog {
    /// A catalog for tests of what looks things up: `(group, version, kind, plural, namespaced)`.
    pub(crate) fn of_names(kinds: &[(&str, &str, &str, &str, bool)]) -> Self {
        Self::of(
            kinds
                .iter()
                .map(|(group, version, kind, plural, namespaced)| {
                    let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
                    let known = KnownKind {
                        resource: kube::core::ApiResource::from_gvk_with_plural(&gvk, plural),
                        namespaced: *namespaced,
                        aliases: Vec::new(),
                        verbs: vec!["list".to_owned(), "delete".to_owned()],
                        subresources: Vec::new(),
                    };
                    (gvk, known)
                }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let mut catalog = Catalog::of_names(&[
            ("", "v1", "Secret", "secrets", true),
            ("", "v1", "Event", "events", true),
            ("apps", "v1", "Deployment", "deployments", true),
            ("apps", "v1beta1", "Deployment", "deployments", true),
            ("events.k8s.io", "v1", "Event", "events", true),
        ]);
        let gvk = kube::core::GroupVersionKind::gvk("apps", "v1", "Deployment");
        catalog
            .kinds
            .get_mut(&gvk)
            .unwrap()
            .aliases
            .push("deploy".to_owned());
        catalog
    }

    #[test]
    fn the_preferred_version_of_a_kind_is_found() {
        let catalog = catalog();
        assert_eq!(
            catalog
                .by_group_kind("apps", "Deployment")
                .unwrap()
                .resource
                .version,
            "v1"
        );
        assert_eq!(catalog.by_group_kind("", "Deployment"), None);
        let all: Vec<_> = catalog
            .deletable()
            .map(|known| known.resource.api_version.as_str())
            .collect();
        assert_eq!(all, ["v1", "v1", "apps/v1", "events.k8s.io/v1"]);
    }

    #[test]
    fn people_name_resources_in_many_ways() {
        let catalog = catalog();
        for text in [
            "deployments",
            "Deployment",
            "deploy",
            "deploy.apps",
            "deployments.apps",
            "deployment.apps",
        ] {
            assert_eq!(
                catalog.by_resource(text).unwrap().resource.kind,
                "Deployment",
                "{text}"
            );
        }
        assert_eq!(catalog.by_resource("events").unwrap().resource.group, "");
        assert_eq!(
            catalog
                .by_resource("events.events.k8s.io")
                .unwrap()
                .resource
                .group,
            "events.k8s.io"
        );
        for text in ["", "deployments.other", "deploym", "."] {
            assert_eq!(
                catalog.by_resource(text).map(|known| &known.resource.kind),
                None,
                "{text}"
            );
        }
    }
}
