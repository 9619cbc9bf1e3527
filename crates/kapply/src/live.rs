//! What the cluster has of the targets: one list per kind and namespace, or
//! one request per object where that is less, or where listing is forbidden.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use futures::stream::{self, StreamExt as _};
use http::Request;
use kube::{Resource as _, api::DynamicObject, core::ApiResource};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    connect::{Cluster, RequestError, Retry},
    plan::Live,
    resolve::Target,
    set::marks::PART_OF,
};

/// Up to this number of objects, asking for each is less work than a list.
const FEW: usize = 3;
/// Objects per page: large enough for few round trips, small enough for the memory.
const PAGE: usize = 1000;

/// The live object, `None` if there is none, or why it cannot be read.
pub(crate) type Found = Result<Option<Live>, RequestError>;

/// Reads the live objects of the targets. `take` gets every target's once, in no
/// order, so that what is not needed can be dropped at once.
pub(crate) async fn read(
    cluster: &Cluster,
    targets: &[Target],
    concurrency: usize,
    take: impl FnMut(usize, Found) + Send,
) {
    let mut groups: HashMap<(&ApiResource, Option<&str>), Vec<usize>> = HashMap::new();
    // Lists run at the same time and share it; it is never held across a request.
    let take = Mutex::new(take);
    let take = |index, found| {
        let mut take = take.lock().unwrap_or_else(PoisonError::into_inner);
        (*take)(index, found);
    };
    for (index, target) in targets.iter().enumerate() {
        // A kind that only the input defines has no objects yet.
        let Some(resource) = target.readable() else {
            take(index, Ok(None));
            continue;
        };
        let place = (resource, target.namespace.as_deref());
        groups.entry(place).or_default().push(index);
    }
    let (few, many): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .partition(|(_, indices)| indices.len() <= FEW);
    let concurrency = concurrency.max(1);
    let unlisted: Vec<Vec<usize>> = stream::iter(many)
        .map(|((resource, namespace), indices)| {
            read_list(cluster, targets, resource, namespace, indices, &take)
        })
        .buffer_unordered(concurrency)
        .collect()
        .await;
    let single = few.into_iter().map(|(_, indices)| indices).chain(unlisted);
    stream::iter(single.flatten())
        .for_each_concurrent(concurrency, |index| async move {
            let target = &targets[index];
            let resource = target.readable().unwrap_or(&target.resource);
            let collection = collection(resource, target.namespace.as_deref());
            let path = format!("{collection}/{}", target.object.name());
            take(index, get_path(cluster, &path).await);
        })
        .await;
}

/// Reads the targets of one kind and namespace by a list, and gives back those
/// about which it says nothing, because it is forbidden or broke off.
async fn read_list(
    cluster: &Cluster,
    targets: &[Target],
    resource: &ApiResource,
    namespace: Option<&str>,
    indices: Vec<usize>,
    take: &(impl Fn(usize, Found) + Sync),
) -> Vec<usize> {
    let set = common_set(targets, &indices);
    let mut missing: HashMap<&str, usize> = indices
        .into_iter()
        .map(|index| (targets[index].object.name(), index))
        .collect();
    if let Some(id) = set {
        // Members first: the namespace may be full of what is nobody's business here.
        let query = format!("labelSelector={PART_OF}%3D{}", query_value(id));
        let listed = list(cluster, resource, namespace, &query, |live| {
            if let Some(index) = missing.remove(live.name()) {
                take(index, Ok(Some(live)));
            }
        });
        if listed.await.is_ok() && missing.len() <= FEW {
            return missing.into_values().collect();
        }
    }
    let listed = list(cluster, resource, namespace, "", |live| {
        if let Some(index) = missing.remove(live.name()) {
            take(index, Ok(Some(live)));
        }
    })
    .await;
    if listed.is_ok() {
        for (_, index) in missing.drain() {
            take(index, Ok(None));
        }
    }
    missing.into_values().collect()
}

