//! The prune drill's own set of objects: applied by kapply, then again without one of them.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kapply::{
    delete::{DeleteOptions, Fate},
    interrupt::Interrupt,
    plan::{Force, Verdict},
    set::{self, AllowPrune, ApplySet, OpenOptions, SetRef, Tooling, WriteOptions},
};
use kube::{Api, Client, api::DeleteParams};

use super::manifests::{Manifests, Opened, failed};
use crate::error::{Error, Result};

/// The set's parent, and the beginning of its members' names.
const PROBE: &str = "kdrill-prune";
/// How long an object may take to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// What pruning the probes came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedProbe {
    /// The probes after the first apply, each with its version.
    pub before: Vec<(String, String)>,
    /// And after the second.
    pub after: Vec<(String, String)>,
    /// What kapply said of what it pruned.
    pub fates: Vec<String>,
}

impl Manifests {
    /// Applies a set of three small objects, then the same without one of them, pruning.
    ///
    /// # Errors
    /// [`Error::Kapply`].
    pub async fn prune_one(&self) -> Result<PrunedProbe> {
        self.apply_probes(&["a", "b", "gone"]).await?;
        let before = self.probes().await?;
        let fates = self.apply_probes(&["a", "b"]).await?;
        let after = self.probes().await?;
        Ok(PrunedProbe {
            before,
            after,
            fates,
        })
    }

    async fn apply_probes(&self, names: &[&str]) -> Result<Vec<String>> {
        let documents = names.iter().map(|name| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {PROBE}-{name}\ndata:\n  of: kdrill\n")
        });
        let text = documents.collect::<Vec<_>>().join("---\n");
        let mut opened = self.open_text(&text).await?;
        let Opened {
            cluster,
            catalog,
            targets,
        } = &mut opened;
        let reference: SetRef = format!("configmap/{PROBE}")
            .parse()
            .map_err(|error: String| Error::Kapply {
                action: "name the set".to_owned(),
                cause: error,
            })?;
        let options = OpenOptions {
            namespace: Some(cluster.namespace.clone()),
            access: set::Access::Change,
        };
        let mut set = ApplySet::open(cluster, catalog, &reference, &options)
            .await
            .map_err(failed("open the set"))?;
        set.label(targets).map_err(failed("label"))?;
        let census = set
            .census(cluster, catalog, targets)
            .await
            .map_err(failed("list the set"))?;
        let prunes = set::verdicts(census, targets, set.parent(), &AllowPrune::default());
        let writing = WriteOptions {
            dry_run: false,
            field_manager: "kapply",
        };
        set.widen(cluster, catalog, targets, writing)
            .await
            .map_err(failed("write the set"))?;
        opened.apply(Force::Never).await?;
        let (interrupt, deleting) = (
            Interrupt::default(),
            DeleteOptions {
                timeout: PATIENCE,
                ..DeleteOptions::default()
            },
        );
        let fates = set
            .prune(&opened.cluster, &prunes, &deleting, &interrupt, |_, _| {})
            .await;
        let remaining = set::remaining(&opened.targets, &prunes, &fates);
        set.narrow(
            &opened.cluster,
            &opened.catalog,
            &remaining,
            &Tooling::own(),
            false,
        )
        .await
        .map_err(failed("write the set"))?;
        Ok(prunes
            .iter()
            .zip(&fates)
            .map(|(prune, fate)| said(prune.live.name(), &prune.verdict, fate))
            .collect())
    }

    /// The probes that exist: name, UID and resource version.
    async fn probes(&self) -> Result<Vec<(String, String)>> {
        let cluster = self.cluster().await?;
        let mut found = Vec::new();
        for name in ["a", "b", "gone"].map(|name| format!("{PROBE}-{name}")) {
            let object = config_maps(&cluster.client, &cluster.namespace)
                .get_opt(&name)
                .await
                .map_err(|error| Error::api(format!("get configmap {name}"), &error))?;
            if let Some(object) = object {
                let meta = object.metadata;
                let version = [meta.uid, meta.resource_version].map(Option::unwrap_or_default);
                found.push((name, version.join("/")));
            }
        }
        Ok(found)
    }
}

/// Deletes what [`Manifests::prune_one`] made.
///
/// # Errors
/// [`Error::Api`].
pub async fn delete_probes(client: &Client, namespace: &str) -> Result<()> {
    for name in ["-a", "-b", "-gone", ""].map(|end| format!("{PROBE}{end}")) {
        match config_maps(client, namespace)
            .delete(&name, &DeleteParams::default())
            .await
        {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(Error::api(format!("delete configmap {name}"), &error)),
            Ok(_) => {}
        }
    }
    Ok(())
}

fn said(name: &str, verdict: &Verdict, fate: &Fate) -> String {
    match (verdict, fate.reason()) {
        (Verdict::Refused(reason) | Verdict::Keep(reason), _) => format!("{name} stays: {reason}"),
        (Verdict::Delete, Some(reason)) => format!("{name} {}: {reason}", fate.name()),
        (Verdict::Delete, None) => format!("{name} {}", fate.name()),
    }
}

fn config_maps(client: &Client, namespace: &str) -> Api<ConfigMap> {
    Api::namespaced(client.clone(), namespace)
}
