//! What is done to nodes and to the pods on them: cordons, evictions, deletions.

use k8s_openapi::api::{
    core::v1::{Node, Pod},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{DeleteParams, EvictParams, Patch, PatchParams, PostParams},
    core::{Selector, SelectorExt as _},
};
use serde_json::json;

use super::{field::MANAGER, target::Target};
use crate::{
    error::{Error, Result},
    putback::NodeRef,
};

/// Whether this very node exists.
///
/// # Errors
/// [`Error::Api`].
pub async fn exists(client: &Client, node: &NodeRef) -> Result<bool> {
    let found = Api::<Node>::all(client.clone())
        .get_opt(&node.node)
        .await
        .map_err(|error| Error::api(format!("get node {}", node.node), &error))?;
    Ok(found.is_some_and(|found| found.metadata.uid == node.uid))
}

/// Makes a node unschedulable.
///
/// # Errors
/// [`Error::Api`].
pub async fn cordon(client: &Client, node: &NodeRef) -> Result<()> {
    schedulable(client, &node.node, false).await
}

/// Makes a node schedulable again, if it still is that node.
///
/// # Errors
/// [`Error::Api`].
pub async fn uncordon(client: &Client, node: &NodeRef) -> Result<()> {
    if exists(client, node).await? {
        schedulable(client, &node.node, true).await?;
    }
    Ok(())
}

async fn schedulable(client: &Client, node: &str, allowed: bool) -> Result<()> {
    let unschedulable = (!allowed).then_some(true);
    let patch = Patch::Merge(json!({"spec": {"unschedulable": unschedulable}}));
    Api::<Node>::all(client.clone())
        .patch(node, &PatchParams::apply(MANAGER), &patch)
        .await
        .map(drop)
        .map_err(|error| Error::api(format!("cordon or uncordon node {node}"), &error))
}

/// What the server said to an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The pod goes, or would go.
    Accepted,
    /// A `PodDisruptionBudget` does not allow it now; the server's words.
    Refused(String),
    /// There is no such pod any more.
    Gone,
}

/// Asks for the eviction of a pod, or whether it would be allowed.
///
/// # Errors
/// [`Error::Api`] for any other answer.
pub async fn evict(client: &Client, namespace: &str, pod: &str, dry_run: bool) -> Result<Eviction> {
    let params = EvictParams {
        delete_options: None,
        post_options: PostParams {
            dry_run,
            ..PostParams::default()
        },
    };
    match Api::<Pod>::namespaced(client.clone(), namespace)
        .evict(pod, &params)
        .await
    {
        Ok(_) => Ok(Eviction::Accepted),
        Err(kube::Error::Api(status)) if status.code == 429 => {
            Ok(Eviction::Refused(status.message.clone()))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Eviction::Gone),
        Err(error) => Err(Error::api(format!("evict pod {namespace}/{pod}"), &error)),
    }
}

/// Deletes a pod with the shortest notice that leaves its node the time to stop it: one second.
///
/// # Errors
/// [`Error::Api`].
pub async fn kill(client: &Client, namespace: &str, pod: &str) -> Result<()> {
    let params = DeleteParams::default().grace_period(1);
    Api::<Pod>::namespaced(client.clone(), namespace)
        .delete(pod, &params)
        .await
        .map(drop)
        .map_err(|error| Error::api(format!("delete pod {namespace}/{pod}"), &error))
}

/// A `PodDisruptionBudget` that covers the replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its name.
    pub name: String,
    /// How many healthy pods it keeps.
    pub keeps: usize,
    /// How many may be evicted now.
    pub allowed: usize,
}

/// The budgets that cover the Deployment's pods.
///
/// # Errors
/// [`Error::Api`].
pub async fn budgets(client: &Client, target: &Target) -> Result<Vec<Budget>> {
    let list = Api::<PodDisruptionBudget>::namespaced(client.clone(), &target.namespace)
        .list(&kube::api::ListParams::default())
        .await
        .map_err(|error| {
            Error::api(
                format!("list poddisruptionbudgets in {}", target.namespace),
                &error,
            )
        })?;
    Ok(list
        .items
        .into_iter()
        .filter_map(|budget| covering(budget, target))
        .collect())
}

fn covering(budget: PodDisruptionBudget, target: &Target) -> Option<Budget> {
    let selector: Selector = budget.spec?.selector?.try_into().ok()?;
    if !selector.matches(&target.labels) {
        return None;
    }
    let status = budget.status.unwrap_or_default();
    let count = |number: i32| usize::try_from(number).unwrap_or_default();
    Some(Budget {
        name: budget.metadata.name.unwrap_or_default(),
        keeps: count(status.desired_healthy),
        allowed: count(status.disruptions_allowed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::from_value;

    #[test]
    fn only_a_budget_that_selects_the_pods_covers_them() {
        let target = Target {
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ..Target::default()
        };
        let budget = |labels: serde_json::Value| -> PodDisruptionBudget {
            from_value(json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": labels}},
                "status": {"desiredHealthy": 2, "disruptionsAllowed": 1, "currentHealthy": 3, "expectedPods": 3}}))
            .unwrap()
        };
        let found = covering(budget(json!({"app": "web"})), &target).unwrap();
        assert_eq!((found.keeps, found.allowed), (2, 1));
        assert_eq!(covering(budget(json!({"app": "db"})), &target), None);
    }
}
