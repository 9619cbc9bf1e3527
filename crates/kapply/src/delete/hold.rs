//! What holds an object that is being deleted: which finalizer, who put it
//! there, and what has to happen before it goes.

use serde_json::Value;

use crate::{connect::Cluster, live, plan::Live};

/// Pods that are named.
const MAX_PODS: usize = 3;

/// What holds an object, with the pods that use a claim.
pub(super) async fn holder(cluster: &Cluster, live: &Live) -> String {
    let text = reason(&live.value);
    if live.value["kind"] != "PersistentVolumeClaim" {
        return text;
    }
    match pods_with(cluster, live).await {
        pods if pods.is_empty() => text,
        pods => format!("{text} (used by {})", pods.join(", ")),
    }
}

/// What holds an object, as far as it says so itself.
pub(super) fn reason(object: &Value) -> String {
    let metadata = &object["metadata"];
    let mut reasons: Vec<String> = conditions(object);
    let finalizers = metadata["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    reasons.extend(finalizers.map(|finalizer| describe(object, finalizer)));
    if !reasons.is_empty() {
        return reasons.join("; ");
    }
    if object["spec"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty())
    {
        return "what is in it is being deleted".to_owned();
    }
    match metadata["deletionGracePeriodSeconds"].as_u64() {
        Some(seconds) if seconds > 0 => format!("it has {seconds} s to end in peace"),
        _ => "it is being deleted".to_owned(),
    }
}

/// What a namespace or a definition says is left in it.
fn conditions(object: &Value) -> Vec<String> {
    if !matches!(
        object["kind"].as_str(),
        Some("Namespace" | "CustomResourceDefinition")
    ) {
        return Vec::new();
    }
    let conditions = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    conditions
        .filter(|condition| {
            let kind = condition["type"].as_str().unwrap_or_default();
            condition["status"] == "True"
                && (kind.starts_with("Namespace") || kind == "Terminating")
        })
        .filter_map(|condition| {
            condition["message"]
                .as_str()
                .filter(|message| !message.is_empty())
                .map(str::to_owned)
        })
        .collect()
}

fn describe(object: &Value, finalizer: &str) -> String {
    let meaning = match finalizer {
        "foregroundDeletion" => "what it owns goes first",
        "orphan" => "what it owns is being let go of",
        "kubernetes.io/pvc-protection" => "a pod still uses it",
        "kubernetes.io/pv-protection" => "a claim is still bound to it",
        "customresourcecleanup.apiextensions.k8s.io" => "objects of its kind are still there",
        "service.kubernetes.io/load-balancer-cleanup" => {
            "the cloud's load balancer is being removed"
        }
        "batch.kubernetes.io/job-tracking" => "its job has not counted it yet",
        _ => {
            return match setter(object, finalizer) {
                Some(manager) => format!(
                    "finalizer {finalizer} holds it: \"{manager}\" put it there and its controller has to remove it"
                ),
                None => format!(
                    "finalizer {finalizer} holds it: the controller that put it there has to remove it"
                ),
            };
        }
    };
    format!("finalizer {finalizer} holds it: {meaning}")
}

/// The field manager that owns a finalizer.
fn setter<'object>(object: &'object Value, finalizer: &str) -> Option<&'object str> {
    let key = format!("v:{}", Value::from(finalizer));
    let entries = object["metadata"]["managedFields"].as_array()?;
    let owner = entries.iter().find(|entry| {
        entry["fieldsV1"]["f:metadata"]["f:finalizers"]
            .get(&key)
            .is_some()
    })?;
    owner["manager"].as_str()
}

/// Names of the pods that use a claim; none if they cannot be listed.
async fn pods_with(cluster: &Cluster, claim: &Live) -> Vec<String> {
    let Some(namespace) = claim.namespace() else {
        return Vec::new();
    };
    let gvk = kube::core::GroupVersionKind::gvk("", "v1", "Pod");
    let resource = kube::core::ApiResource::from_gvk_with_plural(&gvk, "pods");
    let mut pods = Vec::new();
    let take = |pod: Live| {
        let volumes = pod.value["spec"]["volumes"]
            .as_array()
            .into_iter()
            .flatten();
        let uses = volumes
            .into_iter()
            .any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim.name());
        if uses && pods.len() < MAX_PODS {
            pods.push(format!("pod/{}", pod.name()));
        }
    };
    match live::list(cluster, &resource, Some(namespace), "", take).await {
        Ok(()) => pods,
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finalizer_names_who_put_it_there() {
        let object = json!({"kind": "ConfigMap", "metadata": {"deletionTimestamp": "t", "finalizers": ["example.com/guard"],
            "managedFields": [{"manager": "kapply", "fieldsV1": {"f:data": {}}},
                {"manager": "guardian", "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, "v:\"example.com/guard\"": {}}}}}]}});
        assert_eq!(
            reason(&object),
            "finalizer example.com/guard holds it: \"guardian\" put it there and its controller has to remove it"
        );
    }

    #[test]
    fn a_namespace_says_what_is_left_in_it() {
        let object = json!({"kind": "Namespace", "metadata": {"deletionTimestamp": "t"}, "spec": {"finalizers": ["kubernetes"]},
            "status": {"conditions": [
                {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources successfully discovered"},
                {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: widgets. has 1 resource instances"}]}});
        assert_eq!(
            reason(&object),
            "Some resources are remaining: widgets. has 1 resource instances"
        );
        assert_eq!(
            reason(
                &json!({"kind": "Namespace", "metadata": {"deletionTimestamp": "t"}, "spec": {"finalizers": ["kubernetes"]}})
            ),
            "what is in it is being deleted"
        );
    }

    #[test]
    fn a_pod_has_its_time_to_end() {
        let object = json!({"kind": "Pod", "metadata": {"deletionTimestamp": "t", "deletionGracePeriodSeconds": 30}});
        assert_eq!(reason(&object), "it has 30 s to end in peace");
    }
}
