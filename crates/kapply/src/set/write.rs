//! Writing the parent. It names every kind and namespace in which the set may
//! have members *before* the first one is applied there, and fewer only after
//! the last one is gone; so a run that is killed loses no member.

use std::collections::HashSet;

use http::Request;
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::{
    Access, ApplySet, SetError,
    marks::ID,
    members::{self, Search},
    reach::Reach,
    record::{ANNOTATIONS, record},
    tooling::Tooling,
};
use crate::{
    connect::{Cluster, RequestError, Retry},
    discover::Catalog,
    live::{self, Part},
    plan::Live,
    resolve::Target,
    ssa::{self, Refusal, Terms},
};

/// Tries while other runs, or a controller, keep writing the parent.
const TRIES: usize = 5;

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct WriteOptions<'run> {
    /// Whether to ask the server only, and change nothing.
    pub dry_run: bool,
    /// Whose name a namespace gets that has to be made for the parent.
    pub field_manager: &'run str,
}

/// What came of widening.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Widened {
    /// What the reader should know.
    pub notes: Vec<String>,
    /// Index of the target that had to be made first: the parent's namespace.
    pub made: Option<usize>,
}

/// Why one write did not succeed.
enum Obstacle {
    /// The parent is not what was read before.
    Moved,
    NoNamespace,
    Failed(RequestError),
}

impl ApplySet {
    /// Makes the parent name everything that it names now and everything that
    /// the targets need; makes the parent itself, and its namespace if that is a
    /// target.
    ///
    /// # Errors
    /// The parent cannot be written; nothing may be applied then.
    pub async fn widen(
        &mut self,
        cluster: &Cluster,
        catalog: &Catalog,
        targets: &[Target],
        options: WriteOptions<'_>,
    ) -> Result<Widened, SetError> {
        let mut widened = Widened::default();
        for _ in 0..TRIES {
            let reach = self.reach.union(&Reach::of(targets));
            match self
                .write(
                    cluster,
                    &reach,
                    &Tooling::own(),
                    options.dry_run,
                    &mut widened.notes,
                )
                .await
            {
                Ok(()) => return Ok(widened),
                // Whatever the other run has added stays in.
                Err(Obstacle::Moved) => self.refresh(cluster, catalog).await?,
                Err(Obstacle::NoNamespace) => {
                    let namespace = self.parent.namespace.clone().unwrap_or_default();
                    let Some(index) = namespace_target(targets, &namespace) else {
                        return Err(SetError::NoNamespace {
                            parent: Box::new(self.parent.clone()),
                            namespace,
                        });
                    };
                    if options.dry_run {
                        widened.notes.push(format!(
                            "{} not checked: namespace {namespace} is created by this input",
                            self.parent
                        ));
                        return Ok(widened);
                    }
                    make_namespace(cluster, &targets[index], options.field_manager).await?;
                    widened.made = Some(index);
                }
                Err(Obstacle::Failed(error)) => return Err(self.cannot_write(&error)),
            }
        }
        Err(SetError::Raced {
            parent: Box::new(self.parent.clone()),
        })
    }

    /// Makes the parent name what is left, and whose the set is from now on.
    ///
    /// # Errors
    /// The parent was changed by another run, or cannot be written; it still
    /// names more than it has to then, which costs nothing but some requests.
    pub async fn narrow(
        &mut self,
        cluster: &Cluster,
        catalog: &Catalog,
        remaining: &Reach,
        tooling: &Tooling,
        dry_run: bool,
    ) -> Result<Vec<String>, SetError> {
        let mut notes = Vec::new();
        let mut remaining = remaining.clone();
        remaining.kinds.extend(self.unknown.iter().cloned());
        if !dry_run {
            remaining = self.with_latecomers(cluster, catalog, remaining).await?;
        }
        for _ in 0..TRIES {
            match self
                .write(cluster, &remaining, tooling, dry_run, &mut notes)
                .await
            {
                // In a dry run, or with its namespace, the parent may be gone.
                Ok(()) | Err(Obstacle::NoNamespace) => return Ok(notes),
                Err(Obstacle::Moved) => {
                    let before = self
                        .record
                        .as_ref()
                        .map(|record| record.annotations.clone());
                    self.refresh(cluster, catalog).await?;
                    let after = self
                        .record
                        .as_ref()
                        .map(|record| record.annotations.clone());
                    if before != after {
                        return Err(SetError::Raced {
                            parent: Box::new(self.parent.clone()),
                        });
                    }
                }
                Err(Obstacle::Failed(error)) => return Err(self.cannot_write(&error)),
            }
        }
        Err(SetError::Raced {
            parent: Box::new(self.parent.clone()),
        })
    }

    /// What is left, and what another run has put meanwhile where nothing was
    /// left: that run saw the place in the parent and wrote nothing there.
    async fn with_latecomers(
        &self,
        cluster: &Cluster,
        catalog: &Catalog,
        mut remaining: Reach,
    ) -> Result<Reach, SetError> {
        let named = self.record.as_ref().map(|record| &record.reach);
        if named.is_none_or(|named| named.is_within(&remaining)) {
            return Ok(remaining);
        }
        let search = Search {
            id: &self.id,
            reach: &self.reach,
            part: Part::Metadata,
            targets: &HashSet::new(),
        };
        for member in members::list(cluster, catalog, search).await?.others {
            remaining.add(&member.resource, member.live.namespace());
        }
        Ok(remaining)
    }

