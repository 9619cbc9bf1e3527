//! The cluster's programs: built once from pinned Go modules into a cache
//! folder whose name is the hash of everything that goes into them.

mod build;
mod recipe;

use std::{env, fmt, fs, path::PathBuf};

use sha2::{Digest, Sha256};

use crate::{
    error::{Context, Error, Result},
    progress::Progress,
};
use recipe::{CLUSTER, DNS, LINKS, Module, REGISTRY};

/// The environment variable that names a folder of ready-made programs.
pub const RUNTIME_VARIABLE: &str = "KLAB_RUNTIME";

/// Programs that are built together, once they are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// What every cluster runs, and kubectl.
    Cluster,
    /// The registry of `up --registry`.
    Registry,
    /// The name server of clusters that run pods.
    Dns,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Registry, Self::Dns];

    /// The programs that it has when it is complete, by the names that they are started under.
    pub fn programs(self) -> impl Iterator<Item = &'static str> {
        let linked = move |program: &&str| self.links().iter().any(|(_, to)| to == program);
        self.modules()
            .iter()
            .flat_map(|module| module.programs)
            .filter(move |program| !linked(program))
            .chain(self.links().iter().map(|(name, _)| name))
            .copied()
    }

    fn modules(self) -> &'static [Module] {
        match self {
            Self::Cluster => CLUSTER,
            Self::Registry => REGISTRY,
            Self::Dns => DNS,
        }
    }

    fn links(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cluster => LINKS,
            Self::Registry | Self::Dns => &[],
        }
    }

    /// The beginning of its folder's name in the cache.
    fn prefix(self) -> &'static str {
        match self {
            Self::Cluster => "runtime-",
            Self::Registry => "registry-",
            Self::Dns => "coredns-",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cluster => "cluster",
            Self::Registry => "registry",
            Self::Dns => "name server",
        })
    }
}

/// The folder of a part's programs, which need not be there: `KLAB_RUNTIME`, or
/// one in the cache.
///
/// # Errors
/// When neither HOME nor a cache folder is known.
pub fn folder(part: Part) -> Result<PathBuf> {
    if let Some(given) = env::var_os(RUNTIME_VARIABLE) {
        return Ok(PathBuf::from(given));
    }
    let name = format!("{}{}", part.prefix(), key(part));
    Ok(cache()?.join(name).join("bin"))
}

/// The folder of a part's programs if they are there, and nothing if they can be built.
///
/// # Errors
/// When they are missing, and something to build them with is, too.
pub fn built(part: Part) -> Result<Option<PathBuf>> {
    let folder = folder(part)?;
    if part.programs().all(|program| folder.join(program).exists()) {
        return Ok(Some(folder));
    }
    build::check_tools(part).map(|()| None)
}

/// The folder of a part's programs, building them first where they are missing.
///
/// # Errors
/// When something to build with is missing, or a build fails.
pub fn ensure(part: Part, progress: &Progress) -> Result<PathBuf> {
    let folder = folder(part)?;
    let missing: Vec<_> = part
        .programs()
        .filter(|program| !folder.join(program).exists())
        .collect();
    if missing.is_empty() {
        return Ok(folder);
    }
    if env::var_os(RUNTIME_VARIABLE).is_some() {
        return Err(Error::Machine(format!(
            "{RUNTIME_VARIABLE}={} lacks {}; unset it to build the programs",
            folder.display(),
            missing.join(", ")
        )));
    }
    build::build(part, &folder, progress)?;
    Ok(folder)
}

fn cache() -> Result<PathBuf> {
    let absolute = |variable| {
        env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("KLAB_CACHE")
        .or_else(|| absolute("XDG_CACHE_HOME").map(|path| path.join("klab")))
        .or_else(|| absolute("HOME").map(|path| path.join(".cache/klab")))
        .ok_or_else(|| {
            Error::Machine("neither KLAB_CACHE, XDG_CACHE_HOME nor HOME names a folder".to_owned())
        })
}

/// Changes with every source, pin, flag and target.
fn key(part: Part) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(env::consts::ARCH);
    for module in part.modules() {
        add(module.name);
        module.files.iter().for_each(|(name, content)| {
            add(name);
            add(content);
        });
        module
            .arguments
            .iter()
            .chain(module.environment.iter().flat_map(|(k, v)| [k, v]))
            .for_each(|word| add(word));
    }
    let digest = hash.finalize();
    let (head, _) = digest.split_at(8);
    format!(
        "{:016x}",
        head.iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    )
}

/// Removes programs of other versions from the cache, and builds that were cut off.
///
/// # Errors
/// When the cache cannot be read.
pub fn clean() -> Result<Vec<PathBuf>> {
    let cache = cache()?;
    let mut removed = Vec::new();
    for entry in fs::read_dir(&cache).file("cannot list", &cache)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let old = |part: Part| {
            name.strip_prefix(part.prefix())
                .is_some_and(|version| version != key(part))
        };
        if Part::ALL.into_iter().any(old) {
            fs::remove_dir_all(&path).file("cannot remove", &path)?;
            removed.push(path);
        }
    }
    Ok(removed)
}
