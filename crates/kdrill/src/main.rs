//! `kdrill`: the command line in front of the library.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use kdrill::{
    cli::{Cli, Command, CompareArgs, LoadArgs, Output, RunArgs},
    cluster::connect::connect,
    compare, drills,
    limits::Limits,
    load::generate,
    report::summary,
    run,
    signals::Signals,
    timeline::document::Outcome,
};

#[tokio::main]
async fn main() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Run(arguments) => Box::pin(run_drills(*arguments)).await,
        Command::List { output } => list(output),
        Command::Compare(arguments) => compare_runs(&arguments),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
        Command::Load(arguments) => load(arguments).await,
    };
    code.unwrap_or_else(|error| {
        eprintln!("kdrill: error: {error:#}");
        ExitCode::from(2)
    })
}

async fn run_drills(arguments: RunArgs) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("the path of the kdrill program")?;
    let (output, folder) = (arguments.output, arguments.report.clone());
    let (kubeconfig, context) = (arguments.kubeconfig.clone(), arguments.context.clone());
    // Planned twice where need be: what is wrong with the flags is said before the server is asked.
    let mut plan = arguments.plan(program, "")?;
    let connection = connect(kubeconfig.as_ref(), context.as_deref()).await?;
    if plan.namespace.is_empty() {
        plan.namespace.clone_from(&connection.default_namespace);
        plan.params.manifests.connect.namespace = Some(plan.namespace.clone());
    }
    let document = run::run(plan, connection).await?;
    match output {
        Output::Json => print(&serde_json::to_string_pretty(&summary::json(
            &document, &folder,
        ))?)?,
        Output::Text => {
            let colour = std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            print(&summary::table(&document, &folder, colour))?;
        }
    }
    Ok(ExitCode::from(match document.outcome {
        Outcome::Held => 0,
        Outcome::Broken => 1,
        Outcome::Error | Outcome::NotRun => 2,
        Outcome::Interrupted => 130,
    }))
}

fn list(output: Output) -> anyhow::Result<ExitCode> {
    match output {
        Output::Json => {
            let drills: Vec<_> = drills::ALL
                .iter()
                .map(|drill| {
                    let flags = drill.needs.iter().map(|need| need.flags());
                    serde_json::json!({
                        "name": drill.name,
                        "promise": drill.promise,
                        "does": drill.does,
                        "needs": flags.filter(|flags| !flags.is_empty()).collect::<Vec<_>>(),
                        "max_failed": drill.limits.max_failed.to_string(),
                        "max_recovery_s": drill.limits.max_recovery.as_secs_f64(),
                        "max_p99_s": drill.limits.max_p99.as_secs_f64(),
                    })
                })
                .collect();
            print(&serde_json::to_string_pretty(&drills)?)?;
        }
        Output::Text => {
            for drill in drills::ALL {
                let Limits {
                    max_failed,
                    max_recovery,
                    max_p99,
                } = drill.limits;
                let needs: Vec<_> = drill.needs.iter().map(|need| need.flags()).collect();
                let needs = needs.join("");
                let needs = if needs.is_empty() {
                    String::new()
                } else {
                    format!("; needs {needs}")
                };
                print(&format!(
                    "{}\n    promise: {}\n    does:    {}{needs}\n    allowed: {max_failed} requests failed, recovery ≤ {} s, 99 % of the answers ≤ {} s\n",
                    drill.name,
                    drill.promise,
                    drill.does,
                    max_recovery.as_secs_f64(),
                    max_p99.as_secs_f64(),
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn compare_runs(arguments: &CompareArgs) -> anyhow::Result<ExitCode> {
    let (before, after) = (
        compare::read(&arguments.before)?,
        compare::read(&arguments.after)?,
    );
    let comparison = compare::compare(&before, &after, arguments.tolerance);
    match arguments.output {
        Output::Json => print(&serde_json::to_string_pretty(&comparison)?)?,
        Output::Text => print(&compare::table(&comparison))?,
    }
    Ok(ExitCode::from(u8::from(!comparison.is_fine())))
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kdrill", &mut script);
    std::io::stdout()
        .write_all(&script)
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn man() -> anyhow::Result<ExitCode> {
    clap_mangen::Man::new(Cli::command())
        .render(&mut std::io::stdout())
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

async fn load(arguments: LoadArgs) -> anyhow::Result<ExitCode> {
    let out = std::io::stdout();
    if arguments.until_terminated {
        let mut signals = Signals::listen()?;
        generate::run(&arguments.plan(), signals.next(), out).await?;
    } else {
        let closed = generate::closed(tokio::io::stdin());
        generate::run(&arguments.plan(), closed, out).await?;
    }
    // Reading standard input blocks a thread that a normal return would wait for.
    std::process::exit(0);
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output")
}
