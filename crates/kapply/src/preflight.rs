//! Before anything is sent: may this account do all of it? Every permission is
//! asked for once, all at the same time, and what is missing is told together.

mod role;

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use http::Request;
use kube::core::ApiResource;
use serde_json::{Value, json};

pub use self::role::{roles, words};
use crate::{
    connect::{Cluster, RequestError, Retry},
    discover::Catalog,
    error::Error,
    resolve::Target,
    set::{Parent, Reach},
};

/// Questions under way at once: the API server answers one in a millisecond.
const CONCURRENCY: usize = 32;

/// One thing that an account may do, or may not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Where; `None` is the whole cluster.
    pub namespace: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name, such as `deployments`.
    pub resource: String,
    /// Such as `get`.
    pub verb: &'static str,
}

/// The permissions that a run needs.
#[derive(Debug, Clone, Default)]
pub struct Needs(BTreeMap<Permission, BTreeSet<String>>);

impl Needs {
    /// Reading the objects, as `plan` and `diff` do with a dry run.
    pub fn read(&mut self, targets: &[Target]) -> &mut Self {
        self.objects(targets, &["get"])
    }

    /// Applying the objects. Server-side apply creates by a patch, and asks for both.
    pub fn apply(&mut self, targets: &[Target]) -> &mut Self {
        self.objects(targets, &["get", "create", "patch"])
    }

    /// Watching the objects until they are ready.
    pub fn wait(&mut self, targets: &[Target]) -> &mut Self {
        self.objects(targets, &["list", "watch"])
    }

    /// Deleting the objects, also to create them anew.
    pub fn delete(&mut self, targets: &[Target]) -> &mut Self {
        self.objects(targets, &["get", "delete"])
    }

    /// Finding and deleting a set's members, wherever there may be some.
    pub fn prune(&mut self, reach: &Reach, catalog: &Catalog) -> &mut Self {
        for (resource, namespace) in reach.places(catalog) {
            for verb in ["list", "delete"] {
                self.add(resource, namespace, verb, None);
            }
        }
        self
    }

    /// Keeping the parent object of a set.
    pub fn parent(&mut self, parent: &Parent) -> &mut Self {
        self.parent_may(parent, &["get", "create", "patch"])
    }

    /// Deleting the parent object of a set, or keeping it while a member stays.
    pub fn end_of(&mut self, parent: &Parent) -> &mut Self {
        self.parent_may(parent, &["get", "patch", "delete"])
    }

    /// Taking the label off a set's members.
    pub fn release(&mut self, reach: &Reach, catalog: &Catalog) -> &mut Self {
        for (resource, namespace) in reach.places(catalog) {
            for verb in ["list", "patch"] {
                self.add(resource, namespace, verb, None);
            }
        }
        self
    }

    /// Asks the API server for all of them, and gives back what is missing.
    ///
    /// # Errors
    /// [`Error::Unreachable`] or [`Error::Refused`] if it does not say.
    pub async fn missing(&self, cluster: &Cluster) -> Result<Vec<Permission>, Error> {
        let answers: Vec<_> = stream::iter(&self.0)
            .map(|(permission, names)| async move {
                let granted = is_granted(cluster, permission, names).await;
                granted.map(|granted| (permission, granted))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await
            .map_err(|error| cluster.fatal("a question about permissions", &error))?;
        let missing = answers.into_iter().filter(|(_, granted)| !granted);
        Ok(missing.map(|(permission, _)| permission.clone()).collect())
    }

    fn parent_may(&mut self, parent: &Parent, verbs: &[&'static str]) -> &mut Self {
        for verb in verbs {
            let namespace = parent.namespace.as_deref();
            self.add(&parent.resource, namespace, verb, Some(&parent.name));
        }
        self
    }

    fn objects(&mut self, targets: &[Target], verbs: &[&'static str]) -> &mut Self {
        for target in targets {
            for verb in verbs {
                let namespace = target.namespace.as_deref();
                self.add(
                    &target.resource,
                    namespace,
                    verb,
                    Some(target.object.name()),
                );
            }
        }
        self
    }

    fn add(
        &mut self,
        resource: &ApiResource,
        namespace: Option<&str>,
        verb: &'static str,
        name: Option<&str>,
    ) {
        let permission = Permission {
            namespace: namespace.map(str::to_owned),
            group: resource.group.clone(),
            resource: resource.plural.clone(),
            verb,
        };
        self.0
            .entry(permission)
            .or_default()
            .extend(name.map(str::to_owned));
    }
}

/// Who the API server takes us for; `None` if it does not say.
pub async fn user(cluster: &Cluster) -> Option<String> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let review = post(
        cluster,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        &body,
    )
    .await;
    let review = review.ok()?;
    Some(
        review
            .pointer("/status/userInfo/username")?
            .as_str()?
            .to_owned(),
    )
}

/// Whether it is granted for the kind, or else for each of the names: a role
/// may be limited to names, except for verbs that do not know them.
async fn is_granted(
    cluster: &Cluster,
    permission: &Permission,
    names: &BTreeSet<String>,
) -> Result<bool, RequestError> {
    if ask(cluster, permission, None).await? {
        return Ok(true);
    }
    let has_names = !names.is_empty() && !matches!(permission.verb, "create" | "list" | "watch");
    for name in names {
        if !has_names || !ask(cluster, permission, Some(name)).await? {
            return Ok(false);
        }
    }
    Ok(has_names)
}

async fn ask(
    cluster: &Cluster,
    permission: &Permission,
    name: Option<&str>,
) -> Result<bool, RequestError> {
    let attributes = json!({
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "namespace": permission.namespace.as_deref().unwrap_or_default(),
        "name": name.unwrap_or_default(),
    });
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = post(cluster, path, &body).await?;
    Ok(review.pointer("/status/allowed") == Some(&true.into()))
}

async fn post(cluster: &Cluster, path: &str, body: &Value) -> Result<Value, RequestError> {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|error| RequestError::Transport(error.to_string()))?;
    let reply = cluster.send(&request, Retry::Transient).await?;
    serde_json::from_slice(&reply.body).map_err(|error| RequestError::Transport(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::text::tests::target;

    #[test]
    fn each_permission_is_asked_for_once() {
        let targets = [target(), target()];
        let mut needs = Needs::default();
        needs.apply(&targets).wait(&targets).delete(&targets);
        let verbs: Vec<_> = needs.0.keys().map(|permission| permission.verb).collect();
        assert_eq!(verbs, ["create", "delete", "get", "list", "patch", "watch"]);
    }
}
