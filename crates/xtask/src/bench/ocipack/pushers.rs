//! Who pushes a layout to a registry.

use std::{path::Path, process::Command};

use super::programs::Programs;

/// Who pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pusher {
    Ocipack,
    Crane,
    Skopeo,
}

impl Pusher {
    pub(super) const ALL: [Self; 3] = [Self::Ocipack, Self::Crane, Self::Skopeo];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ocipack => super::OURS,
            Self::Crane => "crane",
            Self::Skopeo => "skopeo",
        }
    }

    pub(super) fn command(self, programs: &Programs, layout: &Path, reference: &str) -> Command {
        let mut command;
        match self {
            Self::Ocipack => {
                command = programs.ocipack();
                command.arg("push").arg(layout).arg(reference);
            }
            Self::Crane => {
                command = Command::new(&programs.crane);
                command.args(["push", "--insecure"]).arg(layout);
                command.arg(reference);
            }
            Self::Skopeo => {
                command = Command::new("skopeo");
                command.args(["--insecure-policy", "copy", "--quiet"]);
                command.args(["--preserve-digests", "--dest-tls-verify=false"]);
                command.arg(format!("oci:{}", layout.display()));
                command.arg(format!("docker://{reference}"));
            }
        }
        command
    }
}
