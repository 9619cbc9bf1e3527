//! One watch: the live objects of one resource in one namespace, kept up to date.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1};
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

/// Seconds after which the server ends a watch. A connection that died
/// without a word is noticed a little later; 290 s would be too late.
const WATCH_TIMEOUT: u32 = 45;

/// What a feed watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedKey {
    pub(crate) resource: ApiResource,
    pub(crate) namespace: Option<String>,
    /// The one object that matters, if it is only one.
    pub(crate) name: Option<String>,
    /// A further field selector.
    selector: Option<&'static str>,
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
    /// Why there is no news at the moment.
    pub(crate) faltering: Option<String>,
    /// Failures since the last news.
    failures: u32,
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
        let mut config = watcher::Config::default().timeout(WATCH_TIMEOUT);
        if let Some(name) = &self.name {
            config = config.fields(&format!("metadata.name={name}"));
        } else if let Some(selector) = self.selector {
            config = config.fields(selector);
        }
        tracing::info!(
            resource = %self.resource.plural,
            group = %self.resource.group,
            namespace = self.namespace.as_deref().unwrap_or_default(),
            "watch"
        );
        watcher(api, config)
            .backoff(Backoff::default())
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
            selector: None,
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

/// The feeds that explain what happens in a namespace.
pub(crate) fn diagnosis_keys(namespace: &str) -> [FeedKey; 3] {
    [
        (ApiResource::erase::<v1::Pod>(&()), None),
        (ApiResource::erase::<ReplicaSet>(&()), None),
        (ApiResource::erase::<v1::Event>(&()), Some("type!=Normal")),
    ]
    .map(|(resource, selector)| FeedKey {
        resource,
        namespace: Some(namespace.to_owned()),
        name: None,
        selector,
    })
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
            faltering: None,
            failures: 0,
            objects: BTreeMap::new(),
            listing: BTreeMap::new(),
        }
    }

    /// Takes a change in.
    pub(crate) fn take(&mut self, event: Result<Event<DynamicObject>, watcher::Error>) {
        match event {
            Err(error) => self.falter(&error),
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(object)) => insert(&mut self.listing, &self.types, object),
            Ok(Event::InitDone) => {
                self.objects = std::mem::take(&mut self.listing);
                self.complete = true;
                (self.failures, self.faltering) = (0, None);
            }
            Ok(Event::Apply(object)) => insert(&mut self.objects, &self.types, object),
            Ok(Event::Delete(object)) => drop(
                self.objects
                    .remove(&object.metadata.name.unwrap_or_default()),
            ),
        }
    }

    /// Whether there is anything to go by: a list, or the certainty that there will be none.
    pub(crate) fn is_settled(&self) -> bool {
        self.complete || self.broken.is_some()
    }

    fn falter(&mut self, error: &watcher::Error) {
        self.failures += 1;
        let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) =
            error
        else {
            // A watch that breaks off is taken up where it was, or listed anew.
            tracing::debug!(%error, "watch broke off");
            return;
        };
        let text = match cause {
            kube::Error::Api(status) => status.message.clone(),
            other => innermost(other),
        };
        tracing::debug!(cause = %text, "watch failed");
        let patience = match cause {
            kube::Error::Api(status) => patience(status.code),
            _ => None,
        };
        if patience.is_some_and(|patience| self.failures >= patience) {
            self.broken = Some(text);
        } else {
            self.faltering = Some(text);
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

/// After how many failures in a row an answer is taken for final. Permissions
/// and definitions that are a moment old may not be known everywhere yet.
fn patience(code: u16) -> Option<u32> {
    match code {
        401 | 403 | 405 => Some(2),
        404 => Some(5),
        _ => None,
    }
}

/// Delays between tries: short, because somebody is waiting, and doubled up to
/// 3 s, because many watches may come back at once.
#[derive(Debug)]
struct Backoff(Duration);

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(3);
}

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = self.0;
        self.0 = (delay * 2).min(Self::LONGEST);
        Some(delay)
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
