//! Whether the controllers act: a Deployment that wants no pods is made, and its status says when
//! the deployment controller has seen it. An API server that answers says nothing of them.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};

/// The Deployment's name.
const PROBE: &str = "kdrill-controllers";
/// How often it is looked at, and how long one answer may take.
const ASK: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(1);

/// Waits until the controllers act in a namespace; false when they do not within `limit`.
///
/// # Errors
/// [`Error::Api`] when the server refuses the Deployment to the end.
pub async fn act(client: &Client, namespace: &str, limit: Duration) -> Result<bool> {
    let mut refusal = None;
    let acted = async {
        // What a restarted server does not answer, or not in time, or refuses before it has read
        // who may do what, is asked again.
        loop {
            match timeout(ANSWER, seen(client, namespace)).await {
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
            let action = format!("make deployment {namespace}/{PROBE}");
            Err(Error::api(action, &error))
        }
        _ => Ok(false),
    }
}

/// Deletes what [`act`] made.
///
/// # Errors
/// [`Error::Api`].
pub async fn delete_probe(client: &Client, namespace: &str) -> Result<()> {
    match deployments(client, namespace)
        .delete(PROBE, &DeleteParams::background())
        .await
    {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(Error::api(format!("delete deployment {PROBE}"), &error)),
        Ok(_) => Ok(()),
    }
}

/// Makes the Deployment if it is not there, and looks whether a controller has seen it.
async fn seen(client: &Client, namespace: &str) -> Result<bool, kube::Error> {
    let api = deployments(client, namespace);
    let found = match api.get_opt(PROBE).await? {
        Some(found) => found,
        None => api.create(&PostParams::default(), &probe()).await?,
    };
    Ok(found
        .status
        .is_some_and(|status| status.observed_generation.is_some()))
}

fn probe() -> Deployment {
    let labels = json!({"app.kubernetes.io/managed-by": "kdrill", "app.kubernetes.io/name": PROBE});
    serde_json::from_value(json!({
        "metadata": {"name": PROBE, "labels": labels},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                // No pod is made of it: the image need not exist.
                "spec": {"containers": [{"name": "none", "image": "none"}]},
            },
        },
    }))
    .expect("a Deployment as the API defines it")
}

fn deployments(client: &Client, namespace: &str) -> Api<Deployment> {
    Api::namespaced(client.clone(), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_selects_its_own_pods_and_wants_none() {
        let spec = probe().spec.unwrap();
        assert_eq!(spec.replicas, Some(0));
        assert_eq!(
            spec.selector.match_labels,
            spec.template.metadata.unwrap().labels
        );
    }
}
