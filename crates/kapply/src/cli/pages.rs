//! `kapply completions` and `kapply man`: made from the same definition as `--help`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, output};

/// Flags of `kapply completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsCommand {
    /// Shell to complete for
    shell: Shell,
}

/// Flags of `kapply man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManCommand {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl CompletionsCommand {
    pub(super) fn run(self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kapply", &mut script);
        output::text(&String::from_utf8_lossy(&script));
    }
}

impl ManCommand {
    pub(super) fn run(self) -> io::Result<()> {
        let mut command = Cli::command();
        command.build();
        let Some(directory) = self.dir else {
            output::text(&String::from_utf8_lossy(&page(&command)?));
            return Ok(());
        };
        fs::create_dir_all(&directory)?;
        write(&directory, &command)?;
        for subcommand in command
            .get_subcommands()
            .filter(|subcommand| subcommand.get_name() != "help")
        {
            write(&directory, subcommand)?;
        }
        Ok(())
    }
}

fn write(directory: &Path, command: &Command) -> io::Result<()> {
    // Building gave subcommands their full name, such as kapply-apply.
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.1"));
    let temporary = path.with_extension("1.tmp");
    fs::write(&temporary, page(command)?)?;
    fs::rename(temporary, path)
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
