//! An image's files onto the disk, as a container would see them, whoever made the image.
//!
//! Every path is resolved with the new directory as its root, by the kernel: neither an entry nor
//! a link of an earlier layer leads out of it. The directory gets its name when all is there.

mod root;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::passing;
use crate::platform::Platform;
use crate::read::{Image, Member, ReadError, Source, entry_problem, invalid, read_layer};
use root::Root;

/// A whiteout's name starts so (image-spec, layer.md, "Whiteouts").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Set-user-ID and the like would be rights on this machine.
const MODE_BITS: u32 = 0o777;

/// How to unpack.
#[derive(Debug, Clone)]
pub struct UnpackOptions {
    /// Which image of an index; needed where there are several.
    pub platform: Option<Platform>,
    /// The most bytes that all files may have.
    pub max_size: u64,
    /// Makes absolute symbolic links relative, so that they stay inside; else they are refused.
    pub relative_links: bool,
}

impl Default for UnpackOptions {
    fn default() -> Self {
        Self {
            platform: None,
            max_size: 16 * 1024 * 1024 * 1024,
            relative_links: false,
        }
    }
}

/// Why an image was not unpacked. Nothing of it was left on the disk.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be read or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is something at the target.
    #[error("{} is there already; remove it or choose another directory", .0.display())]
    Exists(PathBuf),
    /// It is not clear which image is meant.
    #[error("{} holds images for {found}; choose one with --platform", path.display())]
    Platform {
        /// The layout or archive.
        path: PathBuf,
        /// The platforms.
        found: String,
    },
    /// An entry is not one to unpack.
    #[error("layer {layer}: {problem}; nothing was unpacked")]
    Entry {
        /// The layer's digest.
        layer: String,
        /// Which entry, and what is wrong with it.
        problem: String,
    },
    /// The disk refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The target.
        path: PathBuf,
        /// What writing said.
        source: io::Error,
    },
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Unpacked {
    /// Files, links and directories of all layers.
    pub entries: u64,
    /// Bytes of files.
    pub bytes: u64,
}

impl Source {
    /// Unpacks the one image into a directory that is not there yet, or empty.
    ///
    /// # Errors
    /// It is damaged, has entries that do not stay inside, is too large, or cannot be written.
    pub fn unpack(&self, target: &Path, options: &UnpackOptions) -> Result<Unpacked, UnpackError> {
        let failed = |source| UnpackError::Io {
            path: target.to_owned(),
            source,
        };
        let image = self.choose(options.platform.as_ref())?;
        // Nobody's files are mixed with an image's.
        let is_free = match fs::read_dir(target) {
            Ok(mut entries) => entries.next().is_none() && !target.is_symlink(),
            Err(error) => error.kind() == io::ErrorKind::NotFound && !target.is_symlink(),
        };
        if !is_free {
            return Err(UnpackError::Exists(target.to_owned()));
        }
        let folder = passing::make(|| {
            tempfile::Builder::new()
                .prefix(crate::write::TEMPORARY_PREFIX)
                .tempdir_in(crate::write::parent(target))
        })
        .map_err(failed)?;
        let mut unpacker = Unpacker {
            root: Root::open(folder.path()).map_err(failed)?,
            options,
            directories: BTreeMap::new(),
            done: Unpacked::default(),
        };
        for descriptor in image.document.layers() {
            let layer = descriptor.digest().to_string();
            let damaged = |problem: String| self.damaged(format!("layer {layer} {problem}"));
            let format = image.format(descriptor).map_err(damaged)?;
            let Some(format) = format else {
                let problem = format!("is {}, which holds no files", descriptor.media_type());
                return Err(UnpackError::Entry { layer, problem });
            };
            let mut fresh = BTreeSet::new();
            let section = self.section(descriptor)?;
            let content = read_layer(section, format, |member, bytes| {
                unpacker.entry(member, bytes, &mut fresh)
            })
            .map_err(failed)?;
            if content.digest != *descriptor.digest() {
                return Err(damaged(format!("has the content of {}", content.digest)).into());
            }
            content.uncompressed.map_err(|error| {
                // What the system did not say is about the layer.
                if error.raw_os_error().is_some() {
                    return failed(error);
                }
                let problem = error.to_string();
                UnpackError::Entry { layer, problem }
            })?;
        }
        let done = unpacker.finish().map_err(failed)?;
        // Either it is all there or, for whoever clears away, not yet there.
        let _held = passing::hold();
        // It takes the place of an empty directory, and of nothing else.
        fs::rename(folder.path(), target).map_err(failed)?;
        let _moved = folder.keep();
        Ok(done)
    }

