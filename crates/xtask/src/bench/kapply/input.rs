//! What is applied: many `ConfigMap`s as one file and as a chart, and the
//! repository's own manifests.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::repo::Repo;

/// How many objects "many" are.
pub(super) const MANY: usize = 1_000;
/// How many objects "very many" are.
pub(super) const VERY_MANY: usize = 10_000;
/// How many of many differ in [`Inputs::changed`].
const CHANGED: usize = 10;

/// The same objects for every tool.
#[derive(Debug)]
pub(super) struct Set {
    /// For `-f`.
    pub(super) manifests: PathBuf,
    /// For Helm.
    pub(super) chart: PathBuf,
    /// How many objects.
    pub(super) count: usize,
}

/// All that is applied.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) one: Set,
    pub(super) many: Set,
    /// `many` with a few other values.
    pub(super) changed: PathBuf,
    pub(super) very_many: Set,
    /// The repository's own.
    pub(super) stack: Set,
}

impl Inputs {
    /// Writes everything below a folder.
    pub(super) fn write(folder: &Path, repo: &Repo) -> anyhow::Result<Self> {
        let changed = folder.join("changed.yaml");
        let text = config_maps(MANY, CHANGED);
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        fs::write(&changed, text).with_context(|| format!("writing {}", changed.display()))?;
        Ok(Self {
            one: set(folder, "one", &config_maps(1, 0), 1)?,
            many: set(folder, "many", &config_maps(MANY, 0), MANY)?,
            changed,
            very_many: set(folder, "very-many", &config_maps(VERY_MANY, 0), VERY_MANY)?,
            stack: stack(folder, repo)?,
        })
    }
}

/// `count` `ConfigMap`s, the first `changed` of them with another value.
fn config_maps(count: usize, changed: usize) -> String {
    let text = "some configuration, as long as a short one is; ".repeat(4);
    (0..count).fold(String::new(), |mut all, index| {
        let value = if index < changed { "other" } else { "first" };
        // Writing to a String cannot fail.
        let _ = write!(
            all,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-{index:05}\n  labels:\n    app: bench\ndata:\n  value: {value}\n  text: \"{text}\"\n"
        );
        all
    })
}

fn set(folder: &Path, name: &str, text: &str, count: usize) -> anyhow::Result<Set> {
    let manifests = folder.join(format!("{name}.yaml"));
    let chart = folder.join(name);
    let templates = chart.join("templates");
    let write = |path: &Path, text: &str| {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    };
    fs::create_dir_all(&templates).with_context(|| format!("making {}", templates.display()))?;
    write(
        &chart.join("Chart.yaml"),
        "apiVersion: v2\nname: bench\nversion: 1.0.0\n",
    )?;
    write(&templates.join("all.yaml"), text)?;
    write(&manifests, text)?;
    Ok(Set {
        manifests,
        chart,
        count,
    })
}

fn stack(folder: &Path, repo: &Repo) -> anyhow::Result<Set> {
    let source = repo.root.join("manifests");
    let entries = fs::read_dir(&source).with_context(|| format!("listing {}", source.display()))?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    paths.sort();
    let mut text = String::new();
    for path in &paths {
        let one =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        text += "---\n";
        text += &one;
    }
    let count = text
        .lines()
        .filter(|line| line.starts_with("kind:"))
        .count();
    set(folder, "stack", &text, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted() {
        let (one, other) = (config_maps(20, 0), config_maps(20, 3));
        let differing = one.lines().zip(other.lines()).filter(|(a, b)| a != b);
        assert_eq!(differing.count(), 3);
        assert_eq!(one.matches("kind: ConfigMap").count(), 20);
    }

    #[test]
    fn the_stack_is_the_repositorys() {
        let folder = tempfile::tempdir().unwrap();
        let stack = stack(folder.path(), &Repo::find().unwrap()).unwrap();
        assert!(stack.count >= 2);
        // Helm would take these for templates.
        let text = fs::read_to_string(stack.manifests).unwrap();
        assert!(!text.contains("{{"));
    }
}
