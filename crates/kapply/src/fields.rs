//! Which fields of an object a manager owns: the sets that server-side apply
//! keeps in `managedFields`, in the format `FieldsV1` of structured-merge-diff.

pub(crate) mod claim;
mod doubt;
mod element;
mod json;

pub use self::{
    claim::claim,
    doubt::Doubt,
    element::{Path, PathElement},
    json::Malformed,
};

/// A set of fields, as a tree that shares the beginnings of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Sorted by element, each at most once, none of them empty.
    pub(crate) nodes: Vec<Node>,
}

/// One step of paths in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) element: PathElement,
    /// Whether the path that ends here is itself in the set.
    pub(crate) member: bool,
    /// What goes on from here.
    pub(crate) children: FieldSet,
}

impl FieldSet {
    /// Whether no field is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a field. A path without elements adds nothing.
    pub fn insert(&mut self, path: &[PathElement]) {
        let Some((element, rest)) = path.split_first() else {
            return;
        };
        let index = match self.find(element) {
            Ok(index) => index,
            Err(index) => {
                let node = Node {
                    element: element.clone(),
                    member: false,
                    children: Self::default(),
                };
                self.nodes.insert(index, node);
                index
            }
        };
        let node = &mut self.nodes[index];
        node.member |= rest.is_empty();
        node.children.insert(rest);
    }

    /// Whether this very field is in it; an owner of `.a` does not own `.a.b` by that.
    #[must_use]
    pub fn contains(&self, path: &[PathElement]) -> bool {
        let Some((element, rest)) = path.split_first() else {
            return false;
        };
        let Ok(index) = self.find(element) else {
            return false;
        };
        let node = &self.nodes[index];
        if rest.is_empty() {
            node.member
        } else {
            node.children.contains(rest)
        }
    }

    /// The fields below an element, if it or anything below it is in the set.
    pub(crate) fn below(&self, element: &PathElement) -> Option<&Self> {
        let index = self.find(element).ok()?;
        Some(&self.nodes[index].children)
    }

    /// The fields of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.nodes.clone();
        for node in &other.nodes {
            match all.binary_search_by(|known| known.element.cmp(&node.element)) {
                Ok(index) => {
                    let known = &mut all[index];
                    known.member |= node.member;
                    known.children = known.children.union(&node.children);
                }
                Err(index) => all.insert(index, node.clone()),
            }
        }
        Self { nodes: all }
    }

    /// The fields that the other set does not have.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let rest = self.nodes.iter().filter_map(|node| {
            let mut node = node.clone();
            if let Ok(index) = other.find(&node.element) {
                let theirs = &other.nodes[index];
                node.member &= !theirs.member;
                node.children = node.children.difference(&theirs.children);
            }
            (node.member || !node.children.is_empty()).then_some(node)
        });
        Self {
            nodes: rest.collect(),
        }
    }

    /// The fields below which there are no other ones in the set, in order.
    #[must_use]
    pub fn leaves(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.collect_leaves(&mut Vec::new(), &mut found);
        found
    }

    fn collect_leaves(&self, path: &mut Vec<PathElement>, found: &mut Vec<Path>) {
        for node in &self.nodes {
            path.push(node.element.clone());
            if node.children.is_empty() {
                found.push(Path(path.clone()));
            } else {
                node.children.collect_leaves(path, found);
            }
            path.pop();
        }
    }

    fn find(&self, element: &PathElement) -> Result<usize, usize> {
        self.nodes
            .binary_search_by(|node| node.element.cmp(element))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(value: &serde_json::Value) -> FieldSet {
        FieldSet::parse(value).unwrap()
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let ours = set(&json!({"f:data": {"f:a": {}, "f:b": {}}, "f:x": {".": {}, "f:y": {}}}));
        let theirs = set(&json!({"f:data": {"f:b": {}, "f:c": {}}, "f:x": {}}));
        assert_eq!(
            ours.union(&theirs),
            set(&json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}, "f:x": {".": {}, "f:y": {}}}))
        );
        assert_eq!(
            ours.difference(&theirs),
            set(&json!({"f:data": {"f:a": {}}, "f:x": {"f:y": {}}}))
        );
        assert!(ours.difference(&ours).is_empty());
    }

    #[test]
    fn members_and_leaves_are_told_apart() {
        let parsed = set(
            &json!({"f:x": {".": {}, "f:y": {}}, "f:z": {"k:{\"name\":\"a\"}": {"f:image": {}}}}),
        );
        let field = |name: &str| PathElement::Field(name.into());
        assert!(parsed.contains(&[field("x")]) && parsed.contains(&[field("x"), field("y")]));
        assert!(!parsed.contains(&[field("z")]));
        let leaves: Vec<_> = parsed.leaves().iter().map(Path::to_string).collect();
        assert_eq!(leaves, [".x.y", ".z[name=\"a\"].image"]);
    }

    #[test]
    fn inserting_makes_the_same_set_as_parsing() {
        let parsed = set(&json!({"f:b": {".": {}, "v:2": {}, "v:10": {}}, "f:a": {}}));
        let mut built = FieldSet::default();
        for path in [&["a"][..], &["b"]] {
            let path: Vec<_> = path
                .iter()
                .map(|name| PathElement::Field((*name).into()))
                .collect();
            built.insert(&path);
        }
        for number in [10, 2] {
            built.insert(&[
                PathElement::Field("b".into()),
                PathElement::Value(json!(number)),
            ]);
        }
        assert_eq!(built, parsed);
    }
}
