//! The `kapply` command; everything it does is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use kapply::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Cli::parse()).await {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            eprintln!("kapply: error: {error:#}");
            ExitCode::from(2)
        }
    }
}
