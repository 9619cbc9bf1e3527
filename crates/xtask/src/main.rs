//! `cargo xtask`: parse, run, say what went wrong.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use xtask::{
    bench,
    cli::{BenchCommand, Cli, Command},
    demo, image,
    repo::{Refusal, Repo},
    run::{Interrupted, Runner},
    setup, test,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Measured(options) = &cli.command {
        // Before any signal is taken over: what is measured gets them as they come.
        return bench::measured(&options.report, &options.command).unwrap_or_else(|error| {
            let _ = writeln!(std::io::stderr(), "xtask: error: {error:#}");
            ExitCode::FAILURE
        });
    }
    match dispatch(&cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr must not turn a reported failure into a panic.
            let _ = writeln!(std::io::stderr(), "xtask: error: {error:#}");
            exit_code(&error)
        }
    }
}

fn dispatch(command: &Command) -> anyhow::Result<()> {
    let repo = Repo::find()?;
    let runner = Runner::new()?;
    match command {
        Command::Setup(options) => setup::command(&repo, &runner, options),
        Command::Image(options) => image::command(&repo, &runner, options),
        Command::Demo(options) => demo::command(repo, runner, options),
        Command::Test(options) => test::command(repo, runner, options),
        Command::FlakeCheck => test::flake_check(repo, runner),
        Command::Soak(options) => test::soak(repo, runner, options),
        Command::Bench(options) => match &options.command {
            BenchCommand::Kapply(options) => bench::kapply::command(repo, runner, options),
            BenchCommand::Klab(options) => bench::klab::command(repo, runner, options),
            BenchCommand::Ocipack(options) => bench::ocipack::command(repo, runner, options),
        },
        Command::Measured(_) => Ok(()),
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        return ExitCode::from(interrupted.exit_code());
    }
    if error.is::<Refusal>() {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}
