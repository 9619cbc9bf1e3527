//! The cluster's programs: built once from pinned Go modules into a cache
//! folder whose name is the hash of everything that goes into them.

mod build;
mod recipe;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    error::{Context, Error, Result},
    progress::Progress,
};
use recipe::{LINKS, MODULES};

/// The environment variable that names a folder of ready-made programs.
pub const RUNTIME_VARIABLE: &str = "KLAB_RUNTIME";

/// Every program that a complete runtime has, by the name that it is started under.
pub fn programs() -> impl Iterator<Item = &'static str> {
    let linked = |program: &&str| LINKS.iter().any(|(_, target)| target == program);
    MODULES
        .iter()
        .flat_map(|module| module.programs)
        .filter(move |program| !linked(program))
        .chain(LINKS.iter().map(|(name, _)| name))
        .copied()
}

/// The folder of the programs, which need not be there: `KLAB_RUNTIME`, or
/// one in the cache.
///
/// # Errors
/// When neither HOME nor a cache folder is known, or there is no Go.
pub fn folder() -> Result<PathBuf> {
    if let Some(given) = env::var_os(RUNTIME_VARIABLE) {
        return Ok(PathBuf::from(given));
    }
    Ok(cache()?.join(format!("runtime-{}", key())).join("bin"))
}

/// The folder of the programs, building them first where they are missing.
///
/// # Errors
/// When something to build with is missing, or a build fails.
pub fn ensure(progress: &Progress) -> Result<PathBuf> {
    let folder = folder()?;
    let missing: Vec<_> = programs()
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
    build::build(&folder, progress)?;
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
fn key() -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(env::consts::ARCH);
    for module in MODULES {
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

/// Removes runtimes of other versions from the cache, and builds that were cut off.
///
/// # Errors
/// When the cache cannot be read.
pub fn clean(keep: &Path) -> Result<Vec<PathBuf>> {
    let cache = cache()?;
    let mut removed = Vec::new();
    for entry in fs::read_dir(&cache).file("cannot list", &cache)?.flatten() {
        let path = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with("runtime-");
        if ours && !keep.starts_with(&path) {
            fs::remove_dir_all(&path).file("cannot remove", &path)?;
            removed.push(path);
        }
    }
    Ok(removed)
}
