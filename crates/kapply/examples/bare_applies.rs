//! The floor of `cargo xtask bench kapply`: the same `ConfigMap`s, created by
//! server-side apply with nothing but the requests, 32 at a time over one HTTP/2
//! connection. No plan, no check, no retry: what is above this is what a tool adds.
//!
//! `bare_applies FILE NAMESPACE`, with `KUBECONFIG` set.

use std::{env, error::Error};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kapply::{
    decode::decode,
    source::{self, Inputs},
};
use kube::{Config, client::ConfigExt as _};

const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, namespace] = arguments.as_slice() else {
        return Err("usage: bare_applies FILE NAMESPACE".into());
    };
    let inputs = Inputs {
        paths: vec![file.into()],
        ..Inputs::default()
    };
    let objects = decode(&source::read(&inputs).await?)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::infer().await?;
    let mut tls = config.rustls_client_config()?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()?;
    let url = format!(
        "{}api/v1/namespaces/{namespace}/configmaps",
        config.cluster_url
    );
    stream::iter(&objects)
        .map(|object| {
            let name = object.value["metadata"]["name"].as_str();
            let request = client
                .patch(format!("{url}/{}", name.unwrap_or_default()))
                .query(&[("fieldManager", "bare")])
                .header("content-type", "application/apply-patch+yaml")
                .body(object.value.to_string());
            async move {
                let response = request.send().await?.error_for_status()?;
                response.bytes().await.map(drop)
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}