    fn choose(&self, platform: Option<&Platform>) -> Result<Image, UnpackError> {
        let images = self.images()?;
        let found: Vec<String> = images.iter().map(Image::platform).collect();
        let mut fitting: Vec<Image> = images
            .into_iter()
            .filter(|image| platform.is_none_or(|wanted| image.fits(wanted)))
            .collect();
        // Of several variants the one that was named, were it by naming none.
        let exact =
            |image: &Image| platform.is_some_and(|wanted| image.platform() == wanted.to_string());
        if fitting.len() > 1 {
            fitting.retain(exact);
        }
        match (fitting.pop(), fitting.pop()) {
            (Some(image), None) => Ok(image),
            _ => Err(UnpackError::Platform {
                path: self.path.clone(),
                found: found.join(", "),
            }),
        }
    }
}

struct Unpacker<'a> {
    root: Root,
    options: &'a UnpackOptions,
    /// Mode and time of each directory, set at the end: one may forbid writing into it.
    directories: BTreeMap<String, (u32, String)>,
    done: Unpacked,
}

impl Unpacker<'_> {
    /// Unpacks one entry; `fresh` is what this layer has brought so far.
    fn entry(
        &mut self,
        member: Member,
        bytes: &mut dyn Read,
        fresh: &mut BTreeSet<String>,
    ) -> io::Result<()> {
        // Nothing comes after somebody began to clear away.
        drop(passing::hold());
        if let Some(problem) = entry_problem(&member) {
            return Err(invalid(format!("the entry {:?} {problem}", member.path)));
        }
        let parts: Vec<&str> = member
            .path
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        let Some((name, parents)) = parts.split_last() else {
            // The root itself, which is the user's directory.
            return Ok(());
        };
        let (path, folder) = (parts.join("/"), parents.join("/"));
        self.done.entries += 1;
        // What a layer deletes lies below it, and is never its own.
        if *name == OPAQUE {
            return self.root.clear(&folder, &|path| fresh.contains(path));
        }
        if let Some(deleted) = name.strip_prefix(WHITEOUT) {
            let keep = |path: &str| fresh.contains(path);
            return self.root.remove(&folder, deleted, &keep);
        }
        for length in 1..=parts.len() {
            fresh.insert(parts[..length].join("/"));
        }
        self.root.make_parents(parents)?;
        let mode = member.mode & MODE_BITS;
        match member.kind.as_byte() {
            b'5' => {
                self.root.directory(&folder, name)?;
                self.directories.insert(path, (mode, member.mtime));
            }
            b'2' => {
                let target = self.link_target(&member, parents.len())?;
                self.root.symlink(&folder, name, &target, &member.mtime)?;
            }
            b'1' => {
                let target = member.link.unwrap_or_default();
                self.root.hard_link(&folder, name, &target)?;
            }
            _ => {
                self.done.bytes = self.done.bytes.saturating_add(member.size);
                if self.done.bytes > self.options.max_size {
                    return Err(invalid(format!(
                        "with {path} the image's files are over {} bytes; allow more with --max-size",
                        self.options.max_size
                    )));
                }
                self.root.file(
                    &folder,
                    name,
                    mode,
                    &member.mtime,
                    &mut bytes.take(member.size),
                )?;
            }
        }
        Ok(())
    }

    fn link_target(&self, member: &Member, depth: usize) -> io::Result<String> {
        let target = member.link.clone().unwrap_or_default();
        let Some(absolute) = target.strip_prefix('/') else {
            return Ok(target);
        };
        if !self.options.relative_links {
            return Err(invalid(format!(
                "the entry {:?} is a symbolic link to {target}, which would lead to this machine's \
                 own files; make such links relative with --relative-links",
                member.path
            )));
        }
        let up = "../".repeat(depth);
        let relative = format!("{up}{}", absolute.trim_start_matches('/'));
        Ok(if relative.is_empty() {
            ".".into()
        } else {
            relative
        })
    }

    fn finish(self) -> io::Result<Unpacked> {
        // Children before their parents.
        for (path, (mode, mtime)) in self.directories.iter().rev() {
            self.root.finish_directory(path, *mode, mtime)?;
        }
        Ok(self.done)
    }
}
