//! Labels of sets that were copied along with an object.

use super::warning;
use crate::{problem::Problem, resolve::Target, set::marks::PART_OF};

/// The label that makes the object a member of a set, which nobody asked for here:
/// with `--applyset` it is set anew, and refused in the manifest.
pub(super) fn membership(target: &Target) -> Option<Problem> {
    let labels = &target.object.value["metadata"]["labels"];
    labels[PART_OF].as_str()?;
    let pointer = format!("/metadata/labels/{}", PART_OF.replace('/', "~1"));
    let message = format!(
        "its label {PART_OF} makes it a member of a set, whose next prune deletes it unless that input has it; remove the label, or apply it with --applyset"
    );
    Some(warning(target, &pointer, &message))
}
