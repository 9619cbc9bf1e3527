//! One watch: the live objects of one resource in one namespace, kept up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
};

use futures::{Stream, StreamExt as _};
use kube::{
    Api,
    api::{DynamicObject, TypeMeta},
    core::ApiResource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde_json::Value;

use crate::{
    connect::{Cluster, innermost},
    resolve::Target,
};

/// What a feed watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedKey {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: Option<String>,
    /// The one object that matters, if it is only one.
    pub(crate) name: Option<String>,
}

/// The objects that a watch has shown so far, by name.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Kind and version: the items of a list do not repeat them.
    types: TypeMeta,
    /// Whether the first list is complete: before that, a missing object means nothing.
    pub(crate) complete: bool,
    /// Why the watch cannot work at all.
    pub(crate) broken: Option<String>,
    objects: BTreeMap<String, Value>,
    listing: BTreeMap<String, Value>,
}

/// A change of one feed.
pub(crate) type Update = (usize, Result<Event<DynamicObject>, watcher::Error>);

impl FeedKey {
    /// The watch as a stream, its changes marked with the feed's number.
    pub(crate) fn stream(
        &self,
        cluster: &Cluster,
        number: usize,
    ) -> Pin<Box<dyn Stream<Item = Update> + Send>> {
        let api: Api<DynamicObject> = match &self.namespace {
            Some(namespace) => {
                Api::namespaced_with(cluster.client.clone(), namespace, &self.resource)
            }
            None => Api::all_with(cluster.client.clone(), &self.resource),
        };
        let mut config = watcher::Config::default();
        if let Some(name) = &self.name {
            config = config.fields(&format!("metadata.name={name}"));
        }
        watcher(api, config)
            .default_backoff()
            .map(move |event| (number, event))
            .boxed()
    }
}

/// The feeds that show all targets: one per resource and namespace.
pub(crate) fn keys(targets: &[Target]) -> Vec<FeedKey> {
    let mut keys: Vec<FeedKey> = Vec::new();
    for target in targets {
        let key = FeedKey {
            resource: target.resource.clone(),
            namespace: target.namespace.clone(),
            name: None,
        };
        match keys
            .iter_mut()
            .find(|known| known.resource == key.resource && known.namespace == key.namespace)
        {
            Some(known) => known.name = None,
            None => keys.push(FeedKey {
                name: Some(target.object.name().to_owned()),
                ..key
            }),
        }
    }
    keys
}

/// Pods and replica sets of the namespaces with workloads: they tell why.
pub(crate) fn diagnosis_keys(targets: &[Target]) -> Vec<FeedKey> {
    let mut keys = BTreeSet::new();
    for target in targets {
        let Some(namespace) = &target.namespace else {
            continue;
        };
        match (target.object.group(), target.object.kind()) {
            ("apps", "Deployment") => {
                keys.extend([("pods", namespace), ("replicasets", namespace)]);
            }
            ("apps" | "batch", _) | ("", "ReplicationController") => {
                keys.extend([("pods", namespace)]);
            }
            _ => {}
        }
    }
    keys.into_iter()
        .map(|(plural, namespace)| FeedKey {
            resource: if plural == "pods" {
                ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&())
            } else {
                ApiResource::erase::<k8s_openapi::api::apps::v1::ReplicaSet>(&())
            },
            namespace: Some(namespace.clone()),
            name: None,
        })
        .collect()
}

impl Feed {
    pub(crate) fn new(key: &FeedKey) -> Self {
        let types = TypeMeta {
            api_version: key.resource.api_version.clone(),
            kind: key.resource.kind.clone(),
        };
        Self {
            types,
            complete: false,
            broken: None,
            objects: BTreeMap::new(),
            listing: BTreeMap::new(),
        }
    }

    /// Takes a change in.
    pub(crate) fn take(&mut self, event: Result<Event<DynamicObject>, watcher::Error>) {
        match event {
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(object)) => insert(&mut self.listing, &self.types, object),
            Ok(Event::InitDone) => {
                self.objects = std::mem::take(&mut self.listing);
                self.complete = true;
            }
            Ok(Event::Apply(object)) => insert(&mut self.objects, &self.types, object),
            Ok(Event::Delete(object)) => drop(
                self.objects
                    .remove(&object.metadata.name.unwrap_or_default()),
            ),
            Err(error) => {
                tracing::debug!(%error, "watch");
                self.broken = for_good(&error);
            }
        }
    }

    /// A live object by name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.objects.get(name)
    }

    /// All live objects.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }
}

fn insert(objects: &mut BTreeMap<String, Value>, types: &TypeMeta, mut object: DynamicObject) {
    object.types = Some(types.clone());
    object.metadata.managed_fields = None;
    let name = object.metadata.name.clone().unwrap_or_default();
    // A dynamic object came from JSON, so it can become JSON again.
    objects.insert(name, serde_json::to_value(object).unwrap_or_default());
}

/// Why a watch will never work, if trying again is no use.
fn for_good(error: &watcher::Error) -> Option<String> {
    let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) =
        error
    else {
        return None;
    };
    match cause {
        kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404 | 405) => {
            Some(status.message.clone())
        }
        kube::Error::Api(_) => None,
        other => {
            tracing::warn!("watch: {}", innermost(other));
            None
        }
    }
}
