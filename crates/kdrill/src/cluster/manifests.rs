//! The stack's manifests against what is live, by kapply: what `kapply diff` would show, what
//! `kapply apply` would do, and why a rollout does not get on.

use std::{path::PathBuf, time::Duration};

use kapply::{
    apply::{self, ApplyOptions},
    connect::{self, ConnectOptions},
    decode, diff, discover,
    interrupt::Interrupt,
    object::Object,
    plan::{self, Action, Blocked, Check, Force, Plan, PlanOptions},
    problem::File,
    resolve::{self, ImageOverride, Namespacing, Target},
    schema,
    source::{self, Inputs},
    wait::{self, WaitOptions},
};
use serde_json::Value;

use crate::error::{Error, Result};

/// Who changes what the drift drill changes by hand.
pub const STRANGER: &str = "kdrill-drift";

/// Where manifests are, and how the cluster is reached.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// As kapply's flags say it.
    pub connect: ConnectOptions,
    /// `-f`.
    pub paths: Vec<PathBuf>,
    /// `--image`.
    pub images: Vec<ImageOverride>,
}

/// Manifests and the cluster that they are for.
pub struct Opened {
    pub(super) cluster: connect::Cluster,
    pub(super) catalog: discover::Catalog,
    pub(super) targets: Vec<Target>,
}

/// A difference, or what keeps an object from being applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `kind/name`.
    pub object: String,
    /// The field as kapply writes it; empty for a whole object.
    pub field: String,
    /// The difference in words.
    pub words: String,
}

impl Manifests {
    /// Reads the manifests and finds out where their objects live.
    ///
    /// # Errors
    /// [`Error::Kapply`].
    pub async fn open(&self) -> Result<Opened> {
        let inputs = Inputs {
            paths: self.paths.clone(),
            ..Inputs::default()
        };
        let files = source::read(&inputs).await.map_err(failed("read"))?;
        let mut objects = decode::decode(&files).map_err(failed("read"))?;
        let cluster = self.cluster().await?;
        resolve::prepare(&mut objects, &self.images, &cluster.namespace)
            .map_err(failed("prepare"))?;
        opened(cluster, objects).await
    }

    /// The same for a text instead of the manifests.
    pub(super) async fn open_text(&self, text: &str) -> Result<Opened> {
        let file = File::read("kdrill", text.as_bytes().to_vec());
        let objects = decode::decode(&[file]).map_err(failed("read"))?;
        opened(self.cluster().await?, objects).await
    }

    pub(super) async fn cluster(&self) -> Result<connect::Cluster> {
        connect::connect(&self.connect)
            .await
            .map_err(failed("connect"))
    }

    /// Why a Deployment's rollout does not get on, in the words of `kapply wait`; `None` when it
    /// became ready after all.
    ///
    /// # Errors
    /// [`Error::Kapply`].
    pub async fn why_stuck(&self, deployment: &str, limit: Duration) -> Result<Option<String>> {
        let text =
            format!("{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {deployment}}}}}");
        let opened = self.open_text(&text).await?;
        let options = WaitOptions {
            since: wait::server_time(&opened.cluster).await,
            ..WaitOptions::within(limit)
        };
        let interrupt = Interrupt::default();
        let report = wait::wait(
            &opened.cluster,
            &opened.targets,
            &options,
            &interrupt,
            |_, _| {},
        )
        .await;
        if report.end == wait::End::Ready {
            return Ok(None);
        }
        let words = report.objects.into_iter().flat_map(|waited| {
            std::iter::once(waited.status.message)
                .chain(waited.reasons)
                .filter(|text| !text.is_empty())
        });
        Ok(Some(words.collect::<Vec<_>>().join("; ")))
    }
}

impl Opened {
    /// What `kapply diff` shows: nothing when everything is as the manifests say.
    pub async fn differences(&self) -> Vec<Difference> {
        let plan = self.plan(Force::Never).await;
        self.targets
            .iter()
            .zip(&plan.steps)
            .flat_map(|(target, step)| {
                let object = target.object.label().to_string();
                differences(step.live.as_ref().map(|live| &live.value), &step.action)
                    .into_iter()
                    .map(move |(field, words)| Difference {
                        object: object.clone(),
                        field,
                        words,
                    })
            })
            .collect()
    }

    /// What `kapply apply` does.
    ///
    /// # Errors
    /// [`Error::Kapply`] with everything that was not applied.
    pub async fn apply(&self, force: Force) -> Result<()> {
        let plan = self.plan(force).await;
        let interrupt = Interrupt::default();
        let results = apply::apply(
            &self.cluster,
            &self.targets,
            &plan,
            &ApplyOptions::default(),
            &interrupt,
            |_, _| {},
        )
        .await;
        let refused: Vec<_> = self
            .targets
            .iter()
            .zip(&results)
            .filter(|(_, applied)| !applied.outcome.is_applied())
            .map(|(target, applied)| format!("{}: {:?}", target.object.label(), applied.outcome))
            .collect();
        if refused.is_empty() {
            return Ok(());
        }
        Err(Error::Kapply {
            action: "apply".to_owned(),
            cause: refused.join("; "),
        })
    }

    async fn plan(&self, force: Force) -> Plan {
        let schemas = schema::of_targets(&self.cluster, &self.targets).await;
        let options = PlanOptions {
            check: Check::Updates,
            force,
            ..PlanOptions::default()
        };
        let interrupt = Interrupt::default();
        plan::plan(&self.cluster, &self.targets, &schemas, &options, &interrupt).await
    }
}

async fn opened(cluster: connect::Cluster, objects: Vec<Object>) -> Result<Opened> {
    let catalog = discover::discover(&cluster)
        .await
        .map_err(failed("discover"))?;
    let targets = resolve::resolve(objects, &catalog, &Namespacing::of(&cluster))
        .map_err(failed("resolve"))?;
    Ok(Opened {
        cluster,
        catalog,
        targets,
    })
}

/// An action as fields and words.
fn differences(live: Option<&Value>, action: &Action) -> Vec<(String, String)> {
    let show = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    match action {
        Action::Unchanged(_) => Vec::new(),
        Action::Update { after, .. } => diff::changes(live, Some(after))
            .into_iter()
            .filter(|change| change.field.starts_with(".spec") || change.field.starts_with(".data"))
            .map(|change| {
                let words = format!(
                    "{}: {} → {}",
                    change.field,
                    show(change.before.as_ref()),
                    show(change.after.as_ref())
                );
                (change.field, words)
            })
            .collect(),
        Action::Blocked(Blocked::Conflict(conflicts)) => conflicts
            .iter()
            .map(|conflict| {
                let words = format!(
                    "{}: {} → {}, changed by {}",
                    conflict.field,
                    show(conflict.theirs.as_ref()),
                    show(conflict.ours.as_ref()),
                    conflict.manager
                );
                (conflict.field.clone(), words)
            })
            .collect(),
        Action::Blocked(blocked) => vec![(String::new(), blocked.to_string())],
        Action::Create { .. } | Action::Recreate { .. } => {
            vec![(String::new(), format!("to {}", action.name()))]
        }
    }
}

pub(super) fn failed<E: std::fmt::Display>(action: &str) -> impl FnOnce(E) -> Error + use<E> {
    let action = action.to_owned();
    move |cause| Error::Kapply {
        action,
        cause: cause.to_string().replace('\n', "; "),
    }
}
