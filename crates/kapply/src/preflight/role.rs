//! Missing permissions in words, and as the RBAC roles that would grant them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Permission;

/// `create, patch deployments.apps in namespace shop`, a line per resource.
#[must_use]
pub fn words(missing: &[Permission]) -> Vec<String> {
    let mut verbs: BTreeMap<(&Option<String>, &str, &str), Vec<&str>> = BTreeMap::new();
    for permission in missing {
        let Permission {
            namespace,
            group,
            resource,
            verb,
        } = permission;
        let key = (namespace, group.as_str(), resource.as_str());
        verbs.entry(key).or_default().push(verb);
    }
    let line =
        |((namespace, group, resource), verbs): ((&Option<String>, &str, &str), Vec<&str>)| {
            let dot = if group.is_empty() { "" } else { "." };
            let place = match namespace {
                Some(namespace) => format!("in namespace {namespace}"),
                None => "in the cluster".to_owned(),
            };
            format!("{} {resource}{dot}{group} {place}", verbs.join(", "))
        };
    verbs.into_iter().map(line).collect()
}

/// A Role for each namespace and a `ClusterRole` for the cluster, with nothing
/// but what is missing.
#[must_use]
pub fn roles(missing: &[Permission]) -> Vec<Value> {
    let mut places: BTreeMap<&Option<String>, Vec<&Permission>> = BTreeMap::new();
    for permission in missing {
        places
            .entry(&permission.namespace)
            .or_default()
            .push(permission);
    }
    let role = |(namespace, permissions): (&Option<String>, Vec<&Permission>)| {
        let (kind, mut metadata) = match namespace {
            Some(_) => ("Role", json!({"name": "kapply"})),
            None => ("ClusterRole", json!({"name": "kapply"})),
        };
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": metadata,
            "rules": rules(&permissions),
        })
    };
    places.into_iter().map(role).collect()
}

/// Resources of one group with the same verbs share a rule.
fn rules(permissions: &[&Permission]) -> Vec<Value> {
    let mut verbs: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for permission in permissions {
        let key = (permission.group.as_str(), permission.resource.as_str());
        verbs.entry(key).or_default().push(permission.verb);
    }
    let mut rules: BTreeMap<(&str, Vec<&str>), Vec<&str>> = BTreeMap::new();
    for ((group, resource), verbs) in verbs {
        rules.entry((group, verbs)).or_default().push(resource);
    }
    let rule = |((group, verbs), resources): ((&str, Vec<&str>), Vec<&str>)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    rules.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(
        namespace: Option<&str>,
        group: &str,
        resource: &str,
        verb: &'static str,
    ) -> Permission {
        Permission {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb,
        }
    }

    #[test]
    fn roles_grant_what_is_missing_and_nothing_else() {
        let missing = [
            missing(None, "", "namespaces", "create"),
            missing(Some("shop"), "", "configmaps", "create"),
            missing(Some("shop"), "", "configmaps", "patch"),
            missing(Some("shop"), "", "services", "create"),
            missing(Some("shop"), "", "services", "patch"),
            missing(Some("shop"), "apps", "deployments", "patch"),
        ];
        assert_eq!(
            words(&missing),
            [
                "create namespaces in the cluster",
                "create, patch configmaps in namespace shop",
                "create, patch services in namespace shop",
                "patch deployments.apps in namespace shop",
            ]
        );
        let roles = roles(&missing);
        assert_eq!(roles[0]["kind"], "ClusterRole");
        assert_eq!(roles[1]["metadata"]["namespace"], "shop");
        assert_eq!(
            roles[1]["rules"],
            json!([
                {"apiGroups": [""], "resources": ["configmaps", "services"], "verbs": ["create", "patch"]},
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
            ])
        );
    }
}
