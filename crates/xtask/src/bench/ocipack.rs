//! ocipack beside tools that do the same: building the server's image, and pushing a large one to a
//! registry on the loopback.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};

use super::{
    measure,
    table::{self, Measured},
};
use crate::{
    cli, image,
    repo::{Repo, find_program},
    run::{Runner, answer, say},
};

/// Bytes of the layer that is pushed.
const LARGE: usize = 200 * 1024 * 1024;

struct Bench<'a> {
    runner: &'a Runner,
    folder: PathBuf,
    ocipack: PathBuf,
    server: PathBuf,
    crane: PathBuf,
    registry: Registry,
    xtask: PathBuf,
}

/// A registry in memory, so that nobody's disk is measured.
struct Registry {
    child: Child,
    address: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `cargo xtask bench ocipack`
///
/// # Errors
/// When something cannot be built, or a tool fails at its work.
pub fn run(repo: &Repo, runner: &Runner, options: &cli::BenchOcipack) -> anyhow::Result<()> {
    fs::create_dir_all(&repo.target)?;
    let folder = tempfile::Builder::new()
        .prefix("bench-ocipack-")
        .tempdir_in(&repo.target)?;
    let bench = Bench::prepare(repo, runner, folder.path())?;
    let mut rows = Vec::new();
    for run in 0..options.runs {
        let mut works = bench.builds(run);
        works.extend(bench.pushes(run));
        // Nobody is always the first, whose input is not in the page cache.
        let turns = run % works.len();
        works.rotate_left(turns);
        for (what, tool, command) in works {
            say(&format!("    {what}, {tool}, run {}", run + 1));
            rows = table::add(rows, vec![bench.measure(what, tool, &command)?]);
        }
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&table::json("ocipack", &rows))?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
    }
    answer(&table::text(&rows));
    Ok(())
}

impl<'a> Bench<'a> {
    fn prepare(repo: &Repo, runner: &'a Runner, folder: &Path) -> anyhow::Result<Self> {
        runner.run(
            repo.cargo()
                .args(["build", "--quiet", "--release", "--package", "ocipack"]),
        )?;
        let ocipack = repo.target.join("release/ocipack");
        image::build(repo, runner, &ocipack, &folder.join("image"))?;
        let unpack = folder.join("unpacked");
        let mut command = Command::new(&ocipack);
        command
            .arg("unpack")
            .arg(folder.join("image/hostname-server.tar"));
        runner.output(command.arg(&unpack))?;
        let programs = folder.join("programs");
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-o"])
            .arg(format!("{}/", programs.display()))
            .args([
                "github.com/google/go-containerregistry/cmd/crane",
                "./referrers",
            ])
            .current_dir(repo.root.join("tests/registry"))
            .envs([
                ("GOFLAGS", "-mod=readonly -buildvcs=false"),
                ("GOTOOLCHAIN", "local"),
                ("CGO_ENABLED", "0"),
            ]);
        runner.run(&mut go)?;
        let bench = Self {
            runner,
            registry: Registry::start(&programs.join("referrers"))?,
            crane: programs.join("crane"),
            server: unpack.join("bin/hostname-server"),
            ocipack,
            xtask: std::env::current_exe().context("reading the path of this program")?,
            folder: folder.to_owned(),
        };
        bench.large_image()?;
        Ok(bench)
    }

