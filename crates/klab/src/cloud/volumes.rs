//! Volumes for claims of the class `klab`: folders on the node that the pod was
//! put on, which go with the claim, or with the node.

use std::{fs, io, os::unix::fs::PermissionsExt, path::PathBuf};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;

use crate::{
    error::{Context, Result},
    state::Folder,
};

/// The class's provisioner.
const PROVISIONER: &str = "klab.local/folder";
const CLASS: &str = "klab";
/// The scheduler's choice, once a pod uses the claim.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Where a node has them, below its own `/var/lib`.
const FOLDER: &str = "klab-volumes";

/// Never returns.
pub(super) async fn provide(folder: &Folder, client: &Client) {
    tokio::join!(give(folder, client), take_back(folder, client));
}

async fn give(folder: &Folder, client: &Client) {
    let claims = Api::<PersistentVolumeClaim>::all(client.clone());
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let watched = watcher::watcher(claims, watcher::Config::default());
    let mut changes = watched.default_backoff().applied_objects().boxed();
    while let Some(change) = changes.next().await {
        let Ok(claim) = change else { continue };
        let Some(volume) = volume_for(&claim) else {
            continue;
        };
        let made = make_folder(folder, &volume);
        let result = match made {
            Ok(()) => volumes.create(&PostParams::default(), &volume).await,
            Err(error) => {
                eprintln!("cloud: {error}");
                continue;
            }
        };
        match result {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => eprintln!("cloud: cannot make a volume: {error}"),
        }
    }
}

/// The volume that a claim waits for, if it is ours to make.
fn volume_for(claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let (metadata, spec) = (&claim.metadata, claim.spec.as_ref()?);
    if spec.storage_class_name.as_deref() != Some(CLASS) || spec.volume_name.is_some() {
        return None;
    }
    let node = metadata.annotations.as_ref()?.get(SELECTED_NODE)?;
    let uid = metadata.uid.as_ref()?;
    let name = format!("pvc-{uid}");
    let requested = spec.resources.as_ref()?.requests.as_ref()?.get("storage")?;
    let volume = json!({
        "metadata": {
            "name": name,
            "annotations": { PROVISIONED_BY: PROVISIONER },
        },
        "spec": {
            "capacity": { "storage": requested },
            "accessModes": spec.access_modes,
            "volumeMode": spec.volume_mode,
            "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "hostPath": { "path": format!("/var/lib/{FOLDER}/{name}"), "type": "Directory" },
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata.namespace,
                "name": metadata.name,
                "uid": uid,
            },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] },
            ] }] } },
        },
    });
    serde_json::from_value(volume).ok()
}

/// Its name and node, if it is one of ours.
fn ours(volume: &PersistentVolume) -> Option<(&str, &str)> {
    let provisioner = volume.metadata.annotations.as_ref()?.get(PROVISIONED_BY)?;
    let terms = &volume
        .spec
        .as_ref()?
        .node_affinity
        .as_ref()?
        .required
        .as_ref()?;
    let expressions = terms
        .node_selector_terms
        .first()?
        .match_expressions
        .as_ref()?;
    let node = expressions.first()?.values.as_ref()?.first()?;
    let name = volume.metadata.name.as_deref()?;
    (provisioner == PROVISIONER).then_some((name, node.as_str()))
}

/// As the machine sees it. Names come from the API: none may lead elsewhere.
fn folder_of(folder: &Folder, volume: &PersistentVolume) -> Option<PathBuf> {
    let (name, node) = ours(volume)?;
    let spec = folder.spec().ok()?;
    let node = spec.node(node)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let safe = name.starts_with("pvc-") && name.chars().all(plain);
    safe.then(|| folder.node(&node.name).lib().join(FOLDER).join(name))
}

fn make_folder(folder: &Folder, volume: &PersistentVolume) -> Result<()> {
    let Some(path) = folder_of(folder, volume) else {
        return Ok(());
    };
    fs::create_dir_all(&path).file("cannot create", &path)?;
    // Pods run as anybody; only root comes as far as this on the machine.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).file("cannot open up", path)
}

async fn take_back(folder: &Folder, client: &Client) {
    let volumes = Api::<PersistentVolume>::all(client.clone());
    let watched = watcher::watcher(volumes.clone(), watcher::Config::default());
    let mut changes = watched.default_backoff().applied_objects().boxed();
    while let Some(change) = changes.next().await {
        let Ok(volume) = change else { continue };
        let phase = volume
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        let (Some("Released"), Some((name, _))) = (phase, ours(&volume)) else {
            continue;
        };
        if let Some(path) = folder_of(folder, &volume)
            && let Err(error) = fs::remove_dir_all(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("cloud: cannot remove {}: {error}", path.display());
            continue;
        }
        if let Err(error) = volumes.delete(name, &DeleteParams::default()).await {
            eprintln!("cloud: cannot delete volume {name}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn claim(class: &str, annotations: &BTreeMap<&str, &str>) -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": { "namespace": "n", "name": "data", "uid": "4-2", "annotations": annotations },
            "spec": {
                "storageClassName": class,
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Gi" } },
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_claim_gets_a_volume_on_the_node_of_its_pod() {
        let placed = BTreeMap::from([(SELECTED_NODE, "agent1")]);
        let volume = volume_for(&claim(CLASS, &placed)).unwrap();
        assert_eq!(ours(&volume), Some(("pvc-4-2", "agent1")));
    }

    #[test]
    fn others_claims_and_those_without_a_pod_get_none() {
        let placed = BTreeMap::from([(SELECTED_NODE, "agent1")]);
        assert!(volume_for(&claim("fast", &placed)).is_none());
        assert!(volume_for(&claim(CLASS, &BTreeMap::new())).is_none());
    }
}
