//! `-f oci://REGISTRY/REPOSITORY@sha256:…`: manifests that were published as an
//! artifact. By its digest alone: then they are the same for everybody and for ever.

use std::path::Path;

use ocipack::{
    Reference,
    registry::{Options, Registry},
};

use super::{directory::has_manifest_name, problem};
use crate::problem::{File, Problem};

const SCHEME: &str = "oci://";
/// As much of the digest as stands before the name of a file.
const SHORT: usize = "sha256:0123456789ab".len();
/// What says that files are to be built first.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether this names an artifact in a registry.
pub(super) fn is_artifact(text: &str) -> bool {
    text.starts_with(SCHEME)
}

/// The manifests of an artifact, in the order of their paths, at any depth: what
/// was pushed together is applied together.
pub(super) async fn pull(text: &str) -> Result<Vec<File>, Problem> {
    let name = text.trim_start_matches(SCHEME);
    let reference: Reference = name
        .parse()
        .map_err(|error| problem(text, format!("{error}")))?;
    let Some(digest) = reference.digest() else {
        return Err(problem(
            text,
            "name the artifact by its digest, as in oci://ghcr.io/me/web@sha256:…: what a tag means may change \
             from run to run; `ocipack inspect` says the digest of a tag",
        ));
    };
    let failed = |error: &dyn std::fmt::Display| problem(text, format!("cannot pull it: {error}"));
    let registry = Registry::new(Options::default()).map_err(|error| failed(&error))?;
    let artifact = registry
        .artifact(&reference)
        .await
        .map_err(|error| failed(&error))?;
    let digest: String = digest.to_string().chars().take(SHORT).collect();
    let place = format!(
        "{SCHEME}{}/{}@{digest}",
        reference.registry(),
        reference.repository()
    );
    let mut files = Vec::new();
    for (path, bytes) in artifact.files {
        let shown = format!("{place}/{path}");
        let path = Path::new(&path);
        if KUSTOMIZATIONS
            .iter()
            .any(|name| path.file_name().is_some_and(|file| file == *name))
        {
            return Err(problem(
                &shown,
                "the artifact has to be built with kustomize first; push what `kubectl kustomize` prints instead",
            ));
        }
        if has_manifest_name(path) {
            files.push(File::read(&shown, bytes));
        }
    }
    if files.is_empty() {
        return Err(problem(text, "there is no .yaml, .yml or .json file in it"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tag_is_not_enough() {
        for text in ["oci://example.com/web:1", "oci://example.com/web"] {
            assert!(is_artifact(text));
            let error = pull(text).await.unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
        let error = pull("oci://example.com/web:1").await.unwrap_err();
        assert!(error.to_string().contains("by its digest"), "{error}");
    }
}