    /// A layout and a docker archive with one layer that no encoder makes smaller.
    fn large_image(&self) -> anyhow::Result<()> {
        let path = self.folder.join("ballast");
        let mut file = fs::File::create(&path)?;
        // xorshift64 (Marsaglia 2003)
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut block = Vec::with_capacity(1 << 20);
        for _ in 0..LARGE >> 20 {
            block.clear();
            while block.len() < 1 << 20 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                block.extend(state.to_le_bytes());
            }
            file.write_all(&block)?;
        }
        drop(file);
        let mut build = Command::new(&self.ocipack);
        build
            .args([
                "build",
                "--name",
                "localhost/large:1",
                "--compression",
                "gzip:1",
            ])
            .arg("--binary")
            .arg(self.binary())
            .arg("--file")
            .arg(format!("{}:/ballast", path.display()))
            .arg("-o")
            .arg(self.folder.join("large"));
        self.runner.output(&mut build).map(drop)
    }

    fn binary(&self) -> String {
        let platform = if cfg!(target_arch = "aarch64") {
            "linux/arm64"
        } else {
            "linux/amd64"
        };
        format!("{platform}={}", self.server.display())
    }

    /// The server's image from the server's binary, by each tool that is here.
    fn builds(&self, run: usize) -> Vec<(&'static str, &'static str, Command)> {
        const WHAT: &str = "build the server's image";
        let out = |tool: &str| self.folder.join(format!("{tool}-{run}"));
        let mut ocipack = Command::new(&self.ocipack);
        ocipack
            .args([
                "build",
                "--name",
                "localhost/server:1",
                "--port",
                "5000",
                "--binary",
            ])
            .arg(self.binary())
            .arg("-o")
            .arg(out("ocipack"));
        let binary = self.server.display();
        let script = |script: String| {
            let mut command = Command::new("sh");
            command.args(["-ec", &script]);
            command
        };
        let gzip = format!("gzip -9n < {binary} > {}", out("gzip").display());
        let layout = out("umoci");
        let layout = layout.display();
        let umoci = format!(
            "umoci init --layout {layout}; umoci new --image {layout}:1; \
             umoci insert --rootless --image {layout}:1 {binary} /bin/hostname-server; \
             umoci config --image {layout}:1 --config.entrypoint /bin/hostname-server \
             --config.exposedports 5000/tcp --config.user 65532:65532"
        );
        let mut works = vec![
            (WHAT, "ocipack", ocipack),
            (WHAT, "gzip alone", script(gzip)),
            (WHAT, "umoci", script(umoci)),
        ];
        if find_program("buildah").is_some() {
            let store = self.folder.join("buildah");
            let buildah = format!(
                "buildah --storage-driver vfs --root {0}/root --runroot {0}/run",
                store.display()
            );
            let buildah = format!(
                "c=$({buildah} from scratch); {buildah} copy -q $c {binary} /bin/hostname-server; \
                 {buildah} config --entrypoint '[\"/bin/hostname-server\"]' --port 5000 --user 65532:65532 $c; \
                 {buildah} commit -q --rm $c oci:{}:1",
                out("buildah-out").display()
            );
            works.push((WHAT, "buildah", script(buildah)));
        }
        works
    }

    /// The large image into a repository that nobody has pushed to.
    fn pushes(&self, run: usize) -> Vec<(&'static str, &'static str, Command)> {
        const WHAT: &str = "push 200 MiB";
        let large = self.folder.join("large");
        let to = |tool: &str| format!("{}/{tool}-{run}:1", self.registry.address);
        let mut ocipack = Command::new(&self.ocipack);
        ocipack.arg("push").arg(&large).arg(to("ocipack"));
        let mut crane = Command::new(&self.crane);
        crane.arg("push").arg(&large).arg(to("crane"));
        let mut skopeo = Command::new("skopeo");
        skopeo
            .args(["copy", "--quiet", "--dest-tls-verify=false"])
            .arg(format!("oci:{}", large.display()))
            .arg(format!("docker://{}", to("skopeo")));
        vec![
            (WHAT, "ocipack", ocipack),
            (WHAT, "crane", crane),
            (WHAT, "skopeo", skopeo),
        ]
    }

    fn measure(
        &self,
        what: &str,
        tool: &'static str,
        command: &Command,
    ) -> anyhow::Result<Measured> {
        let taken = measure::run(self.runner, &self.xtask, &self.folder, command)?;
        if taken.code != Some(0) {
            bail!("{tool}, {what}: exit code {:?}: {}", taken.code, taken.said);
        }
        Ok(Measured {
            what: what.to_owned(),
            tool,
            taken,
            requests: None,
        })
    }
}

impl Registry {
    fn start(program: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("stdout is a pipe")?;
        let mut registry = Self {
            child,
            address: String::new(),
        };
        BufReader::new(stdout).read_line(&mut registry.address)?;
        registry.address = registry.address.trim().to_owned();
        Ok(registry)
    }
}
