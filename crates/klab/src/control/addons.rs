//! What a cluster has in it from the start, applied by kapply: a class for
//! volumes, and `CoreDNS`, which was packed by ocipack.

use std::time::Duration;

use kapply::{
    apply, connect, decode, discover,
    error::Error as KapplyError,
    interrupt::Interrupt,
    plan,
    problem::File,
    resolve::{self, Target},
    schema, wait,
};

use crate::{
    error::{Error, Result},
    images::NAME_SERVER_NAME,
    spec::ClusterSpec,
    state::Folder,
};

const STORAGE: &str = include_str!("addons/storage.yaml");
const NAME_SERVER: &str = include_str!("addons/coredns.yaml");
const LIMIT: Duration = Duration::from_mins(1);
/// One may be lost, if there is more than one server.
const MAX_REPLICAS: usize = 2;

/// The objects, in a cluster.
pub(super) struct Addons {
    cluster: connect::Cluster,
    targets: Vec<Target>,
}

impl Addons {
    /// Applies what this cluster is to have.
    ///
    /// # Errors
    /// When the API server refuses something.
    pub(super) async fn apply(folder: &Folder, spec: &ClusterSpec) -> Result<Self> {
        let (cluster, targets) = targets(folder, spec).await.map_err(failed)?;
        let interrupt = Interrupt::default();
        let schemas = schema::of_targets(&cluster, &targets).await;
        let options = plan::PlanOptions::default();
        let plan = plan::plan(&cluster, &targets, &schemas, &options, &interrupt).await;
        let options = apply::ApplyOptions::default();
        let results =
            apply::apply(&cluster, &targets, &plan, &options, &interrupt, |_, _| {}).await;
        for (target, applied) in targets.iter().zip(results) {
            if !applied.outcome.is_applied() {
                let label = target.object.label();
                return Err(failed(format_args!("{label}: {:?}", applied.outcome)));
            }
        }
        Ok(Self { cluster, targets })
    }

    /// Waits until all of it works.
    ///
    /// # Errors
    /// When it does not within a minute: with what its pods say.
    pub(super) async fn ready(&self) -> Result<()> {
        let options = wait::WaitOptions::within(LIMIT);
        let interrupt = Interrupt::default();
        let report = wait::wait(
            &self.cluster,
            &self.targets,
            &options,
            &interrupt,
            |_, _| {},
        );
        let report = report.await;
        if report.end == wait::End::Ready {
            return Ok(());
        }
        let reasons: Vec<_> = report
            .objects
            .iter()
            .flat_map(|waited| std::iter::once(&waited.status.message).chain(&waited.reasons))
            .filter(|reason| !reason.is_empty())
            .map(String::as_str)
            .collect();
        Err(failed(reasons.join("; ")))
    }
}

async fn targets(
    folder: &Folder,
    spec: &ClusterSpec,
) -> std::result::Result<(connect::Cluster, Vec<Target>), KapplyError> {
    let mut files = vec![File::read("storage.yaml", STORAGE.into())];
    if spec.name_server.is_some() {
        let replicas = spec.servers().count().min(MAX_REPLICAS);
        let manifests = NAME_SERVER
            .replace("replicas: 1", &format!("replicas: {replicas}"))
            .replace("image: coredns", &format!("image: {NAME_SERVER_NAME}"));
        files.push(File::read("coredns.yaml", manifests.into_bytes()));
    }
    let options = connect::ConnectOptions {
        kubeconfig: Some(folder.kubeconfig()),
        ..connect::ConnectOptions::default()
    };
    let cluster = connect::connect(&options).await?;
    let mut objects = decode::decode(&files)?;
    resolve::prepare(&mut objects, &[], &cluster.namespace)?;
    let catalog = discover::discover(&cluster).await?;
    let targets = resolve::resolve(objects, &catalog, &resolve::Namespacing::of(&cluster))?;
    Ok((cluster, targets))
}

fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Component(format!("what every cluster has: {reason}"))
}
