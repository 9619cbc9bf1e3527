//! The folders of a base image, and the links that stand for some: what is put upon the base goes
//! where a program finds it there, and leaves the folders on the way as they are.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use tar::EntryType;

use super::epoch::Epoch;
use crate::compression::Format;
use crate::content::Section;
use crate::read::{LayerContent, Member, read_layer};
use crate::write::Folder;

/// Names of deletions (image-spec, layer.md, "Whiteouts").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// Links that are followed on one way, as Linux does.
const MAX_LINKS: usize = 40;

/// Folders and symbolic links by their paths, without slashes around them.
#[derive(Debug, Default)]
pub(crate) struct Below {
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug)]
enum Node {
    Folder(Folder),
    Link(String),
}

impl Below {
    /// Takes a layer in, which lies upon those that were taken in before.
    pub(crate) fn layer(&mut self, blob: Section, format: Format) -> io::Result<LayerContent> {
        // A layer deletes what lies below it, never what is its own.
        let mut upper = BTreeMap::new();
        let content = read_layer(blob, format, |member, _| {
            self.entry(&member, &mut upper);
            Ok(())
        })?;
        self.nodes.append(&mut upper);
        Ok(content)
    }

    fn entry(&mut self, member: &Member, upper: &mut BTreeMap<String, Node>) {
        let parts: Vec<&str> = parts(&member.path).collect();
        let path = parts.join("/");
        let name = parts.last().copied().unwrap_or_default();
        let folder = path.strip_suffix(name).unwrap_or_default();
        if name == OPAQUE {
            self.nodes.retain(|path, _| !path.starts_with(folder));
        } else if let Some(deleted) = name.strip_prefix(WHITEOUT) {
            self.remove(&format!("{folder}{deleted}"));
        } else if member.kind == EntryType::Directory {
            upper.insert(path, Node::Folder(attributes(member)));
        } else {
            self.remove(&path);
            upper.remove(&path);
            if member.kind == EntryType::Symlink {
                let target = member.link.clone().unwrap_or_default();
                upper.insert(path, Node::Link(target));
            }
        }
    }

    fn remove(&mut self, path: &str) {
        self.nodes.remove(path);
        // Side by side: there may be as many calls as there are files.
        let inside = format!("{path}/");
        let from_there = self.nodes.range(inside.clone()..);
        let inside = from_there.take_while(|(other, _)| other.starts_with(&inside));
        let inside: Vec<String> = inside.map(|(other, _)| other.clone()).collect();
        for other in inside {
            self.nodes.remove(&other);
        }
    }

    /// What a folder of the base is like; as a new one is, if the base has none there.
    pub(crate) fn folder(&self, path: &str) -> Folder {
        match self.nodes.get(path) {
            Some(Node::Folder(folder)) => *folder,
            _ => Folder::default(),
        }
    }

    /// The folder to which a path leads in the base.
    pub(crate) fn resolve(&self, path: &str) -> Result<String, String> {
        let mut left: VecDeque<&str> = parts(path).collect();
        let mut found: Vec<&str> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                found.pop();
                continue;
            }
            found.push(part);
            let Some(Node::Link(target)) = self.nodes.get(&found.join("/")) else {
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(format!("/{path} leads in a circle in the base image"));
            }
            found.pop();
            if target.starts_with('/') {
                found.clear();
            }
            for part in parts(target).collect::<Vec<_>>().into_iter().rev() {
                left.push_front(part);
            }
        }
        Ok(found.join("/"))
    }
}

fn attributes(member: &Member) -> Folder {
    let seconds = member.mtime.split('.').next();
    Folder {
        mode: member.mode & 0o7777,
        uid: member.uid,
        gid: member.gid,
        epoch: seconds.and_then(|seconds| seconds.parse::<Epoch>().ok()),
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(layers: &[&[(&str, EntryType, &str)]]) -> Below {
        let mut below = Below::default();
        for layer in layers {
            let mut upper = BTreeMap::new();
            for (path, kind, link) in *layer {
                let member = Member {
                    path: (*path).into(),
                    link: Some((*link).into()),
                    kind: *kind,
                    mode: 0o1777,
                    uid: 7,
                    gid: 8,
                    mtime: "9.5".into(),
                    attributes: None,
                    size: 0,
                    position: 0,
                };
                below.entry(&member, &mut upper);
            }
            below.nodes.append(&mut upper);
        }
        below
    }

    const FOLDER: EntryType = EntryType::Directory;
    const LINK: EntryType = EntryType::Symlink;
    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn links_lead_as_in_a_container() {
        let below = below(&[&[
            ("./bin", LINK, "usr/bin"),
            ("usr/local/up", LINK, "../../opt/"),
            ("opt", LINK, "/srv/../../data"),
            ("a", LINK, "b"),
            ("b", LINK, "a"),
        ]]);
        for (path, to) in [
            ("", ""),
            ("bin", "usr/bin"),
            ("usr/bin", "usr/bin"),
            ("bin/x", "usr/bin/x"),
            ("usr/local/up/x", "data/x"),
        ] {
            assert_eq!(below.resolve(path).as_deref(), Ok(to), "{path}");
        }
        assert!(below.resolve("a/x").unwrap_err().contains("in a circle"));
    }

    #[test]
    fn the_topmost_layer_counts() {
        let below = below(&[
            &[
                ("tmp/", FOLDER, ""),
                ("gone/", FOLDER, ""),
                ("gone/in/", FOLDER, ""),
                ("file/", FOLDER, ""),
                ("bin", LINK, "usr/bin"),
                ("lib", LINK, "usr/lib"),
                ("full/link", LINK, "x"),
            ],
            &[
                (".wh.gone", FILE, ""),
                ("file", FILE, ""),
                ("lib/", FOLDER, ""),
                ("full/.wh..wh..opq", FILE, ""),
            ],
        ]);
        let kept = Folder {
            mode: 0o1777,
            uid: 7,
            gid: 8,
            epoch: "9".parse().ok(),
        };
        assert_eq!(below.folder("tmp"), kept);
        for new in ["gone", "gone/in", "file", "bin", "elsewhere"] {
            assert_eq!(below.folder(new), Folder::default(), "{new}");
        }
        for (path, to) in [
            ("bin", "usr/bin"),
            ("lib", "lib"),
            ("full/link", "full/link"),
        ] {
            assert_eq!(below.resolve(path).as_deref(), Ok(to));
        }
    }
}
