//! `klab node …`.

use anyhow::Result;
use clap::Subcommand;

use super::block_on;
use crate::{
    control::{nodes, restart},
    net::slow::Slowness,
    progress::Progress,
    state::Folder,
};

#[derive(Subcommand)]
pub(super) enum Node {
    /// Add an agent and wait until it is Ready; prints its name
    Add,
    /// Cut a node's power: its link first, then everything on it
    Stop {
        /// The node
        node: String,
    },
    /// Start a stopped node and wait until it is Ready
    Start {
        /// The node
        node: String,
    },
    /// Cut a node off from the others; everything on it goes on
    #[command(after_help = "\
Nothing gets to or from the node, and its pods do not notice: the others call it
NotReady and replace them, until it is connected again.

Examples:
  klab node partition agent1
  klab node heal agent1")]
    Partition {
        /// The node
        node: String,
    },
    /// Make a node's network narrow, late or lossy, each way
    #[command(after_help = "\
Replaces what it was slowed down to before; `klab node heal` ends it. --delay and
--loss need a kernel with netem: see `klab doctor`.

Examples:
  klab node slow agent1 --rate 1mbit
  klab node slow agent1 --delay 50ms --loss 1%")]
    #[command(group = clap::ArgGroup::new("how").required(true).multiple(true))]
    Slow {
        /// The node
        node: String,
        /// How much may pass, as in 1mbit
        #[arg(long, group = "how")]
        rate: Option<String>,
        /// How late it comes, as in 50ms
        #[arg(long, group = "how")]
        delay: Option<String>,
        /// How much of it is lost, as in 1%
        #[arg(long, group = "how")]
        loss: Option<String>,
    },
    /// Make a node's network whole again and wait until the node is Ready
    Heal {
        /// The node
        node: String,
    },
    /// Restart components of a node; its pods go on
    #[command(after_help = "\
The components are ended and started again, as with `systemctl restart k3s`; on a
server that is the control plane, too. Returns when the node is Ready again.

Examples:
  klab node restart server                      all of them
  klab node restart server kube-apiserver etcd  only these")]
    Restart {
        /// The node
        node: String,
        /// The components; `klab logs NODE x` names them [default: all]
        component: Vec<String>,
    },
    /// Remove an agent for good
    Rm {
        /// The node
        node: String,
    },
}

impl Node {
    pub(super) fn run(self, folder: &Folder, progress: &Progress) -> Result<()> {
        match self {
            Self::Add => println!("{}", block_on(nodes::add(folder, progress))?.name),
            Self::Stop { node } => {
                nodes::stop(folder, &node)?;
                progress.say(&format!("{node} has lost its power"));
            }
            Self::Start { node } => block_on(nodes::start(folder, &node, progress))?,
            Self::Partition { node } => {
                nodes::partition(folder, &node)?;
                progress.say(&format!("{node} is cut off from the others"));
            }
            Self::Slow {
                node,
                rate,
                delay,
                loss,
            } => {
                nodes::slow(folder, &node, &Slowness { rate, delay, loss })?;
                progress.say(&format!("{node} has a slow network"));
            }
            Self::Heal { node } => block_on(nodes::heal(folder, &node, progress))?,
            Self::Restart { node, component } => {
                block_on(restart::restart(folder, &node, &component, progress))?;
            }
            Self::Rm { node } => {
                block_on(nodes::remove(folder, &node))?;
                progress.say(&format!("{node} is removed"));
            }
        }
        Ok(())
    }
}
