//! A peer that is built from its Go module, once per machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    run::{Runner, say},
    setup,
};

/// What to build.
#[derive(Debug)]
pub(super) struct GoTool<'tool> {
    pub(super) name: &'tool str,
    /// As the module pins it; a part of the cache's key.
    pub(super) version: &'tool str,
    /// The folder of the module that pins it.
    pub(super) module: PathBuf,
    pub(super) package: &'tool str,
    /// Beside `-s -w`.
    pub(super) ldflags: &'tool str,
}

impl GoTool<'_> {
    /// Its path; builds it when it is not there.
    ///
    /// # Errors
    /// When the build fails.
    pub(super) fn ensure(&self, runner: &Runner) -> anyhow::Result<PathBuf> {
        let folder = setup::cache().join(format!("{}-{}", self.name, self.version));
        let path = folder.join(self.name);
        if path.is_file() {
            return Ok(path);
        }
        say(&format!(
            "xtask: building {} {} (minutes, once)",
            self.name, self.version
        ));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let unfinished = folder.join(format!("{}.{}", self.name, std::process::id()));
        if let Err(error) = runner.run(&mut self.build(&unfinished)) {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        fs::rename(&unfinished, &path)
            .with_context(|| format!("renaming to {}", path.display()))?;
        Ok(path)
    }

    fn build(&self, to: &Path) -> Command {
        let mut go = Command::new("go");
        go.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
            // The linker drops it, and making it is a quarter of the compiler's work.
            .arg("-gcflags=all=-dwarf=false")
            .arg("-ldflags")
            .arg(format!("-s -w {}", self.ldflags))
            .arg("-o")
            .arg(to)
            .arg(self.package)
            .current_dir(&self.module)
            .envs([
                ("GOFLAGS", ""),
                ("GOWORK", "off"),
                ("GOTOOLCHAIN", "local"),
                ("CGO_ENABLED", "0"),
            ]);
        go
    }
}