/// The set that all of the targets are labelled with.
fn common_set<'targets>(targets: &'targets [Target], indices: &[usize]) -> Option<&'targets str> {
    let mut sets = indices.iter().map(|index| {
        let labels = &targets[*index].object.value["metadata"]["labels"];
        labels[PART_OF].as_str()
    });
    let first = sets.next()??;
    sets.all(|set| set == Some(first)).then_some(first)
}

/// The path of the objects of a kind in the API.
pub(crate) fn collection(resource: &ApiResource, namespace: Option<&str>) -> String {
    DynamicObject::url_path(resource, namespace)
}

/// The path of a target in the API.
pub(crate) fn path(target: &Target) -> String {
    let collection = collection(&target.resource, target.namespace.as_deref());
    format!("{collection}/{}", target.object.name())
}

/// One live object.
pub(crate) async fn get(cluster: &Cluster, target: &Target) -> Found {
    get_path(cluster, &path(target)).await
}

/// The live object behind a path of the API.
pub(crate) async fn get_path(cluster: &Cluster, path: &str) -> Found {
    get_part(cluster, path, Part::Whole).await
}

/// How much of each object is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Its metadata: no Secret's data is sent.
    Metadata,
}

/// The live object behind a path of the API, or a part of it.
pub(crate) async fn get_part(cluster: &Cluster, path: &str, part: Part) -> Found {
    let accept = match part {
        Part::Whole => "application/json",
        Part::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
    };
    let request = Request::get(path)
        .header("accept", accept)
        .body(Vec::new())
        .map_err(|error| RequestError::Transport(error.to_string()))?;
    match cluster.send(&request, Retry::Transient).await {
        Ok(reply) => parse(&reply.body).map(|value| Some(Live { value })),
        Err(RequestError::Status(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists objects page by page; `query` narrows the list, such as `labelSelector=a%3Db`.
pub(crate) async fn list(
    cluster: &Cluster,
    resource: &ApiResource,
    namespace: Option<&str>,
    query: &str,
    take: impl FnMut(Live) + Send,
) -> Result<(), RequestError> {
    list_part(cluster, resource, namespace, query, Part::Whole, take).await
}

/// Lists objects, or a part of each.
pub(crate) async fn list_part(
    cluster: &Cluster,
    resource: &ApiResource,
    namespace: Option<&str>,
    query: &str,
    part: Part,
    mut take: impl FnMut(Live) + Send,
) -> Result<(), RequestError> {
    let accept = match part {
        Part::Whole => "application/json",
        Part::Metadata => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    };
    let path = collection(resource, namespace);
    let separator = if query.is_empty() { "" } else { "&" };
    let mut next = String::new();
    loop {
        let page = format!("{path}?limit={PAGE}{next}{separator}{query}");
        let request = Request::get(page)
            .header("accept", accept)
            .body(Vec::new())
            .map_err(|error| RequestError::Transport(error.to_string()))?;
        let reply = cluster.send(&request, Retry::Transient).await?;
        let list: List = parse(&reply.body)?;
        drop(reply);
        for mut value in list.items.unwrap_or_default() {
            // The items of a list leave out what the list says of all.
            if let Some(object) = value.as_object_mut() {
                object.insert(
                    "apiVersion".to_owned(),
                    resource.api_version.as_str().into(),
                );
                object.insert("kind".to_owned(), resource.kind.as_str().into());
            }
            take(Live { value });
        }
        match list.metadata.next {
            Some(token) if !token.is_empty() => {
                next = format!("&continue={}", query_value(&token));
            }
            _ => return Ok(()),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| {
        RequestError::Transport(format!("the answer is not what was asked for ({error})"))
    })
}

/// A value as it may stand in a query.
pub(crate) fn query_value(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMetadata,
    /// Null where only metadata was asked for and there is none.
    items: Option<Vec<Value>>,
}

#[derive(Deserialize, Default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}
