//! The command `klab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    klab::cli::main()
}
