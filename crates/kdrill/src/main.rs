//! `kdrill`: the command line in front of the library.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use kdrill::{
    cli::{Cli, Command, Output, RunArgs},
    cluster::connect::connect,
    drills,
    load::generate,
    report::summary,
    run,
    timeline::document::Outcome,
};

#[tokio::main]
async fn main() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Run(arguments) => run_drills(*arguments).await,
        Command::List { output } => list(output),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
        Command::Load(arguments) => load(arguments.plan()).await,
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
                .map(|drill| serde_json::json!({"name": drill.name, "promise": drill.promise}))
                .collect();
            print(&serde_json::to_string_pretty(&drills)?)?;
        }
        Output::Text => {
            for drill in drills::ALL {
                print(&format!("{:10}  {}", drill.name, drill.promise))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
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

async fn load(plan: generate::Plan) -> anyhow::Result<ExitCode> {
    generate::run(&plan, tokio::io::stdin(), std::io::stdout()).await?;
    // Reading standard input blocks a thread that a normal return would wait for.
    std::process::exit(0);
}

fn print(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("standard output")
}
