//! The same image from each builder: one layer with the server, and another file
//! if there is one, for user 65532.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::programs::Programs;

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builder {
    Ocipack,
    Buildah,
    Umoci,
    /// Compresses the same bytes and builds nothing.
    Gzip,
}

impl Builder {
    pub(super) const ALL: [Self; 4] = [Self::Ocipack, Self::Buildah, Self::Umoci, Self::Gzip];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ocipack => super::OURS,
            Self::Buildah => "buildah",
            Self::Umoci => "umoci",
            Self::Gzip => "gzip -9",
        }
    }

    pub(super) const fn makes_images(self) -> bool {
        !matches!(self, Self::Gzip)
    }

    /// Builds into `folder/layout`.
    pub(super) fn command(
        self,
        programs: &Programs,
        file: Option<&PathBuf>,
        folder: &Path,
    ) -> Command {
        match self {
            Self::Ocipack => ocipack(programs, file, folder),
            _ => self.script(programs, file, folder),
        }
    }

    /// The others take several commands for it.
    fn script(self, programs: &Programs, file: Option<&PathBuf>, folder: &Path) -> Command {
        let text = match self {
            Self::Buildah => BUILDAH,
            Self::Umoci => UMOCI,
            Self::Gzip | Self::Ocipack => GZIP,
        };
        let mut script = String::from("set -eu\n");
        if let Some(file) = file {
            // Writing to a String cannot fail.
            let _ = writeln!(script, "file='{}'", file.display());
        }
        script += text;
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(script)
            .env("server", &programs.server.binary)
            .current_dir(folder);
        command
    }
}

fn ocipack(programs: &Programs, file: Option<&PathBuf>, folder: &Path) -> Command {
    let mut command = programs.ocipack();
    let server = &programs.server;
    command.arg("build").arg("--binary");
    command.arg(format!("{}={}", server.platform, server.binary.display()));
    if let Some(file) = file {
        command.arg("--file");
        command.arg(format!("{}:/file", file.display()));
    }
    command.args(["--port", "5000/tcp", "--name", "localhost/web:1", "-o"]);
    command.arg(folder.join("layout"));
    command
}

// Its lock lies in /etc where nothing else is said.
const BUILDAH: &str = r#"
export CONTAINERS_CONF="$PWD/containers.conf"
printf '[network]\nnetwork_config_dir = "%s/network"\n' "$PWD" >"$CONTAINERS_CONF"
build() { command="$1"; shift; buildah --root "$PWD/root" --runroot "$PWD/run" --storage-driver vfs "$command" "$@"; }
image=$(build from scratch)
build copy --quiet --chmod 0755 "$image" "$server" /hostname-server >out
if [ "${file-}" ]; then build copy --quiet "$image" "$file" /file >out; fi
build config --user 65532:65532 --port 5000/tcp --entrypoint '["/hostname-server"]' "$image"
build commit --quiet --format oci "$image" oci:layout:1 >out
build rm "$image" >out
"#;

const UMOCI: &str = r#"
umoci init --layout layout
umoci new --image layout:1
umoci insert --image layout:1 "$server" /hostname-server
if [ "${file-}" ]; then umoci insert --image layout:1 "$file" /file; fi
umoci config --image layout:1 --config.user 65532:65532 --config.exposedports 5000/tcp --config.entrypoint /hostname-server
umoci gc --layout layout
"#;

const GZIP: &str = r#"
cat "$server" ${file+"$file"} | gzip -9 -n >out
"#;
