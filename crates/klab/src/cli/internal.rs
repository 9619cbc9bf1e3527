//! How klab calls itself: a cluster's processes are this program in other roles.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;

use crate::{
    cloud,
    net::switch,
    node::{init, launch},
    state::Folder,
};

#[derive(Subcommand)]
pub(super) enum Internal {
    Switch { cluster: PathBuf },
    Cloud { cluster: PathBuf },
    Launch { cluster: PathBuf, node: String },
    Init { cluster: PathBuf, node: String },
}

impl Internal {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Switch { cluster } => switch::run(&folder_of(&cluster)?)?,
            Self::Cloud { cluster } => cloud::run(&folder_of(&cluster)?)?,
            Self::Launch { cluster, node } => launch::run(&folder_of(&cluster)?, &node)?,
            Self::Init { cluster, node } => init::run(&folder_of(&cluster)?, &node)?,
        }
        Ok(())
    }
}

fn folder_of(cluster: &Path) -> Result<Folder> {
    let parts = (
        cluster.parent(),
        cluster.file_name().and_then(|name| name.to_str()),
    );
    let (Some(root), Some(name)) = parts else {
        bail!("{} is no cluster's folder", cluster.display())
    };
    Ok(Folder::new(root, name.parse()?))
}
