//! A real multi-node Kubernetes cluster on one Linux machine.
//!
//! Every node is a set of namespaces with upstream containerd, kubelet and
//! kube-proxy in it; the `server` also runs etcd, the API server, the
//! controller manager and the scheduler. No Docker, no virtual machines, and
//! nothing in the machine's own network but one port on 127.0.0.1.
//!
//! What happens, in the order of a cluster's life:
//!
//! 1. [`runtime`] builds the programs once.
//! 2. [`spec`] says what is wanted; [`state`] keeps it on disk.
//! 3. [`pki`], [`kubeconfig`] and [`components`] write each node's folder.
//! 4. [`net`] starts the switch; [`node`] launches every node's PID 1.
//! 5. [`images`] and [`control::load`] fill the nodes' containerd.
//! 6. [`api`] waits until the nodes are Ready.
//! 7. [`cloud`] gives Services addresses on the loopback, and claims volumes.
//! 8. [`control`] does what is asked of the cluster, until nothing is left of
//!    it; [`process`] and [`cgroup`] know what belongs to it.
//!
//! [`cli`] is the program `klab`. For tests of other projects, a [`Cluster`] is a
//! value that takes everything along when it goes; see [`cluster`].
//!
//! ```
//! # fn main() -> klab::Result<()> {
//! // A name of this process's own, so that runs do not meet.
//! let name = format!("e2e-{}", std::process::id());
//! let cluster = klab::Cluster::builder()
//!     .name(name)
//!     .control_plane_only()
//!     .start()?;
//!
//! let answer = cluster.kubectl().args(["get", "--raw=/readyz"]).output();
//! assert_eq!(answer.expect("kubectl runs").stdout, b"ok");
//!
//! let kubeconfig = cluster.kubeconfig().to_owned();
//! drop(cluster);
//! assert!(!kubeconfig.exists());
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod cgroup;
mod child;
pub mod cli;
pub mod cloud;
pub mod cluster;
pub mod components;
pub mod control;
pub mod doctor;
mod error;
pub mod images;
pub mod kubeconfig;
pub mod net;
pub mod node;
pub mod pki;
pub mod process;
pub mod progress;
pub mod runtime;
pub mod spec;
pub mod state;

pub use cluster::Cluster;
pub use error::{Error, Result};
