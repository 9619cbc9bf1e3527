//! Other people's programs that the suites compare with: built once per machine, from Go modules
//! that pin them.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder with `crane`, and with `referrers`, a registry of another kind than klab's.
///
/// # Panics
/// When they cannot be built.
pub fn registry_programs() -> PathBuf {
    programs("registry", &["tool", "./referrers"])
}

/// cosign.
///
/// # Panics
/// When it cannot be built.
pub fn cosign() -> PathBuf {
    programs("cosign", &["."]).join("cosign")
}

/// The folder with what a module's packages are built to, built if it is not there yet.
fn programs(module: &str, packages: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    let mut hasher = DefaultHasher::new();
    hash(&source, &mut hasher);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("there is a HOME")).join(".cache");
    let folder = cache.unwrap_or_else(home).join("e2e");
    let programs = folder.join(format!("{module}-{:016x}", hasher.finish()));
    fs::create_dir_all(&folder).expect("the cache can be written");
    // Tests run side by side: one of them builds.
    let lock = folder.join(format!("{module}.lock"));
    let lock = File::create(lock).expect("the cache can be written");
    lock.lock().expect("a file can be locked");
    if !programs.exists() {
        let partial = programs.with_extension("partial");
        let built = Command::new("go")
            .args(["build", "-trimpath", "-ldflags=-s -w"])
            // The linker drops it, and making it is a quarter of the compiler's work.
            .args(["-gcflags=all=-dwarf=false", "-o"])
            .arg(format!("{}/", partial.display()))
            .args(packages)
            .current_dir(&source)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("CGO_ENABLED", "0")
            .status();
        assert!(
            built.as_ref().is_ok_and(std::process::ExitStatus::success),
            "cannot build {}: {built:?}",
            source.display()
        );
        fs::rename(&partial, &programs).expect("the cache can be written");
    }
    programs
}

/// Everything in a module's folder, in one order.
fn hash(folder: &Path, hasher: &mut DefaultHasher) {
    let list = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = list.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            hash(&path, hasher);
        } else {
            path.file_name().hash(hasher);
            fs::read(&path).expect("it can be read").hash(hasher);
        }
    }
}
