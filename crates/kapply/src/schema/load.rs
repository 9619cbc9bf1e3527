//! Schemas from the server: one request for the index of its `OpenAPI`
//! documents, and one for each group version that is needed and not cached.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use futures::StreamExt as _;
use http::Request;
use kube::core::GroupVersionKind;
use serde::Deserialize;

use super::{
    Schemas,
    cache::{self, Cache},
    openapi::{Document, compact},
    types::Type,
};
use crate::{
    connect::{Cluster, RequestError, Retry},
    discover::definitions::is_definition,
    resolve::{Definition, Target},
    schema::openapi::Root,
};

/// How many documents are asked for at the same time; the largest has some megabytes.
const PARALLEL: usize = 8;

/// The schemas of the targets' kinds: what the cluster serves now, and for kinds
/// that it does not know yet, what the CRDs among the targets say.
pub async fn of_targets(cluster: &Cluster, targets: &[Target]) -> Schemas {
    let served = targets
        .iter()
        .filter(|target| target.definition != Definition::Input)
        .map(|target| target.object.gvk())
        .collect::<HashSet<_>>();
    let definitions: Vec<_> = targets
        .iter()
        .map(|target| &target.object)
        .filter(|object| is_definition(object))
        .cloned()
        .collect();
    let served: Vec<_> = served.into_iter().collect();
    load(cluster, &served)
        .await
        .or(Schemas::of_definitions(&definitions))
}

/// The schemas of the kinds that the cluster describes. Nothing that goes
/// wrong here is fatal: a kind without a schema is absent, and the log says why.
pub async fn load(cluster: &Cluster, kinds: &[GroupVersionKind]) -> Schemas {
    let wanted: BTreeSet<String> = kinds.iter().map(GroupVersionKind::api_version).collect();
    let mut schemas = Schemas::default();
    if wanted.is_empty() {
        return schemas;
    }
    let index: Index = match get(cluster, "/openapi/v3").await {
        Ok(index) => index,
        Err(error) => {
            tracing::debug!(%error, "the cluster does not describe its kinds");
            return schemas;
        }
    };
    let cache = Cache::open();
    let mut documents = futures::stream::iter(wanted)
        .map(|api_version| one(cluster, &index, cache.as_ref(), api_version))
        .buffer_unordered(PARALLEL);
    while let Some(document) = documents.next().await {
        if let Some((types, roots)) = document {
            schemas.add(types, roots, true);
        }
    }
    schemas
}

/// `/openapi/v3`: where the document of each group version is.
#[derive(Deserialize)]
struct Index {
    paths: HashMap<String, Location>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(rename = "serverRelativeURL")]
    url: String,
}

async fn one(
    cluster: &Cluster,
    index: &Index,
    cache: Option<&Arc<Cache>>,
    api_version: String,
) -> Option<(Vec<Type>, Vec<Root>)> {
    let root = if api_version.contains('/') {
        "apis"
    } else {
        "api"
    };
    let Some(location) = index.paths.get(&format!("{root}/{api_version}")) else {
        tracing::debug!(api_version, "the cluster does not describe this version");
        return None;
    };
    let entry = cache.and_then(|cache| cache.entry(&api_version, hash(&location.url)?));
    if let Some(entry) = entry.clone()
        && let Ok(Some(found)) = tokio::task::spawn_blocking(move || entry.read()).await
    {
        return Some(found);
    }
    let document: Document = match get(cluster, &location.url).await {
        Ok(document) => document,
        Err(error) => {
            tracing::debug!(api_version, %error, "the description cannot be read");
            return None;
        }
    };
    let (types, roots) = compact(&document);
    let bytes = entry.and_then(|entry| Some((entry, cache::encode(&types, &roots)?)));
    if let Some((entry, bytes)) = bytes {
        // Whether it could be kept makes no difference to this run.
        let _ = tokio::task::spawn_blocking(move || entry.write(&bytes)).await;
    }
    Some((types, roots))
}

fn hash(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("hash="))
}

async fn get<T: for<'body> Deserialize<'body>>(
    cluster: &Cluster,
    path: &str,
) -> Result<T, RequestError> {
    let transport = |error: String| RequestError::Transport(error);
    let request = Request::get(path)
        .header("accept", "application/json")
        .body(Vec::new())
        .map_err(|error| transport(error.to_string()))?;
    let reply = cluster.send(&request, Retry::Transient).await?;
    serde_json::from_slice(&reply.body).map_err(|error| transport(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_a_part_of_the_url() {
        assert_eq!(hash("/openapi/v3/api/v1?hash=79E2"), Some("79E2"));
        assert_eq!(hash("/openapi/v3/api/v1"), None);
    }
}
