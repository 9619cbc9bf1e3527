//! The flags that say what to work on, and the way from them to targets.

use std::{collections::HashSet, path::PathBuf};

use super::output;
use crate::{
    connect::{Cluster, ConnectOptions, connect},
    decode::{decode, decode_any},
    discover::{Catalog, definitions::definitions, discover},
    error::Error,
    lint::lint,
    mask::{Mask, MaskRule},
    object::Object,
    problem::Problems,
    resolve::{ImageOverride, Namespacing, Target, prepare, resolve},
    source::{self, Inputs},
};

/// Manifests and what is changed in them before they are sent.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    /// Manifest file, directory of manifests, published artifact by its digest, URL, or - for standard input (repeatable)
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
    /// Hide these values, too, as those of Secrets are hidden; * is any member or item (repeatable)
    #[arg(long, value_name = "KIND[.GROUP]=/POINTER")]
    mask: Vec<MaskRule>,
}

/// What the manifests are, and on which cluster.
pub(super) struct Prepared {
    pub(super) cluster: Cluster,
    pub(super) catalog: Catalog,
    pub(super) targets: Vec<Target>,
}

impl Input {
    /// What is hidden.
    pub(super) fn mask(&self) -> Mask {
        Mask::new(self.mask.clone())
    }

    /// Whether more is hidden than Secrets.
    pub(super) fn masks_more(&self) -> bool {
        !self.mask.is_empty()
    }

    /// Reads the manifests; nothing is asked of any cluster.
    pub(super) async fn objects(&self, namespace: &str) -> Result<Vec<Object>, Problems> {
        let mut objects = self.read(false).await?;
        prepare(&mut objects, &self.image, namespace)?;
        Ok(objects)
    }

    /// Whether there are any.
    pub(super) fn is_given(&self) -> bool {
        !self.filename.is_empty() || self.kustomize.is_some()
    }

    /// Reads the manifests and finds out where their objects live.
    pub(super) async fn targets(
        &self,
        options: &ConnectOptions,
    ) -> Result<(Cluster, Vec<Target>), Error> {
        let prepared = self.prepared(options, false).await?;
        Ok((prepared.cluster, prepared.targets))
    }

    /// The same with what the cluster serves; `may_be_empty` where an input
    /// without any object has a meaning.
    pub(super) async fn prepared(
        &self,
        options: &ConnectOptions,
        may_be_empty: bool,
    ) -> Result<Prepared, Error> {
        let (prepared, _) = self.split(options, may_be_empty, |_, _| false).await?;
        Ok(prepared)
    }

    /// The same, and apart from it the objects whose kind nobody knows, so that
    /// the cluster can have none of them.
    pub(super) async fn prepared_to_delete(
        &self,
        options: &ConnectOptions,
    ) -> Result<(Prepared, Vec<Object>), Error> {
        let cannot_exist = |object: &Object, catalog: &Catalog| {
            let (group, kind) = (object.group(), object.kind());
            catalog.by_group_kind(group, kind).is_none() && !catalog.is_unsure_of(group)
        };
        self.split(options, false, cannot_exist).await
    }

    /// Targets, and the objects that `apart` keeps from being resolved.
    async fn split(
        &self,
        options: &ConnectOptions,
        may_be_empty: bool,
        apart: impl Fn(&Object, &Catalog) -> bool,
    ) -> Result<(Prepared, Vec<Object>), Error> {
        // The manifests first: their mistakes need no cluster to be seen.
        let given = options.namespace.as_deref().unwrap_or_default();
        let mut objects = self.read(may_be_empty).await?;
        let mut cluster = match connect(options).await {
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
        let defined: HashSet<_> = definitions(&objects).into_keys().collect();
        let (apart, objects) = objects
            .into_iter()
            .partition(|object| !defined.contains(&object.gvk()) && apart(object, &catalog));
        let targets = resolve(objects, &catalog, &namespacing)?;
        cluster.mask = self.mask();
        for target in &targets {
            cluster.mask.learn(&target.object.value);
        }
        let prepared = Prepared {
            cluster,
            catalog,
            targets,
        };
        Ok((prepared, apart))
    }

    /// Says what cannot work although no server will refuse it.
    pub(super) fn warn(targets: &[Target]) {
        for problem in lint(targets) {
            output::warning(&problem.to_string());
        }
    }

    async fn read(&self, may_be_empty: bool) -> Result<Vec<Object>, Problems> {
        let inputs = Inputs {
            paths: self.filename.clone(),
            kustomizations: self.kustomize.iter().cloned().collect(),
            recursive: self.recursive,
            allow_urls: self.allow_urls,
        };
        let files = source::read(&inputs).await?;
        if may_be_empty {
            decode_any(&files)
        } else {
            decode(&files)
        }
    }
}
