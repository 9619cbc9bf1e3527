//! From the server's source to its OCI image: the same bytes from any folder.

mod server;

pub use server::Server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    cli,
    repo::Repo,
    run::{Runner, answer, say},
};

/// The name in front of every tag. `localhost` is nobody's registry: a node
/// that lacks the image can't pull a stranger's by the same name.
const REPOSITORY: &str = "localhost/hostname-server";

/// A built image.
#[derive(Debug, Clone)]
pub struct Image {
    /// What manifests deploy: the tag is made of the digest, so it never moves.
    pub reference: String,
    /// The archive that clusters load.
    pub archive: PathBuf,
    /// `sha256:…`
    pub digest: String,
    /// That of its configuration, by which a runtime names an image that was loaded.
    pub configuration: String,
    /// The same server by another version's name.
    pub next: Version,
}

/// A further version of the image, for rolling out.
#[derive(Debug, Clone)]
pub struct Version {
    /// What manifests deploy.
    pub reference: String,
    /// The archive that clusters load.
    pub archive: PathBuf,
}

/// `cargo xtask image`
///
/// # Errors
/// When the server or the image cannot be built.
pub fn command(repo: &Repo, runner: &Runner, options: &cli::Image) -> anyhow::Result<()> {
    let ocipack = if let Some(path) = &options.ocipack {
        path.clone()
    } else {
        runner.run(repo.compile("build").args(["--package", "ocipack"]))?;
        repo.tool("ocipack")
    };
    let image = build(repo, runner, &ocipack, &options.out)?;
    say(&format!(
        "xtask: {} is {}",
        image.archive.display(),
        image.reference
    ));
    answer(&image.digest);
    Ok(())
}

/// Builds the server and its image into `out`.
///
/// # Errors
/// When a build fails, or layout and archive disagree about the digest.
pub fn build(repo: &Repo, runner: &Runner, ocipack: &Path, out: &Path) -> anyhow::Result<Image> {
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let server = Server::build(repo, runner)?;
    let pack = Pack {
        runner,
        ocipack,
        server: &server,
    };
    let layout = out.join("hostname-server");
    let version = env!("CARGO_PKG_VERSION");
    pack.build(version, version, &layout)?;
    let digest = pack.digest(&layout)?;
    let tag = content_tag(&digest)?;
    let archive = out.join("hostname-server.tar");
    pack.build(version, tag, &archive)?;
    // Names live outside of what the digest covers; were that to change, tags would lie.
    let archived = pack.digest(&archive)?;
    if archived != digest {
        bail!(
            "{} has digest {archived}, its layout {digest}",
            archive.display()
        );
    }
    let next = Version {
        reference: format!("{REPOSITORY}:next-{tag}"),
        archive: out.join("hostname-server-next.tar"),
    };
    pack.build("next", &format!("next-{tag}"), &next.archive)?;
    Ok(Image {
        reference: format!("{REPOSITORY}:{tag}"),
        archive,
        configuration: configuration(&layout, &digest)?,
        next,
        digest,
    })
}

/// The digest of an image's configuration, as its manifest has it.
fn configuration(layout: &Path, digest: &str) -> anyhow::Result<String> {
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    let text = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let manifest: serde_json::Value = serde_json::from_slice(&text)
        .with_context(|| format!("the manifest {}", path.display()))?;
    manifest["config"]["digest"]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("{} names no configuration", path.display()))
}

struct Pack<'a> {
    runner: &'a Runner,
    ocipack: &'a Path,
    server: &'a Server,
}

impl Pack<'_> {
    fn build(&self, version: &str, tag: &str, output: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(self.ocipack);
        command
            .arg("build")
            .arg("--binary")
            .arg(format!(
                "{}={}",
                self.server.platform,
                self.server.binary.display()
            ))
            .args(["--name", &format!("{REPOSITORY}:{tag}")])
            .args(["--port", "5000/tcp"])
            .args(["--label", "org.opencontainers.image.title=hostname-server"])
            .args([
                "--label",
                &format!("org.opencontainers.image.version={version}"),
            ])
            .args([
                "--annotation",
                "org.opencontainers.image.licenses=MIT OR Apache-2.0",
            ])
            .arg("-o")
            .arg(output);
        self.runner.output(&mut command).map(drop)
    }

    fn digest(&self, image: &Path) -> anyhow::Result<String> {
        self.runner
            .output(Command::new(self.ocipack).arg("digest").arg(image))
    }
}

/// The first 12 hexadecimal digits of a digest.
fn content_tag(digest: &str) -> anyhow::Result<&str> {
    let hex = digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    hex.and_then(|hex| hex.get(..12))
        .with_context(|| format!("ocipack printed {digest:?} where a sha256 digest belongs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_made_of_digests() {
        let digest = format!("sha256:0123456789abcdef{}", "0".repeat(48));
        assert_eq!(content_tag(&digest).unwrap(), "0123456789ab");
        for bad in [
            "",
            "sha256:",
            "sha256:0123456789abcdef",
            "md5:0123456789abcdef",
        ] {
            assert!(content_tag(bad).is_err(), "{bad}");
        }
    }
}
