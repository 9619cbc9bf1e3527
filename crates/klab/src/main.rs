//! The command `klab`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("klab: error: {error}");
            ExitCode::FAILURE
        }
    }
}
