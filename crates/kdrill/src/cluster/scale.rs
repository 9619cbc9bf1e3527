//! Changing a Deployment's replica count for the length of a drill, leaving no trace after it.
//!
//! A change moves the ownership of `spec.replicas` to its manager (server-side apply, "field
//! management"): left so, the owner's next apply with another count would conflict with kdrill.
//! So the count is put back together with the managedFields entries that owned it before.

use k8s_openapi::{
    api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Error, Result};

/// kdrill's field manager.
const MANAGER: &str = "kdrill";
/// How often the ownership is tried again after another writer came between.
const TRIES: usize = 10;

/// A Deployment's replica count and who owned it, as found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedScale {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// Its UID: another Deployment of the same name is not this one.
    pub uid: Option<String>,
    /// `spec.replicas`.
    pub replicas: i32,
    /// The managedFields entries that own `spec.replicas`.
    pub owners: Vec<ManagedFieldsEntry>,
}

/// Reads the replica count and its owners.
///
/// # Errors
/// [`Error::Api`] when the Deployment cannot be read.
pub async fn save(client: &Client, namespace: &str, deployment: &str) -> Result<SavedScale> {
    let found = deployments(client, namespace)
        .get(deployment)
        .await
        .map_err(|error| Error::api(format!("get deployment {namespace}/{deployment}"), &error))?;
    let owners = found.metadata.managed_fields.unwrap_or_default();
    Ok(SavedScale {
        namespace: namespace.to_owned(),
        deployment: deployment.to_owned(),
        uid: found.metadata.uid,
        // The API server defaults an absent count to 1.
        replicas: found.spec.and_then(|spec| spec.replicas).unwrap_or(1),
        owners: owners.into_iter().filter(owns_replicas).collect(),
    })
}

/// Sets the replica count.
///
/// # Errors
/// [`Error::Api`] when the server refuses.
pub async fn set(client: &Client, namespace: &str, deployment: &str, replicas: i32) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments(client, namespace)
        .patch(deployment, &manager(), &patch)
        .await
        .map_err(|error| {
            Error::api(
                format!("scale deployment {namespace}/{deployment} to {replicas}"),
                &error,
            )
        })?;
    Ok(())
}

/// Puts the saved count and its owners back; nothing to do when that Deployment is gone.
///
/// # Errors
/// [`Error::Api`] when the server refuses.
pub async fn restore(client: &Client, saved: &SavedScale) -> Result<()> {
    let (namespace, deployment) = (saved.namespace.as_str(), saved.deployment.as_str());
    if find(client, saved).await?.is_some() {
        set(client, namespace, deployment, saved.replicas).await?;
    }
    let mut tries = 0;
    while let Some(found) = find(client, saved).await? {
        let fields = give_back(
            found.metadata.managed_fields.unwrap_or_default(),
            &saved.owners,
        );
        let patch = Patch::Merge(json!({"metadata": {
            "resourceVersion": found.metadata.resource_version, "managedFields": fields,
        }}));
        tries += 1;
        match deployments(client, namespace)
            .patch(deployment, &manager(), &patch)
            .await
        {
            Ok(_) => break,
            // Another writer (the Deployment's controller) came between: look again.
            Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => {}
            Err(error) => {
                return Err(Error::api(
                    format!("give back spec.replicas of deployment {namespace}/{deployment}"),
                    &error,
                ));
            }
        }
    }
    Ok(())
}

/// The entries without kdrill's, the saved owners in the place of what is left of them.
fn give_back(
    current: Vec<ManagedFieldsEntry>,
    owners: &[ManagedFieldsEntry],
) -> Vec<ManagedFieldsEntry> {
    let same = |a: &ManagedFieldsEntry, b: &ManagedFieldsEntry| {
        a.manager == b.manager && a.operation == b.operation && a.subresource == b.subresource
    };
    let mut fields: Vec<_> = current
        .into_iter()
        .filter(|entry| {
            entry.manager.as_deref() != Some(MANAGER)
                && !owners.iter().any(|owner| same(owner, entry))
        })
        .collect();
    fields.extend(
        owners
            .iter()
            .filter(|owner| owner.manager.as_deref() != Some(MANAGER))
            .cloned(),
    );
    fields
}

fn owns_replicas(entry: &ManagedFieldsEntry) -> bool {
    entry
        .fields_v1
        .as_ref()
        .is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
}

/// The Deployment that was saved, if it still exists.
async fn find(client: &Client, saved: &SavedScale) -> Result<Option<Deployment>> {
    let found = deployments(client, &saved.namespace)
        .get_opt(&saved.deployment)
        .await
        .map_err(|error| {
            Error::api(
                format!("get deployment {}/{}", saved.namespace, saved.deployment),
                &error,
            )
        })?;
    Ok(found.filter(|found| found.metadata.uid == saved.uid))
}

fn deployments(client: &Client, namespace: &str) -> Api<Deployment> {
    Api::namespaced(client.clone(), namespace)
}

fn manager() -> PatchParams {
    PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::from_value;

    fn entry(manager: &str, fields: &serde_json::Value) -> ManagedFieldsEntry {
        from_value(
            json!({"manager": manager, "operation": "Apply", "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1", "fieldsV1": fields}),
        )
        .unwrap()
    }

    #[test]
    fn ownership_returns_to_its_manager_and_kdrill_leaves() {
        let owned = entry(
            "kapply",
            &json!({"f:spec": {"f:replicas": {}, "f:template": {}}}),
        );
        let left = entry("kapply", &json!({"f:spec": {"f:template": {}}}));
        let ours = entry(MANAGER, &json!({"f:spec": {"f:replicas": {}}}));
        let other = entry("kube-controller-manager", &json!({"f:status": {}}));
        assert!(owns_replicas(&owned) && !owns_replicas(&left));

        let fields = give_back(
            vec![left, ours, other.clone()],
            std::slice::from_ref(&owned),
        );
        assert_eq!(fields, [other, owned]);
    }
}
