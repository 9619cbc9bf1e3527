//! Schemas on disk. The server names each document by a hash of its content,
//! so what is kept under that name never goes stale.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use kube::core::GroupVersionKind;
use serde::{Deserialize, Serialize};

use super::{openapi::Root, types::Type};

/// Part of every file's name; to be raised when the compact form changes.
const FORMAT: u32 = 2;
/// Nothing of a cluster that was not seen changed for so long is kept.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The folder of the cache.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// The place of one document's types.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    file: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Kept<Types> {
    types: Types,
    roots: Vec<KeptRoot>,
}

#[derive(Serialize, Deserialize)]
struct KeptRoot(String, String, String, u32, bool);

impl Cache {
    /// `$XDG_CACHE_HOME/kapply` or `~/.cache/kapply`; `None` where there is neither.
    pub(super) fn open() -> Option<Arc<Self>> {
        let absolute = |name: &str| {
            let path = PathBuf::from(std::env::var_os(name)?);
            path.is_absolute().then_some(path)
        };
        let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        Some(Arc::new(Self {
            folder: base.join("kapply"),
        }))
    }

    /// Where the types of a group version with this hash are; `None` for what is no hash.
    pub(super) fn entry(&self, api_version: &str, hash: &str) -> Option<Entry> {
        let plain = |text: &str, more: &[u8]| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            !text.is_empty() && text.bytes().all(known)
        };
        let name = api_version.replace('/', "_");
        if !plain(hash, b"") || !plain(&name, b"._-") {
            return None;
        }
        Some(Entry {
            file: self
                .folder
                .join(format!("schema-{FORMAT}-{name}-{hash}.json")),
        })
    }
}

impl Entry {
    /// What is kept; `None` if that is nothing or nothing sensible.
    pub(super) fn read(&self) -> Option<(Vec<Type>, Vec<Root>)> {
        let bytes = fs::read(&self.file).ok()?;
        let found = decode(&bytes);
        if found.is_none() {
            tracing::debug!(file = %self.file.display(), "a broken file of the cache is replaced");
        }
        found
    }

    /// Keeps bytes of [`encode`]: whole or not at all, readable by nobody else.
    pub(super) fn write(&self, bytes: &[u8]) {
        let Some(folder) = self.file.parent() else {
            return;
        };
        let written = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .and_then(|()| {
                // A temporary file of this library has mode 0600.
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                file.write_all(bytes)?;
                file.persist(&self.file)?;
                Ok(())
            });
        match written {
            Ok(()) => forget_old(folder),
            Err(error) => tracing::debug!(%error, "the schema cannot be kept"),
        }
    }
}

fn forget_old(folder: &Path) {
    let now = SystemTime::now();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let age = modified
            .ok()
            .and_then(|time| now.duration_since(time).ok())
            .unwrap_or_default();
        if age > KEPT {
            // Whoever needs it makes it anew.
            let _ = fs::remove_file(file.path());
        }
    }
}

/// The bytes to keep.
pub(super) fn encode(types: &[Type], roots: &[Root]) -> Option<Vec<u8>> {
    let roots = (roots.iter())
        .map(
            |Root {
                 kind,
                 index,
                 status,
             }| {
                let GroupVersionKind {
                    group,
                    version,
                    kind,
                } = kind.clone();
                KeptRoot(group, version, kind, *index, *status)
            },
        )
        .collect();
    serde_json::to_vec(&Kept { types, roots }).ok()
}

fn decode(bytes: &[u8]) -> Option<(Vec<Type>, Vec<Root>)> {
    let Kept { types, roots } = serde_json::from_slice::<Kept<Vec<Type>>>(bytes).ok()?;
    let exists = |index: u32| (index as usize) < types.len();
    let whole = roots.iter().all(|root| exists(root.3))
        && types.iter().all(|of| {
            (of.properties.values().map(|property| property.edge))
                .chain(of.additional)
                .chain(of.items)
                .all(|edge| exists(edge.to))
        });
    let roots = roots
        .into_iter()
        .map(|KeptRoot(group, version, kind, index, status)| Root {
            kind: GroupVersionKind {
                group,
                version,
                kind,
            },
            index,
            status,
        });
    whole.then(|| (types.clone(), roots.collect()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::schema::types::{Edge, without_schema};

    fn entry(folder: &Path) -> Entry {
        let cache = Cache {
            folder: folder.join("kapply"),
        };
        cache.entry("apps/v1", "0AF3").unwrap()
    }

    fn some() -> Vec<u8> {
        let root = Root {
            kind: GroupVersionKind::gvk("apps", "v1", "Deployment"),
            index: 0,
            status: true,
        };
        encode(&without_schema(), &[root]).unwrap()
    }

    #[test]
    fn what_is_kept_is_private_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let entry = entry(folder.path());
        assert!(entry.read().is_none());
        entry.write(&some());
        let (types, roots) = entry.read().unwrap();
        assert_eq!((types.len(), roots.len()), (2, 1));
        assert!(roots[0].status && roots[0].kind.kind == "Deployment");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&entry.file), 0o600);
        assert_eq!(mode(entry.file.parent().unwrap()), 0o700);
        assert_eq!(
            fs::read_dir(folder.path().join("kapply")).unwrap().count(),
            1
        );
    }

    #[test]
    fn broken_files_are_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let entry = entry(folder.path());
        entry.write(&some());
        let mut dangling = without_schema();
        dangling[0].items = Some(Edge::to(99));
        for broken in [&b"{\"types\":["[..], b"", &encode(&dangling, &[]).unwrap()] {
            fs::write(&entry.file, broken).unwrap();
            assert!(entry.read().is_none());
        }
        entry.write(&some());
        assert!(entry.read().is_some());
    }

    #[test]
    fn a_name_of_the_server_leads_nowhere_else() {
        let cache = Cache {
            folder: "/cache".into(),
        };
        for (api_version, hash) in [("v1", "../x"), ("v1", ""), ("a/b/../c\0", "1"), ("", "1")] {
            assert!(
                cache.entry(api_version, hash).is_none(),
                "{api_version} {hash}"
            );
        }
    }
}
