//! The files of an image as all its layers together have them.

use std::collections::BTreeMap;
use std::io;

use crate::digest::digest_of;
use crate::read::name::shown;
use crate::read::{Image, Member, ReadError, Source, read_layer};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

pub(super) struct Tree {
    /// By path, without slashes around it.
    pub(super) entries: BTreeMap<String, Entry>,
    /// The digest of each layer's uncompressed bytes.
    pub(super) diff_ids: Vec<String>,
}

pub(super) struct Entry {
    member: Member,
    /// Of a file's bytes.
    digest: Option<String>,
    layer: usize,
}

impl Entry {
    /// What two entries can differ in, always in the same order.
    pub(super) fn fields(&self) -> [(&'static str, Option<String>); 8] {
        let member = &self.member;
        let content = self.digest.as_ref();
        [
            ("kind", Some(self.kind().to_owned())),
            ("mode", Some(format!("{:04o}", member.mode))),
            ("owner", Some(format!("{}:{}", member.uid, member.gid))),
            ("date", Some(date(&member.mtime))),
            ("size", content.map(|_| format!("{} bytes", member.size))),
            ("content", content.cloned()),
            ("target", member.link.as_deref().map(shown)),
            ("extended attributes", member.attributes.clone()),
        ]
    }

    pub(super) fn summary(&self) -> String {
        let size = self.member.size;
        format!("{} of {size} bytes in layer {}", self.kind(), self.layer)
    }

    fn kind(&self) -> &'static str {
        match self.member.kind.as_byte() {
            b'0' | 0 | b'7' => "file",
            b'5' => "directory",
            b'2' => "symlink",
            b'1' => "hardlink",
            _ => "other",
        }
    }
}

impl Tree {
    pub(super) fn read(source: &Source, image: &Image) -> Result<Self, ReadError> {
        let mut tree = Self {
            entries: BTreeMap::new(),
            diff_ids: Vec::new(),
        };
        for (number, descriptor) in image.document.layers().iter().enumerate() {
            let damaged = |problem: String| {
                source.damaged(format!("layer {} {problem}", descriptor.digest()))
            };
            let Some(format) = image.format(descriptor).map_err(damaged)? else {
                tree.diff_ids.push(descriptor.digest().to_string());
                continue;
            };
            // A layer deletes what lies below it, never what is its own.
            let mut upper = BTreeMap::new();
            let content = read_layer(source.section(descriptor)?, format, |member, bytes| {
                let path = plain(&member.path);
                let name = path.rsplit('/').next().unwrap_or_default();
                let folder = &path[..path.len() - name.len()];
                if name == OPAQUE {
                    tree.entries.retain(|path, _| !path.starts_with(folder));
                } else if let Some(deleted) = name.strip_prefix(WHITEOUT) {
                    let deleted = format!("{folder}{deleted}");
                    tree.entries.remove(&deleted);
                    tree.remove_inside(&deleted);
                } else {
                    if !member.kind.is_dir() {
                        tree.remove_inside(&path);
                    }
                    let is_file = matches!(member.kind.as_byte(), b'0' | 0 | b'7');
                    let digest = is_file.then(|| digest_of(bytes)).transpose()?;
                    let digest = digest.map(|digest| digest.to_string());
                    let layer = number + 1;
                    upper.insert(
                        path,
                        Entry {
                            member,
                            digest,
                            layer,
                        },
                    );
                }
                Ok(())
            });
            let content = content.and_then(|content| Ok((content.digest, content.uncompressed?)));
            let unreadable = |error: io::Error| damaged(format!("is not a valid layer: {error}"));
            let (digest, (diff_id, _)) = content.map_err(unreadable)?;
            if digest != *descriptor.digest() {
                return Err(damaged(format!("has the content of {digest}")));
            }
            tree.entries.extend(upper);
            tree.diff_ids.push(diff_id.to_string());
        }
        Ok(tree)
    }

    /// Forgets what was in a directory of the layers below, which is no more.
    fn remove_inside(&mut self, path: &str) {
        let inside = format!("{path}/");
        let from_there = self.entries.range(inside.clone()..);
        let inside = from_there.take_while(|(other, _)| other.starts_with(&inside));
        let inside: Vec<String> = inside.map(|(other, _)| other.clone()).collect();
        for other in inside {
            self.entries.remove(&other);
        }
    }
}

fn plain(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

/// RFC 3339, with the fraction of a second that the layer gives.
fn date(mtime: &str) -> String {
    let (seconds, fraction) = mtime.split_once('.').unwrap_or((mtime, ""));
    let timestamp = seconds.parse().ok().map(jiff::Timestamp::from_second);
    match timestamp {
        Some(Ok(timestamp)) if fraction.is_empty() => timestamp.to_string(),
        Some(Ok(timestamp)) => format!("{timestamp} and 0.{fraction} s"),
        _ => mtime.to_owned(),
    }
}
