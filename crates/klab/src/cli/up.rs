//! `klab up`: what it may be told.

use anyhow::{Result, bail};
use clap::Args;

use super::{Output, block_on};
use crate::{
    control::{hold, status, up},
    progress::Progress,
    spec::{ExtraArguments, MAX_NODES, MAX_SERVERS},
    state::Folder,
};

#[derive(Args)]
// Flags are what a command line has.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Up {
    /// How many nodes, the servers among them [default: 3, or as many as --servers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_NODES)))]
    nodes: Option<u8>,
    /// How many of them run the control plane: 1, or 3 or 5, of which one or two may be lost
    #[arg(long, value_name = "N", default_value = "1", value_parser = servers)]
    servers: u8,
    /// Only etcd, API server, controller manager and scheduler: nothing that runs pods
    #[arg(long, conflicts_with = "nodes")]
    control_plane_only: bool,
    /// A registry that every node pulls from, at 127.0.0.1:PORT for you and for pods alike
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0", conflicts_with = "control_plane_only")]
    registry: Option<u16>,
    /// The API server's port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT")]
    api_port: Option<u16>,
    /// No name server: names of Services are not resolved
    #[arg(long)]
    no_dns: bool,
    /// A further flag of every kubelet (may be repeated)
    #[arg(long, value_name = "FLAG=VALUE", conflicts_with = "control_plane_only")]
    kubelet_arg: Vec<String>,
    /// A further flag of every API server (may be repeated)
    #[arg(long, value_name = "FLAG=VALUE")]
    apiserver_arg: Vec<String>,
    /// Leave a cluster that did not start, for a look at its logs
    #[arg(long)]
    keep_failed: bool,
    /// Stay, and remove the cluster when standard input ends, or a signal says so
    #[arg(long)]
    hold: bool,
    /// What is printed when it is up: nothing, or its status as one JSON document
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

impl Up {
    pub(super) fn run(self, folder: &Folder, progress: &Progress) -> Result<()> {
        let (hold, output) = (self.hold, self.output);
        let options = self.checked()?;
        block_on(async {
            let announce = async || announce(folder, output, progress).await;
            if hold {
                return hold::hold(folder, &options, progress, announce).await;
            }
            up::up(folder, &options, progress).await?;
            announce().await
        })
    }

    fn checked(self) -> Result<up::Options> {
        let nodes = self.nodes.unwrap_or(self.servers.max(3));
        if nodes < self.servers {
            bail!(
                "--nodes {nodes} are fewer than --servers {}: servers are nodes, too",
                self.servers
            );
        }
        Ok(up::Options {
            nodes,
            servers: self.servers,
            control_plane_only: self.control_plane_only,
            api_port: self.api_port,
            registry: self.registry,
            dns: !self.no_dns,
            arguments: ExtraArguments {
                kubelet: self.kubelet_arg,
                api_server: self.apiserver_arg,
            },
            keep_failed: self.keep_failed,
        })
    }
}

/// Says that the cluster is up, to people or to a program.
async fn announce(folder: &Folder, output: Output, progress: &Progress) -> crate::Result<()> {
    progress.say(&format!(
        "export KUBECONFIG={}",
        folder.kubeconfig().display()
    ));
    if let Output::Json = output {
        println!("{:#}", serde_json::json!(status::status(folder).await?));
    }
    Ok(())
}

/// etcd needs more than half of its members: an even number only adds a risk.
fn servers(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(number) if number % 2 == 1 && number <= MAX_SERVERS => Ok(number),
        _ => Err("give 1, 3 or 5: etcd needs more than half of them".to_owned()),
    }
}
