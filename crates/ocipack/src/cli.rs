//! The command line: what each command takes, and how its outcome becomes an exit code.

mod attach;
mod build;
mod describe;
mod diff;
mod hint;
mod inspect;
mod progress;
mod scratch;
mod sign;
mod transfer;
mod unpack;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use ocipack::load::{LoadError, Runtime, load};
use ocipack::read::{Problem, Source};
use ocipack::registry::Registry;
use ocipack::transfer::Location;

/// The image is not what it says.
const MISMATCH: u8 = 1;
const ERROR: u8 = 2;

/// Builds, moves, compares and loads OCI images; equal inputs give equal bytes and one digest.
#[derive(Parser)]
#[command(
    name = "ocipack",
    version,
    arg_required_else_help = false,
    after_help = "Examples:\n  \
        ocipack build --binary linux/amd64=target/server --name web:1 --port 5000 -o web.tar\n  \
        ocipack verify web.tar && ocipack inspect web.tar -o json\n  \
        ocipack push web.tar ghcr.io/me/web:1 ghcr.io/me/web:latest\n  \
        ocipack sign ghcr.io/me/web:1 --key cosign.key\n  \
        ocipack verify ghcr.io/me/web:1 --key cosign.pub\n  \
        ocipack load web.tar --containerd /run/k3s/containerd/containerd.sock\n\n\
        Exit: 0 done, 1 the image is not what it says or not signed (verify, load) \
        or images differ (diff), 2 error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an image from static binaries and print its digest
    Build(Box<build::BuildArgs>),
    /// Push an image into registries, tags last, and print its digest
    Push(transfer::PushArgs),
    /// Pull an image from a registry and print its digest
    Pull(transfer::PullArgs),
    /// Copy an image between layouts, archives and registries
    Copy(transfer::CopyArgs),
    /// Print the digest of an image, wherever it is
    Digest(Anywhere),
    /// Show name, platforms, configuration, layers and their entries
    Inspect {
        #[command(flatten)]
        input: Anywhere,
        #[command(flatten)]
        output: Output,
    },
    /// Check every size, digest, media type and entry of an image, or its signatures
    Verify(verify::VerifyArgs),
    /// Sign an image in a registry, or a statement about it, with a cosign key
    Sign(sign::SignArgs),
    /// Make a key pair as cosign's, PREFIX.key and PREFIX.pub
    GenerateKeyPair(sign::KeyArgs),
    /// Say of which crates an image's programs are made, as an SBOM
    Sbom(describe::SbomArgs),
    /// Say how an image was built, as an in-toto statement with SLSA provenance
    Provenance(describe::ProvenanceArgs),
    /// Attach a file, such as an SBOM, to an image in a registry
    Attach(attach::AttachArgs),
    /// List what is attached to an image, or print it
    Referrers(attach::ReferrersArgs),
    /// Say in what two images differ
    Diff(diff::DiffArgs),
    /// Unpack an image's files into a new directory
    Unpack(unpack::UnpackArgs),
    /// Verify an image and load it into a container runtime
    Load(LoadArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of one command if given
    Man {
        /// One of ocipack's commands
        command: Option<String>,
    },
}

#[derive(Args)]
struct Input {
    /// An OCI layout directory or an archive of one
    #[arg(value_name = "LAYOUT|ARCHIVE")]
    image: PathBuf,
}

/// An image, and how to reach it.
#[derive(Args)]
struct Anywhere {
    /// An OCI layout directory, an archive of one, or REPOSITORY:TAG or @DIGEST in a registry
    #[arg(value_name = "IMAGE")]
    image: Location,
    #[command(flatten)]
    registry: transfer::RegistryArgs,
}

#[derive(Args)]
struct Output {
    /// How to print the answer
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Args)]
#[command(
    group = clap::ArgGroup::new("runtime").required(true),
    after_help = "Examples:\n  ocipack load web.tar --containerd /run/containerd/containerd.sock\n  \
        ocipack load web.tar --containerd /run/k3s/containerd/containerd.sock --ctr '/usr/local/bin/ctr'\n  \
        ocipack load layout/ --docker\n  ocipack load web.tar --podman"
)]
struct LoadArgs {
    #[command(flatten)]
    input: Input,
    /// Load into the containerd that listens on this socket, with its ctr
    #[arg(long, value_name = "SOCK", group = "runtime")]
    containerd: Option<PathBuf>,
    /// containerd's namespace; k8s.io is Kubernetes'
    #[arg(long, default_value = "k8s.io", conflicts_with_all = ["docker", "podman"])]
    namespace: String,
    /// The ctr to run
    #[arg(
        long,
        value_name = "PATH",
        default_value = "ctr",
        conflicts_with_all = ["docker", "podman"]
    )]
    ctr: PathBuf,
    /// Load into Docker, with docker load
    #[arg(long, group = "runtime")]
    docker: bool,
    /// Load into Podman, with podman load
    #[arg(long, group = "runtime")]
    podman: bool,
}

pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return fail(&one_line(&error.render().to_string())),
        Err(error) => {
            // --help and --version; a closed stdout is no reason to fail.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
    };
    let takes_files = hint::takes_files(&cli.command);
    let outcome = match cli.command {
        Command::Build(arguments) => build::run(*arguments).map(|()| ExitCode::SUCCESS),
        Command::Push(arguments) => transfer::push(arguments).map(|()| ExitCode::SUCCESS),
        Command::Pull(arguments) => transfer::pull(arguments).map(|()| ExitCode::SUCCESS),
        Command::Copy(arguments) => transfer::copy(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Digest(input) => digest(&input),
        Command::Inspect { input, output } => inspect::run(&input, output.output),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Sign(arguments) => sign::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::GenerateKeyPair(arguments) => {
            sign::generate(&arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::Sbom(arguments) => describe::sbom(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Provenance(arguments) => {
            describe::provenance(arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::Attach(arguments) => attach::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Referrers(arguments) => attach::list(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Unpack(arguments) => unpack::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Load(arguments) => run_load(arguments),
        Command::Completions { shell } => completions(shell),
        Command::Man { command } => man(command.as_deref()),
    };
    scratch::hold();
    match outcome {
        Ok(code) => code,
        // `ocipack inspect … | head` is no failure.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let told = error.to_string();
            let words = std::env::args_os().skip(2);
            let hint = takes_files
                .then(|| hint::local_file(words, &told))
                .flatten();
            fail(&(told + &hint.unwrap_or_default()))
        }
    }
}

fn digest(input: &Anywhere) -> anyhow::Result<ExitCode> {
    let digest = match &input.image {
        Location::Local(path) => Source::open(path)?.digest()?.to_string(),
        Location::Remote(reference) => {
            let registry = Registry::new(input.registry.options())?;
            let (root, _) = transfer::wait(registry.manifest(reference))??;
            root.digest().to_string()
        }
    };
    writeln!(io::stdout(), "{digest}")?;
    Ok(ExitCode::SUCCESS)
}

fn run_load(arguments: LoadArgs) -> anyhow::Result<ExitCode> {
    scratch::watch();
    let runtime = match arguments.containerd {
        Some(socket) => Runtime::Containerd {
            socket,
            namespace: arguments.namespace,
            ctr: arguments.ctr,
        },
        None if arguments.podman => Runtime::Podman,
        None => Runtime::Docker,
    };
    let source = Source::open(&arguments.input.image)?;
    match load(&source, &runtime) {
        Ok(said) => {
            let _ = write!(io::stderr(), "{said}");
            writeln!(
                io::stdout(),
                "{} {}",
                source.name()?.unwrap_or_default(),
                source.digest()?
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            complain(&error.to_string());
            let LoadError::Damaged { found, .. } = &error else {
                return Ok(ExitCode::from(ERROR));
            };
            report(&mut io::stderr(), &found.problems)?;
            Ok(ExitCode::from(MISMATCH))
        }
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    // The generator panics on a closed pipe, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ocipack", &mut script);
    io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

fn man(command: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    let page = match command {
        None => cli,
        Some(name) => cli
            .get_subcommands()
            .find(|command| command.get_name() == name)
            .ok_or_else(|| anyhow::anyhow!("there is no command {name:?}; see --help"))?
            .clone(),
    };
    clap_mangen::Man::new(page).render(&mut io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn report(out: &mut impl Write, problems: &[Problem]) -> io::Result<()> {
    problems
        .iter()
        .try_for_each(|problem| writeln!(out, "{}", printable(&problem.to_string())))
}

fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "ocipack: error: {}", printable(what));
}

fn fail(what: &str) -> ExitCode {
    complain(what);
    ExitCode::from(ERROR)
}

/// An image's own words without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The first paragraph of clap's message, which says what is wrong, as one line.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph
        .trim_start_matches("error: ")
        .split_whitespace()
        .collect();
    format!("{}; see --help", words.join(" "))
}
