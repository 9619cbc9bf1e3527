//! Changing one field of a Deployment for the length of a drill, leaving no trace after it.
//!
//! A change moves the ownership of the field to its manager (server-side apply, "field
//! management"): left so, the owner's next apply with another value would conflict with kdrill.
//! So the value is put back together with the managedFields entries that owned it before.

use k8s_openapi::{
    api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// kdrill's field manager.
pub const MANAGER: &str = "kdrill";
/// How often the ownership is tried again after another writer came between.
const TRIES: usize = 10;

/// A field with a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// `spec.replicas`.
    Replicas(i32),
    /// The image of a container of the pod template.
    Image {
        /// The container's name.
        container: String,
        /// Its image.
        image: String,
    },
}

impl Field {
    /// The change to this value, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Replicas(count) => format!("scale to {count} replicas"),
            Self::Image { container, image } => format!("set image {container}={image}"),
        }
    }

    /// The field as a strategic merge patch.
    fn patch(&self) -> Value {
        match self {
            Self::Replicas(count) => json!({"spec": {"replicas": count}}),
            Self::Image { container, image } => json!({"spec": {"template": {"spec": {
                "containers": [{"name": container, "image": image}],
            }}}}),
        }
    }

    /// Where managedFields name it.
    fn pointer(&self) -> String {
        match self {
            Self::Replicas(_) => "/f:spec/f:replicas".to_owned(),
            Self::Image { container, .. } => format!(
                "/f:spec/f:template/f:spec/f:containers/k:{{\"name\":\"{container}\"}}/f:image"
            ),
        }
    }

    /// The same field with the value it has in the Deployment.
    fn found(&self, deployment: &Deployment) -> Option<Self> {
        let spec = deployment.spec.as_ref()?;
        match self {
            // The API server defaults an absent count to 1.
            Self::Replicas(_) => Some(Self::Replicas(spec.replicas.unwrap_or(1))),
            Self::Image { container, .. } => {
                let containers = &spec.template.spec.as_ref()?.containers;
                let found = containers.iter().find(|found| found.name == *container)?;
                Some(Self::Image {
                    container: container.clone(),
                    image: found.image.clone()?,
                })
            }
        }
    }
}

/// A field as it was found, and who owned it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedField {
    /// The namespace.
    pub namespace: String,
    /// The Deployment.
    pub deployment: String,
    /// Its UID: another Deployment of the same name is not this one.
    pub uid: Option<String>,
    /// The field with its value.
    pub was: Field,
    /// The managedFields entries that own it.
    pub owners: Vec<ManagedFieldsEntry>,
}

/// Reads a field and its owners; the value in `field` does not count.
///
/// # Errors
/// [`Error::Api`] when the Deployment cannot be read, [`Error::Target`] when it lacks the field.
pub async fn save(
    client: &Client,
    namespace: &str,
    deployment: &str,
    field: &Field,
) -> Result<SavedField> {
    let found = deployments(client, namespace)
        .get(deployment)
        .await
        .map_err(|error| Error::api(format!("get deployment {namespace}/{deployment}"), &error))?;
    let was = field.found(&found).ok_or_else(|| {
        Error::Target(format!(
            "deployment {namespace}/{deployment} has no field {}",
            field.pointer()
        ))
    })?;
    let owners = found.metadata.managed_fields.unwrap_or_default();
    let pointer = field.pointer();
    Ok(SavedField {
        namespace: namespace.to_owned(),
        deployment: deployment.to_owned(),
        uid: found.metadata.uid,
        was,
        owners: owners
            .into_iter()
            .filter(|entry| owns(entry, &pointer))
            .collect(),
    })
}

/// Sets a field under a manager's name.
///
/// # Errors
/// [`Error::Api`] when the server refuses.
pub async fn set(
    client: &Client,
    namespace: &str,
    deployment: &str,
    field: &Field,
    manager: &str,
) -> Result<()> {
    deployments(client, namespace)
        .patch(deployment, &by(manager), &Patch::Strategic(field.patch()))
        .await
        .map_err(|error| {
            Error::api(
                format!("{} of deployment {namespace}/{deployment}", field.words()),
                &error,
            )
        })?;
    Ok(())
}

/// Puts the saved value and its owners back; nothing to do when that Deployment is gone.
///
/// # Errors
/// [`Error::Api`] when the server refuses.
pub async fn restore(client: &Client, saved: &SavedField) -> Result<()> {
    let (namespace, deployment) = (saved.namespace.as_str(), saved.deployment.as_str());
    if find(client, saved).await?.is_some() {
        set(client, namespace, deployment, &saved.was, MANAGER).await?;
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
            .patch(deployment, &by(MANAGER), &patch)
            .await
        {
            Ok(_) => break,
            // Another writer (the Deployment's controller) came between: look again.
            Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => {}
            Err(error) => {
                return Err(Error::api(
                    format!("give back the fields of deployment {namespace}/{deployment}"),
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
    let ours = |entry: &ManagedFieldsEntry| {
        entry
            .manager
            .as_deref()
            .is_some_and(|manager| manager.starts_with(MANAGER))
    };
    let mut fields: Vec<_> = current
        .into_iter()
        .filter(|entry| !ours(entry) && !owners.iter().any(|owner| same(owner, entry)))
        .collect();
    fields.extend(owners.iter().filter(|owner| !ours(owner)).cloned());
    fields
}

fn owns(entry: &ManagedFieldsEntry, pointer: &str) -> bool {
    entry
        .fields_v1
        .as_ref()
        .is_some_and(|fields| fields.0.pointer(pointer).is_some())
}

/// The Deployment that was saved, if it still exists.
async fn find(client: &Client, saved: &SavedField) -> Result<Option<Deployment>> {
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

fn by(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
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
        let pointer = Field::Replicas(0).pointer();
        assert!(owns(&owned, &pointer) && !owns(&left, &pointer));

        let fields = give_back(
            vec![left, ours, other.clone()],
            std::slice::from_ref(&owned),
        );
        assert_eq!(fields, [other, owned]);
    }

    #[test]
    fn the_owner_of_an_image_is_found_by_its_container() {
        let image = |container: &str| Field::Image {
            container: container.to_owned(),
            image: String::new(),
        };
        let owner = entry(
            "kapply",
            &json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}}}}),
        );
        assert!(owns(&owner, &image("web").pointer()));
        assert!(!owns(&owner, &image("side").pointer()));
    }

    #[test]
    fn the_value_found_is_that_of_the_named_container() {
        let deployment: Deployment = from_value(json!({"metadata": {}, "spec": {"selector": {}, "template": {
            "spec": {"containers": [{"name": "side", "image": "s:1"}, {"name": "web", "image": "w:1"}]}}}}))
        .unwrap();
        let asked = |container: &str| Field::Image {
            container: container.to_owned(),
            image: "next".to_owned(),
        };
        assert_eq!(
            asked("web").found(&deployment),
            Some(Field::Image {
                container: "web".to_owned(),
                image: "w:1".to_owned()
            })
        );
        assert_eq!(asked("none").found(&deployment), None);
        assert_eq!(
            Field::Replicas(7).found(&deployment),
            Some(Field::Replicas(1))
        );
    }
}
