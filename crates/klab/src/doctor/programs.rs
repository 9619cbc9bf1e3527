//! The programs that a cluster runs: there, or something to build them with.

use super::Finding;
use crate::runtime::{self, Part};

pub(super) fn examine() -> Vec<Finding> {
    Part::ALL.into_iter().map(part).collect()
}

fn part(part: Part) -> Finding {
    let check = match part {
        Part::Cluster => "components",
        Part::Registry => "registry",
        Part::Dns => "name server",
    };
    match runtime::built(part) {
        Ok(Some(folder)) => Finding::ok(check, folder.display().to_string()),
        Ok(None) => Finding::ok(check, "will be built when it is first needed"),
        Err(error) if part == Part::Cluster => {
            Finding::failed(check, "not built", error.to_string())
        }
        Err(error) => Finding::warning(check, "not built", error.to_string()),
    }
}
