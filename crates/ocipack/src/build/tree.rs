//! The file tree of an image: what is where, with every parent directory, in the order of paths.

use std::collections::BTreeMap;

use super::below::Below;
use crate::content::Content;
use crate::write::Folder;

/// What lies at a path.
#[derive(Debug)]
pub(crate) enum Node {
    Directory(Folder),
    File { mode: u32, content: Content },
}

/// Paths without their leading slash, so that a map's order is the order of the layer.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    below: Below,
}

impl Tree {
    /// One that comes to lie upon a base image.
    pub(crate) fn upon(below: Below) -> Self {
        Self {
            below,
            ..Self::default()
        }
    }

    /// Adds a file and its parent directories; `path` is absolute.
    pub(crate) fn add(&mut self, path: &str, mode: u32, content: Content) -> Result<(), String> {
        let relative = &self.resolve(check_path(path)?)?;
        for (slash, _) in relative.match_indices('/') {
            let parent = &relative[..slash];
            match self.nodes.get(parent) {
                None => {
                    let folder = Node::Directory(self.below.folder(parent));
                    self.nodes.insert(parent.to_owned(), folder);
                }
                Some(Node::Directory(_)) => {}
                Some(Node::File { .. }) => {
                    return Err(format!("{path}: /{parent} is a file of the image already"));
                }
            }
        }
        if self.nodes.contains_key(relative.as_str()) {
            return Err(format!(
                "{path} is in the image already; give each path once"
            ));
        }
        self.nodes
            .insert(relative.clone(), Node::File { mode, content });
        Ok(())
    }

    /// Where the base's links lead a path; a link at its very end is replaced.
    fn resolve(&self, path: &str) -> Result<String, String> {
        let Some((folder, name)) = path.rsplit_once('/') else {
            return Ok(path.to_owned());
        };
        let folder = self.below.resolve(folder)?;
        Ok(match &*folder {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        })
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }
}

/// Refuses anything but one plain spelling of an absolute path; returns it without the slash.
fn check_path(path: &str) -> Result<&str, String> {
    let relative = path
        .strip_prefix('/')
        .ok_or_else(|| format!("{path:?} is not an absolute path"))?;
    let plain =
        |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    if !relative.split('/').all(plain) {
        return Err(format!(
            "{path:?} has an empty, `.` or `..` part or a control character; write the plain path"
        ));
    }
    // A layer applies such files as deletions (image-spec, layer.md, "Whiteouts").
    if relative.split('/').any(|part| part.starts_with(".wh.")) {
        return Err(format!(
            "{path:?} has a part that starts with `.wh.`, which means a deletion in a layer"
        ));
    }
    Ok(relative)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_once() {
        let mut tree = Tree::default();
        tree.add("/etc/b/c", 0o644, Vec::new().into()).unwrap();
        tree.add("/bin/a", 0o755, Vec::new().into()).unwrap();
        tree.add("/etc/a", 0o644, Vec::new().into()).unwrap();
        let paths: Vec<&str> = tree.nodes().map(|(path, _)| path).collect();
        assert_eq!(paths, ["bin", "bin/a", "etc", "etc/a", "etc/b", "etc/b/c"]);
    }

    #[test]
    fn collisions_and_odd_paths_are_refused() {
        let mut tree = Tree::default();
        tree.add("/a/b", 0o644, Vec::new().into()).unwrap();
        for bad in [
            "/a/b", "/a", "/a/b/c", "/", "", "a", "/x/../y", "/x//y", "/x/", "/x/.", "/x\ny",
            "/.wh.a",
        ] {
            assert!(
                tree.add(bad, 0o644, Vec::new().into()).is_err(),
                "{bad:?} was taken"
            );
        }
    }
}
