//! A paged LIST with a label selector.

use http::Request;
use kube::{api::DynamicObject, core::ApiResource};
use serde_json::Value;

use crate::connect::{Cluster, RequestError, Retry};

/// Objects of one page.
const PAGE: u32 = 500;
/// How often a list is begun anew because its snapshot has expired.
const BEGINNINGS: u32 = 3;

/// How much of each object is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// Only its metadata: no Secret's data is sent.
    Metadata,
}

/// All objects of a resource that a selector matches, each with its apiVersion and kind.
pub(crate) async fn list(
    cluster: &Cluster,
    resource: &ApiResource,
    namespace: Option<&str>,
    selector: &str,
    part: Part,
) -> Result<Vec<Value>, RequestError> {
    let mut beginnings = 1;
    loop {
        match pages(cluster, resource, namespace, selector, part).await {
            // The snapshot that the pages come from is kept for some minutes only.
            Err(RequestError::Status(status)) if status.code == 410 && beginnings < BEGINNINGS => beginnings += 1,
            result => return result,
        }
    }
}

async fn pages(
    cluster: &Cluster,
    resource: &ApiResource,
    namespace: Option<&str>,
    selector: &str,
    part: Part,
) -> Result<Vec<Value>, RequestError> {
    let path = DynamicObject::url_path(resource, namespace);
    let accept = match part {
        Part::Whole => "application/json",
        Part::Metadata => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    };
    let mut objects = Vec::new();
    let mut next = String::new();
    loop {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("limit", &PAGE.to_string())
            .append_pair("labelSelector", selector)
            .append_pair("continue", &next)
            .finish();
        let request = Request::get(format!("{path}?{query}")).header("accept", accept).body(Vec::new());
        let request = request.map_err(|error| RequestError::Transport(error.to_string()))?;
        let reply = cluster.send(&request, Retry::Transient).await?;
        let mut page: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| RequestError::Transport(format!("the answer is no list ({error})")))?;
        for mut item in page["items"].as_array_mut().map(std::mem::take).unwrap_or_default() {
            // The items of a list leave out what the list says.
            item["apiVersion"] = resource.api_version.as_str().into();
            item["kind"] = resource.kind.as_str().into();
            objects.push(item);
        }
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => token.clone_into(&mut next),
            _ => return Ok(objects),
        }
    }
}
