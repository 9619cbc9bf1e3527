//! The command line: flags, messages and exit codes around the library.

mod apply;
mod delete;
mod diff;
mod exit;
mod input;
mod log;
mod output;
mod pages;
mod plan;
mod planning;
mod preflight;
mod pruning;
mod render;
mod set_flags;
mod sets;
mod showing;
mod signal;
mod status;
mod wait;
mod work;

use clap::{Parser, Subcommand, ValueEnum};

pub use self::exit::Exit;
use crate::{connect::ConnectOptions, error::Error};

const EXIT_CODES: &str = "Exit codes:
  0 done, no difference   1 diff and plan found differences   2 error   3 conflict with another field
  manager   4 timed out or failed to get ready   5 refused by a guard   130 interrupted";

const APPLY_EXAMPLES: &str = "Examples:
  kapply apply -f manifests/
  kapply apply -f manifests/ -n shop --image web=registry.example/web:1.2 --wait
  kapply apply -k overlays/production --dry-run
  kapply apply -f manifests/ -n shop --applyset shop --prune
  kapply apply -f oci://ghcr.io/me/shop@sha256:… -n shop

Updates that are not proved to change nothing are asked of the server first: if one is
refused, nothing is changed. New objects are held against their schema and then sent;
one that the server refuses does not keep the others back.
With --applyset and --prune, members of the set that are not in the input any more are
deleted once everything is applied. Namespaces, definitions, volume claims and more than
half of a set go only with --allow-prune; kapply.dev/prune: disabled keeps an object.";

const DIFF_EXAMPLES: &str = "Examples:
  kapply diff -f manifests/
  kapply diff -f manifests/ -n shop --unified 10 --color always | less -R
  kapply diff -f manifests/ -o json | jq '.objects[].changes[]?.field'

What the server would store is compared with what it has: defaults, webhooks and other
managers are taken into account. Nothing is changed.
Exit code: 0 no difference, 1 differences, 2 error, 3 conflict, 5 refused by a guard.
Values of Secrets are shown as numbers; the same value has the same number.";

const PLAN_EXAMPLES: &str = "Examples:
  kapply plan -f manifests/
  kapply plan -f manifests/ --out plan.json --html plan.html
  kapply apply -f manifests/ --plan plan.json

A plan file holds the changes, masked. An apply of it does exactly that, or says what
is different by then and does nothing. It is not written while anything is blocked.
Exit code: 0 no difference, 1 differences, 2 error, 3 conflict, 5 refused by a guard.";

const RENDER_EXAMPLES: &str = "Examples:
  kapply render -f manifests/ --image web=registry.example/web:1.2
  kapply render -f manifests/ -n shop -o json

Works without a cluster. With -n, one is asked only about kinds that are neither
built into Kubernetes nor defined by a CRD of the input. Without -n, objects that
name no namespace stay without one.

This is the one command that prints the values of Secrets, since its output is what
is sent. With --masked it prints numbers in their place, for logs and reviews.";

const WAIT_EXAMPLES: &str = "Examples:
  kapply wait -f manifests/ -n shop
  kapply wait -f manifests/ --timeout 90s -o json
  kapply wait -f manifests/ --timeout-for job/migrate=20m
  kapply wait -f manifests/ --wait-for 'widget/a=condition:Serving|jsonpath:{.status.phase}=Active'

Ends as soon as something cannot get ready, and says why: the reason, the last
warnings, the end of the log, and what to do. Alternatives joined with | are enough
each; of several --wait-for for one object, all count. They replace what is known of
its kind, but what is known to have failed still fails.";

const PAGES_EXAMPLES: &str = "Examples:
  kapply completions bash > ~/.local/share/bash-completion/completions/kapply
  kapply man | man -l -
  kapply man --dir /usr/local/share/man/man1";

/// Server-side apply for Kubernetes: nothing half-done, and a reason for what fails
#[derive(Debug, Parser)]
#[command(name = "kapply", version, after_help = EXIT_CODES, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connect: ConnectOptions,
    #[command(flatten)]
    log: log::LogOptions,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply manifests, server-side and in parallel
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(apply::ApplyCommand),
    /// Show field by field what an apply would change
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(diff::DiffCommand),
    /// Show what an apply would do, and write it down
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(plan::PlanCommand),
    /// Print the objects as they would be sent, values of Secrets included
    #[command(after_help = RENDER_EXAMPLES)]
    Render(render::RenderCommand),
    /// Wait until the objects of manifests are ready
    #[command(after_help = WAIT_EXAMPLES)]
    Wait(wait::WaitCommand),
    /// Delete the objects of manifests, or a whole set
    #[command(after_help = delete::EXAMPLES)]
    Delete(delete::DeleteCommand),
    /// Say how the objects of manifests, or the members of a set, are
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusCommand),
    /// List the sets of objects that are applied and pruned together
    #[command(after_help = sets::EXAMPLES)]
    Sets(sets::SetsCommand),

    /// Print a completion script for a shell
    #[command(after_help = PAGES_EXAMPLES)]
    Completions(pages::CompletionsCommand),
    /// Print the manual page, or write those of all commands
    #[command(after_help = PAGES_EXAMPLES)]
    Man(pages::ManCommand),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Results {
    /// A line per object
    #[default]
    Text,
    /// One JSON document
    Json,
}

/// How objects are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Rendering {
    /// A YAML document per object
    #[default]
    Yaml,
    /// One JSON list
    Json,
}

/// Runs a command line and says how it ended.
///
/// # Errors
/// What has nothing to do with a cluster or its objects: those errors are
/// printed here and become [`Exit::Error`].
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    log::start(cli.log);
    let result = match cli.command {
        Command::Apply(command) => command.run(&cli.connect).await,
        Command::Diff(command) => command.run(&cli.connect).await,
        Command::Plan(command) => command.run(&cli.connect).await,
        Command::Wait(command) => command.run(&cli.connect).await,
        Command::Delete(command) => command.run(&cli.connect).await,
        Command::Status(command) => command.run(&cli.connect).await,
        Command::Sets(command) => command.run(&cli.connect).await,

        Command::Render(command) => command.run(&cli.connect).await,
        Command::Completions(command) => {
            command.run();
            Ok(Exit::Done)
        }
        Command::Man(command) => {
            command.run()?;
            Ok(Exit::Done)
        }
    };
    Ok(result.unwrap_or_else(|error| {
        report(&error);
        match error {
            Error::Guard(_) => Exit::Refused,
            Error::Set(error) if error.is_guard() => Exit::Refused,
            _ => Exit::Error,
        }
    }))
}

fn report(error: &Error) {
    if let Error::Input(problems) | Error::Guard(problems) = error {
        problems
            .0
            .iter()
            .for_each(|problem| output::error(&problem.to_string()));
        output::line("nothing was changed");
    } else {
        output::error(&error.to_string());
    }
}
