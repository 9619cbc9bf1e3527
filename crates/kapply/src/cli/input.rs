//! The flags that say what to work on, and the way from them to targets.

use std::path::PathBuf;

use super::output;
use crate::{
    connect::{Cluster, ConnectOptions, connect},
    decode::decode,
    discover::discover,
    error::Error,
    lint::lint,
    object::Object,
    problem::Problems,
    resolve::{ImageOverride, Namespacing, Target, prepare, resolve},
    source::{self, Inputs},
};

/// Manifests and what is changed in them before they are sent.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// Manifest file, directory of manifests, URL, or - for standard input (repeatable)
    #[arg(
        short,
        long = "filename",
        value_name = "PATH",
        required_unless_present = "kustomize"
    )]
    pub(super) filename: Vec<PathBuf>,
    /// Directory that kustomize (or kubectl, if there is none) builds the manifests of
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["filename", "recursive"])]
    pub(super) kustomize: Option<PathBuf>,
    /// Look into the subdirectories of directories, too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Let -f fetch https:// URLs
    #[arg(long)]
    allow_urls: bool,
    /// Set the image of every container whose image has this name (repeatable)
    #[arg(long, value_name = "NAME=REF")]
    image: Vec<ImageOverride>,
    /// Refuse objects that name another namespace than -n
    #[arg(long)]
    pub(super) enforce_namespace: bool,
}

impl Input {
    /// Reads the manifests; nothing is asked of any cluster.
    pub(super) async fn objects(&self, namespace: &str) -> Result<Vec<Object>, Problems> {
        let mut objects = self.read().await?;
        prepare(&mut objects, &self.image, namespace)?;
        Ok(objects)
    }

    /// Reads the manifests and finds out where their objects live.
    pub(super) async fn targets(
        &self,
        options: &ConnectOptions,
    ) -> Result<(Cluster, Vec<Target>), Error> {
        // The manifests first: their mistakes need no cluster to be seen.
        let given = options.namespace.as_deref().unwrap_or_default();
        let mut objects = self.read().await?;
        let cluster = match connect(options).await {
            Ok(cluster) => cluster,
            Err(error) => {
                prepare(&mut objects, &self.image, given)?;
                return Err(error);
            }
        };
        prepare(&mut objects, &self.image, &cluster.namespace)?;
        let catalog = discover(&cluster).await?;
        let namespacing = Namespacing {
            enforce: self.enforce_namespace,
            ..Namespacing::of(&cluster)
        };
        let targets = resolve(objects, &catalog, &namespacing)?;
        Ok((cluster, targets))
    }

    /// Says what cannot work although no server will refuse it.
    pub(super) fn warn(targets: &[Target]) {
        for problem in lint(targets) {
            output::warning(&problem.to_string());
        }
    }

    async fn read(&self) -> Result<Vec<Object>, Problems> {
        let inputs = Inputs {
            paths: self.filename.clone(),
            kustomizations: self.kustomize.iter().cloned().collect(),
            recursive: self.recursive,
            allow_urls: self.allow_urls,
        };
        decode(&source::read(&inputs).await?)
    }
}
