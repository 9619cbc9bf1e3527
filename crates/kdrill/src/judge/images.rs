//! Do the containers run what was built? A runtime names a container's image by the digest of its
//! configuration, of its manifest or of the index that it was pulled by.

use std::collections::BTreeSet;

use crate::{cluster::view::View, timeline::document::Check};

/// Judges that every running container's image has one of the digests; `None` when there is no
/// such demand.
#[must_use]
pub fn judge(view: &View, digests: &[String]) -> Option<Check> {
    if digests.is_empty() {
        return None;
    }
    let ready = view.ready_names();
    let running: Vec<_> = ready
        .iter()
        .filter_map(|name| Some((name, view.pods.get(name)?)))
        .flat_map(|(name, pod)| pod.images.iter().map(move |image| (name, image)))
        .collect();
    let found: BTreeSet<&str> = running.iter().map(|(_, image)| digest(image)).collect();
    let strangers: Vec<_> = running
        .iter()
        .filter(|(_, image)| !digests.iter().any(|known| known == digest(image)))
        .map(|(pod, image)| format!("{pod} runs {image}"))
        .collect();
    Some(Check {
        promise: "every container runs the image that was built".to_owned(),
        measured: if strangers.is_empty() {
            let found: Vec<_> = found.into_iter().collect();
            format!("{} containers of {}", running.len(), found.join(", "))
        } else {
            strangers.join(", ")
        },
        limit: digests.join(" or "),
        held: !running.is_empty() && strangers.is_empty(),
    })
}

/// The digest at the end of an imageID such as `repo@sha256:…` or `sha256:…`.
fn digest(image: &str) -> &str {
    image.rsplit_once('@').map_or(image, |(_, digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::view::tests::view;

    #[test]
    fn one_container_of_another_image_breaks_it() {
        let mut view = view(&["a@n1", "b@n2"], &["n1", "n2"]);
        view.pods.get_mut("a").unwrap().images = vec!["r.example/web@sha256:11".to_owned()];
        view.pods.get_mut("b").unwrap().images = vec!["sha256:22".to_owned()];
        let built = ["sha256:11", "sha256:22"].map(str::to_owned);
        assert!(judge(&view, &built).unwrap().held);
        let broken = judge(&view, &built[..1]).unwrap();
        assert!(!broken.held);
        assert_eq!(broken.measured, "b runs sha256:22");
        assert_eq!(judge(&view, &[]), None);
    }

    #[test]
    fn no_container_proves_nothing() {
        let view = view(&["a@n1"], &["n1"]);
        assert!(!judge(&view, &["sha256:11".to_owned()]).unwrap().held);
    }
}
