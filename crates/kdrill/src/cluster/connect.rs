//! The way to the API server: kubeconfig, context, and a first request that proves it answers.

use std::{path::PathBuf, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::error::{Error, Result, chain};

/// How long the first request may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A client that has had an answer.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The API server's URL.
    pub server: String,
    /// Its version, like `v1.35.4`.
    pub version: String,
    /// The namespace that the context names.
    pub default_namespace: String,
}

/// Connects by the given kubeconfig and context, by default as kubectl would (KUBECONFIG, then
/// `~/.kube/config`, then the pod's service account).
///
/// # Errors
/// [`Error::Kubeconfig`] when there is no usable configuration, [`Error::Unreachable`] when the
/// server does not answer within ten seconds.
pub async fn connect(kubeconfig: Option<&PathBuf>, context: Option<&str>) -> Result<Connection> {
    let mut config = read_config(kubeconfig, context).await?;
    config.connect_timeout = Some(FIRST_ANSWER);
    // A refused eviction and a server that is away are what drills look for: nothing is to be tried
    // again behind their backs.
    config.default_retry = false;
    let server = config
        .cluster_url
        .to_string()
        .trim_end_matches('/')
        .to_owned();
    let default_namespace = config.default_namespace.clone();
    let client = Client::try_from(config).map_err(|error| Error::Kubeconfig(chain(&error)))?;
    let unreachable = |cause| Error::Unreachable {
        server: server.clone(),
        cause,
    };
    let version = tokio::time::timeout(FIRST_ANSWER, client.apiserver_version())
        .await
        .map_err(|_| unreachable(format!("no answer within {} s", FIRST_ANSWER.as_secs())))?
        .map_err(|error| unreachable(chain(&error)))?
        .git_version;
    Ok(Connection {
        client,
        server,
        version,
        default_namespace,
    })
}

async fn read_config(kubeconfig: Option<&PathBuf>, context: Option<&str>) -> Result<Config> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let failed = |error: &dyn std::error::Error| Error::Kubeconfig(chain(error));
    match kubeconfig {
        Some(path) => {
            let parsed = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
            Config::from_custom_kubeconfig(parsed, &options)
                .await
                .map_err(|error| failed(&error))
        }
        None if context.is_some() => Config::from_kubeconfig(&options)
            .await
            .map_err(|error| failed(&error)),
        None => Config::infer().await.map_err(|error| failed(&error)),
    }
}