    /// Writes the parent if it does not say this already.
    async fn write(
        &mut self,
        cluster: &Cluster,
        reach: &Reach,
        tooling: &Tooling,
        dry_run: bool,
        notes: &mut Vec<String>,
    ) -> Result<(), Obstacle> {
        let own = self.parent.namespace.as_deref();
        let wanted = [
            Some(tooling.to_string()),
            Some(reach.kinds_text()),
            Some(reach.namespaces_text(own)),
            None,
        ];
        if self
            .record
            .as_ref()
            .is_some_and(|record| record.annotations == wanted)
        {
            return Ok(());
        }
        let body = self.body(&wanted);
        let answer = match self.patch(cluster, &body, dry_run, false).await {
            Err(RequestError::Status(status)) if is_conflict(&status) => {
                if tooling.is_own()
                    && self
                        .record
                        .as_ref()
                        .is_some_and(|record| record.tooling.is_own())
                {
                    notes.push(format!(
                        "{}: other managers had changed what only this tool writes there ({}); it is written anew",
                        self.parent, status.message
                    ));
                }
                self.patch(cluster, &body, dry_run, true).await
            }
            answer => answer,
        };
        let written = answer.map_err(obstacle)?;
        if !dry_run {
            self.take(&written, &wanted, reach, tooling);
        }
        Ok(())
    }

    fn body(&self, wanted: &[Option<String>; 4]) -> Value {
        let annotations: Map<_, _> = ANNOTATIONS
            .iter()
            .zip(wanted)
            .filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?.into())))
            .collect();
        let mut metadata =
            json!({"name": self.parent.name, "labels": {ID: self.id}, "annotations": annotations});
        if let Some(namespace) = &self.parent.namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        if let Some(record) = &self.record {
            metadata["resourceVersion"] = record.version.as_str().into();
            metadata["uid"] = record.uid.as_str().into();
        }
        json!({"apiVersion": self.parent.resource.api_version, "kind": self.parent.resource.kind, "metadata": metadata})
    }

    async fn patch(
        &self,
        cluster: &Cluster,
        body: &Value,
        dry_run: bool,
        force: bool,
    ) -> Result<Value, RequestError> {
        let params = PatchParams {
            dry_run,
            force,
            field_manager: Some(format!("{}-applyset", Tooling::own().name)),
            field_validation: None,
        };
        let collection = live::collection(&self.parent.resource, self.parent.namespace.as_deref());
        let request: Request<Vec<u8>> = kube::core::Request::new(collection)
            .patch(&self.parent.name, &params, &Patch::Apply(body))
            .map_err(|error| RequestError::Transport(error.to_string()))?;
        let reply = cluster.send(&request, Retry::Transient).await?;
        serde_json::from_slice(&reply.body)
            .map_err(|error| RequestError::Transport(format!("the answer is no object ({error})")))
    }

    fn take(
        &mut self,
        written: &Value,
        wanted: &[Option<String>; 4],
        reach: &Reach,
        tooling: &Tooling,
    ) {
        let text = |key: &str| {
            written["metadata"][key]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        self.record = Some(super::record::Record {
            tooling: tooling.clone(),
            reach: reach.clone(),
            uid: text("uid"),
            version: text("resourceVersion"),
            annotations: wanted.clone(),
        });
    }

    /// Reads the parent again; what was read before stays in the reach.
    async fn refresh(&mut self, cluster: &Cluster, catalog: &Catalog) -> Result<(), SetError> {
        let found = self.parent.read(cluster).await?;
        self.record = match found {
            Some(Live { value }) => Some(record(&self.parent, &value, catalog, Access::Adopt)?),
            None => None,
        };
        if let Some(record) = &self.record {
            self.reach = self.reach.union(&record.reach);
        }
        Ok(())
    }

    fn cannot_write(&self, error: &RequestError) -> SetError {
        SetError::request(
            format!("write {}, the parent of the set", self.parent),
            error,
        )
    }
}

fn is_conflict(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 409
        && causes
            .into_iter()
            .any(|cause| cause.reason == "FieldManagerConflict")
}

fn obstacle(error: RequestError) -> Obstacle {
    match &error {
        RequestError::Status(status) if status.code == 409 => Obstacle::Moved,
        RequestError::Status(status)
            if status.code == 404
                && status
                    .details
                    .as_ref()
                    .is_some_and(|details| details.kind == "namespaces") =>
        {
            Obstacle::NoNamespace
        }
        _ => Obstacle::Failed(error),
    }
}

fn namespace_target(targets: &[Target], name: &str) -> Option<usize> {
    targets.iter().position(|target| {
        let object = &target.object;
        object.kind() == "Namespace" && object.group().is_empty() && object.name() == name
    })
}

/// The parent can only be written into a namespace that is there: it comes first.
async fn make_namespace(
    cluster: &Cluster,
    target: &Target,
    field_manager: &str,
) -> Result<(), SetError> {
    let terms = Terms {
        field_manager,
        dry_run: false,
        force: false,
        only_if: None,
        retry: Retry::Transient,
    };
    let cause = match ssa::send(cluster, target, None, terms).await {
        Ok(_) => return Ok(()),
        Err(Refusal::Conflict(_)) => "other managers own fields of it".to_owned(),
        Err(Refusal::Moved | Refusal::NoNamespace) => "it came and went".to_owned(),
        Err(
            Refusal::NoDryRun(text)
            | Refusal::Invalid(text)
            | Refusal::Forbidden(text)
            | Refusal::Failed(text),
        ) => text,
    };
    Err(SetError::Request {
        what: format!(
            "create {}, where the set's parent is to be",
            target.object.label()
        ),
        cause,
    })
}
