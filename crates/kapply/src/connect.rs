//! Stage 3a: which cluster, as whom, and a client for it. The flags are
//! kubectl's, so every tool that talks to the cluster can take the same ones.

mod credentials;
mod request;
mod transport;

use std::{error::Error as _, path::PathBuf, time::Duration};

use clap::builder::NonEmptyStringValueParser;
use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};

pub(crate) use self::request::{Reply, RequestError, Retry, is_about_the_object};
use crate::{error::Error, mask::Mask};

/// How long a connection may take; a server that is there answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which cluster to talk to, and as whom.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ConnectOptions {
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the pod's service account]
    #[arg(long, value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER", global = true)]
    pub as_user: Option<String>,
    /// Group to impersonate (repeatable; needs --as)
    #[arg(long, value_name = "GROUP", requires = "as_user", global = true)]
    pub as_group: Vec<String>,
    /// Namespace of objects that name none [default: the context's]
    #[arg(short, long, value_name = "NAMESPACE", global = true, value_parser = NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,
}

/// A cluster that requests can be sent to.
#[derive(Clone)]
pub struct Cluster {
    /// The client, for watches and whatever else is to be asked of this cluster.
    pub client: Client,
    /// The client of [`Cluster::send`].
    requests: Client,
    /// Base URL of the API server, for messages.
    pub url: String,
    /// Namespace of objects that name none.
    pub namespace: String,
    /// What must not be shown of anything that this cluster says.
    pub mask: Mask,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cluster")
            .field("url", &self.url)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Reads the configuration and makes a client; sends nothing yet.
///
/// # Errors
/// [`Error::Config`] if there is no usable configuration, [`Error::Credentials`]
/// if its user's credentials cannot be had.
pub async fn connect(options: &ConnectOptions) -> Result<Cluster, Error> {
    let mut config = load(options).await?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // Requests are retried in one place, `Cluster::send`, which also bounds the time.
    config.default_retry = false;
    if let Some(user) = &options.as_user {
        config.auth_info.impersonate = Some(user.clone());
        config.auth_info.impersonate_groups =
            (!options.as_group.is_empty()).then(|| options.as_group.clone());
    }
    let namespace = options
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let url = config.cluster_url.to_string();
    credentials::trim_token(&mut config.auth_info);
    let origin = credentials::origin(&config.auth_info);
    let failed = |error: kube::Error| match error {
        kube::Error::Auth(_) => Error::Credentials {
            origin: origin.clone(),
            cause: innermost(&error),
        },
        error => Error::Config(innermost(&error)),
    };
    let requests = transport::multiplexed(&config).map_err(failed)?;
    let client = ClientBuilder::try_from(config).map_err(failed)?.build();
    Ok(Cluster {
        requests: requests.unwrap_or_else(|| client.clone()),
        client,
        url,
        namespace,
        mask: Mask::default(),
    })
}

async fn load(options: &ConnectOptions) -> Result<Config, Error> {
    let explicit = match &options.kubeconfig {
        Some(path) => Some(Kubeconfig::read_from(path)),
        None if options.context.is_some() => Some(Kubeconfig::read()),
        None => None,
    };
    let Some(kubeconfig) = explicit else {
        return Config::infer()
            .await
            .map_err(|error| Error::Config(error.to_string()));
    };
    let kubeconfig = kubeconfig.map_err(|error| Error::Config(error.to_string()))?;
    let choice = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(kubeconfig, &choice)
        .await
        .map_err(|error| Error::Config(error.to_string()))
}

impl Cluster {
    /// The error for a request without whose answer nothing can go on.
    pub(crate) fn fatal(&self, what: &'static str, error: &RequestError) -> Error {
        match error {
            RequestError::Status(status) => Error::Refused {
                url: self.url.clone(),
                what,
                cause: request::describe(status),
            },
            RequestError::Transport(cause) => Error::Unreachable {
                url: self.url.clone(),
                cause: cause.clone(),
            },
            RequestError::Timeout(limit) => Error::Unreachable {
                url: self.url.clone(),
                cause: format!("no answer within {} s", limit.as_secs()),
            },
        }
    }
}

/// The innermost cause of an error: the part that says what happened.
pub(crate) fn innermost(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(cause) = current {
        text = cause.to_string();
        current = cause.source();
    }
    match text.split(" (os error").next().unwrap_or(&text) {
        "deadline has elapsed" => "no answer in time".to_owned(),
        // Inside a sentence, but names such as UnknownIssuer stay as they are.
        text => text
            .chars()
            .take(1)
            .flat_map(char::to_lowercase)
            .chain(text.chars().skip(1))
            .collect(),
    }
}
