//! Kubernetes manifests out of a registry, into memory: no file of an artifact touches the disk.

use std::collections::BTreeMap;
use std::io::{self, Read};

use oci_spec::image::{Descriptor, Digest, ImageManifest};
use tar::EntryType;

use super::{Registry, TransferError};
use crate::build::{ARTIFACT_CONFIG, ARTIFACT_CONTENT};
use crate::compression::Format;
use crate::read::{entry_problem, invalid, is_manifest, read_layer};
use crate::reference::Reference;

/// Bytes of the compressed files.
const MAX_PACKED: u64 = 32 * 1024 * 1024;
/// Bytes of all files together.
const MAX_UNPACKED: u64 = 128 * 1024 * 1024;
const MAX_FILES: usize = 10_000;

/// Manifests as they were pushed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of the manifest, by which it can be pulled again.
    pub digest: Digest,
    /// What the artifact says about itself, such as its source and revision.
    pub annotations: BTreeMap<String, String>,
    /// Files by their paths, such as `base/deployment.yaml`.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Registry {
    /// Pulls an artifact of Kubernetes manifests, as `ocipack push --artifact` and Flux push them;
    /// every byte is checked against the reference's digest, if it has one.
    ///
    /// # Errors
    /// It is not there, is no such artifact, is damaged or too large, or has an entry that is
    /// neither a file nor a folder inside.
    pub async fn artifact(&self, reference: &Reference) -> Result<Artifact, TransferError> {
        let refuse = |problem: String| TransferError::Refused {
            image: reference.to_string(),
            problem,
        };
        let (root, document) = self.manifest(reference).await?;
        if !is_manifest(root.media_type()) {
            let problem = format!("is of media type {}, no artifact", root.media_type());
            return Err(refuse(problem));
        }
        let manifest: ImageManifest = serde_json::from_slice(&document)
            .map_err(|error| refuse(format!("is not a valid manifest: {error}")))?;
        let content = content(&manifest).map_err(refuse)?;
        let packed = self.blob(reference, content, MAX_PACKED).await?;
        let files = unpack(&packed).map_err(|error| refuse(format!("is damaged: {error}")))?;
        let annotations = manifest.annotations().clone().unwrap_or_default();
        Ok(Artifact {
            digest: root.digest().clone(),
            annotations: annotations.into_iter().collect(),
            files,
        })
    }
}

/// The one layer with the files.
fn content(manifest: &ImageManifest) -> Result<&Descriptor, String> {
    let kind = manifest.config().media_type().as_ref();
    if kind != ARTIFACT_CONFIG {
        return Err(format!(
            "is of {kind}, not of manifests ({ARTIFACT_CONFIG}); push them with ocipack push --artifact"
        ));
    }
    match &manifest.layers()[..] {
        [layer] if layer.media_type().as_ref() == ARTIFACT_CONTENT => Ok(layer),
        layers => Err(format!(
            "has {} layers where one of {ARTIFACT_CONTENT} is expected",
            layers.len()
        )),
    }
}

fn unpack(packed: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut left = MAX_UNPACKED;
    let content = read_layer(packed, Format::Gzip, |member, bytes| {
        // Some tools write the folder itself, and paths from it on.
        let path = member.path.trim_start_matches("./").trim_end_matches('/');
        if path.is_empty() || path == "." {
            return Ok(());
        }
        if let Some(problem) = entry_problem(&member) {
            return Err(invalid(format!("{} {problem}", member.path)));
        }
        match member.kind {
            EntryType::Directory => return Ok(()),
            EntryType::Regular => {}
            _ => return Err(invalid(format!("{path} is a link, not a file"))),
        }
        if member.size > left || files.len() >= MAX_FILES {
            return Err(invalid(format!(
                "over {MAX_UNPACKED} bytes or {MAX_FILES} files"
            )));
        }
        left -= member.size;
        let mut file = Vec::new();
        bytes.take(member.size).read_to_end(&mut file)?;
        match files.insert(path.to_owned(), file) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("{path} is there twice"))),
        }
    })?;
    content.uncompressed.map(|_| files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(out);
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            // As raw bytes: the library would refuse the paths that are of interest.
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn files_are_found_whoever_packed_them() {
        let packed = archive(&[
            ("./", EntryType::Directory, ""),
            ("./b.yaml", EntryType::Regular, "b"),
            ("a/", EntryType::Directory, ""),
            ("a/c.yaml", EntryType::Regular, "c"),
        ]);
        let files = unpack(&packed).unwrap();
        let expected = [("a/c.yaml", "c"), ("b.yaml", "b")];
        assert_eq!(
            files,
            expected
                .map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec()))
                .into()
        );
    }

    #[test]
    fn what_is_no_file_inside_is_refused() {
        for (entries, said) in [
            (&[("../x", EntryType::Regular, "")][..], "../x"),
            (&[("/x", EntryType::Regular, "")], "/x"),
            (&[("x", EntryType::Char, "")], "device"),
            (
                &[
                    ("x", EntryType::Regular, "1"),
                    ("./x", EntryType::Regular, "2"),
                ],
                "twice",
            ),
        ] {
            let error = unpack(&archive(entries)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(unpack(b"no gzip").is_err());
    }
}
