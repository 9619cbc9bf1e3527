//! hostname-server: an HTTP server that says which host answered.
//!
//! It exists to be deployed, scaled, rolled out and lost: [`service`] is what it answers,
//! [`server`] how it starts, drains and stops, [`listen`] where its socket comes from, [`options`]
//! what can be set from outside.

mod listen;
mod options;
mod server;
mod service;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::from_process() {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    // One thread answers far more than a container's share of a CPU can ask for.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start the runtime: {error}")),
    };
    match runtime.block_on(server::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// Writes one line to stderr, ignoring a stderr that nobody reads any more.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "hostname-server: {line}");
}

fn fail(what: &str) -> ExitCode {
    say(&format!("error: {what}"));
    ExitCode::from(2)
}
