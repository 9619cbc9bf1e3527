//! `klab runtime …`.

use anyhow::Result;
use clap::Subcommand;

use crate::{
    progress::Progress,
    runtime::{self, Part},
};

#[derive(Subcommand)]
pub(super) enum Runtime {
    /// Build the programs where they are missing; prints their folder
    Build,
    /// Print the programs' folder, whether they are built or not
    Path {
        /// Which programs
        #[arg(value_enum, default_value_t = Part::Cluster)]
        part: Part,
    },
    /// Remove programs of other versions from the cache
    Clean,
}

impl Runtime {
    pub(super) fn run(&self, progress: &Progress) -> Result<()> {
        match self {
            Self::Build => {
                for part in Part::ALL {
                    println!("{}", runtime::ensure(part, progress)?.display());
                }
            }
            Self::Path { part } => println!("{}", runtime::folder(*part)?.display()),
            Self::Clean => {
                for removed in runtime::clean()? {
                    progress.say(&format!("removed {}", removed.display()));
                }
            }
        }
        Ok(())
    }
}
