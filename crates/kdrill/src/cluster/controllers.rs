//! Whether the controllers act: a Deployment that wants no pods is made, and its status says when
//! the deployment controller has seen it. An API server that answers says nothing of them.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::PodTemplateSpec};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};

/// The Deployment's name.
const PROBE: &str = "kdrill-controllers";
/// What it is known by: another one of its name is somebody's.
const OURS: &str = "app.kubernetes.io/managed-by=kdrill,app.kubernetes.io/name=kdrill-controllers";
/// How often it is looked at, and how long one answer may take.
const ASK: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(1);

/// The Deployment to make, with the pod template of one that the cluster's policies let in.
///
/// # Errors
/// [`Error::Api`] when that one cannot be read.
pub async fn probe(client: &Client, namespace: &str, like: &str) -> Result<Deployment> {
    let found = deployments(client, namespace).get(like).await;
    let found =
        found.map_err(|error| Error::api(format!("get deployment {namespace}/{like}"), &error))?;
    let template = found.spec.map(|spec| spec.template);
    Ok(without_pods(template.unwrap_or_default()))
}

/// Makes the Deployment and waits until the controllers act on it; false when they do not within
/// `limit`.
///
/// # Errors
/// [`Error::Api`] when the server refuses the Deployment to the end.
pub async fn act(
    client: &Client,
    namespace: &str,
    probe: &Deployment,
    limit: Duration,
) -> Result<bool> {
    let api = deployments(client, namespace);
    let mut refusal = None;
    let acted = async {
        // What a restarted server does not answer, or not in time, or refuses before it has read
        // who may do what, is asked again.
        loop {
            match timeout(ANSWER, seen(&api, probe)).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => refusal = None,
                Ok(Err(error)) => refusal = Some(error),
                Err(_) => {}
            }
            sleep(ASK).await;
        }
    };
    if timeout(limit, acted).await.is_ok() {
        return Ok(true);
    }
    match refusal {
        Some(error @ kube::Error::Api(_)) => {
            let action = format!(
                "make deployment {namespace}/{PROBE}, which wants no pods and shows whether controllers act"
            );
            Err(Error::api(action, &error))
        }
        _ => Ok(false),
    }
}

/// Deletes what [`act`] made, and nothing else of that name.
///
/// # Errors
/// [`Error::Api`].
pub async fn delete_probe(client: &Client, namespace: &str) -> Result<()> {
    let ours = ListParams::default().labels(OURS);
    deployments(client, namespace)
        .delete_collection(&DeleteParams::background(), &ours)
        .await
        .map_err(|error| Error::api(format!("delete deployment {namespace}/{PROBE}"), &error))?;
    Ok(())
}

/// Makes the Deployment if it is not there, and looks whether a controller has seen it.
async fn seen(api: &Api<Deployment>, probe: &Deployment) -> Result<bool, kube::Error> {
    let ours = api.list(&ListParams::default().labels(OURS)).await?;
    let found = match ours.items.into_iter().next() {
        Some(found) => found,
        None => api.create(&PostParams::default(), probe).await?,
    };
    Ok(found
        .status
        .is_some_and(|status| status.observed_generation.is_some()))
}

fn without_pods(mut template: PodTemplateSpec) -> Deployment {
    let labels = json!({"app.kubernetes.io/managed-by": "kdrill", "app.kubernetes.io/name": PROBE});
    let mut probe: Deployment = serde_json::from_value(json!({
        "metadata": {"name": PROBE, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {}},
    }))
    .expect("a Deployment as the API defines it");
    template.metadata.get_or_insert_default().labels = Some(probe.labels().clone());
    if let Some(spec) = &mut probe.spec {
        spec.template = template;
    }
    probe
}

fn deployments(client: &Client, namespace: &str) -> Api<Deployment> {
    Api::namespaced(client.clone(), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_selects_its_own_pods_and_wants_none() {
        let template = json!({"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "x:1"}]}});
        let probe = without_pods(serde_json::from_value(template).unwrap());
        let ours = probe
            .labels()
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        assert_eq!(ours.collect::<Vec<_>>().join(","), OURS);
        let spec = probe.spec.unwrap();
        assert_eq!(spec.replicas, Some(0));
        assert_eq!(
            spec.selector.match_labels,
            spec.template.metadata.unwrap().labels
        );
        assert_eq!(spec.template.spec.unwrap().containers[0].name, "web");
    }
}
