//! `--image NAME=REF`: the image of every container with that image name, in
//! every pod template of the input.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde_json::Value;

use super::template;
use crate::object::Object;

/// One `--image NAME=REF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOverride {
    /// The name to look for: an image without tag and digest.
    pub name: String,
    /// The reference to put in its place.
    pub reference: String,
}

impl ImageOverride {
    /// Sets the image wherever the object's pod template names it; gives back how often.
    pub(crate) fn apply(&self, object: &mut Object) -> usize {
        let mut count = 0;
        for image in images(object) {
            if image
                .as_str()
                .is_some_and(|image| image_name(image) == self.name)
            {
                *image = Value::String(self.reference.clone());
                count += 1;
            }
        }
        count
    }
}

impl fmt::Display for ImageOverride {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}={}", self.name, self.reference)
    }
}

impl FromStr for ImageOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reference) = text
            .split_once('=')
            .ok_or("write NAME=REF, such as web=registry.example/web:1.2")?;
        check_reference(name).map_err(|error| format!("the name `{name}`: {error}"))?;
        if image_name(name) != name {
            return Err(format!(
                "the name `{name}` may carry no tag or digest: images are found by name alone"
            ));
        }
        check_reference(reference)
            .map_err(|error| format!("the reference `{reference}`: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            reference: reference.to_owned(),
        })
    }
}

/// ` (the input has: a, b)`, for a message about a name that is not there.
pub(crate) fn known_names(objects: &mut [Object]) -> String {
    let mut names = BTreeSet::new();
    for object in objects {
        names.extend(
            images(object)
                .into_iter()
                .filter_map(|image| image.as_str())
                .map(|image| image_name(image).to_owned()),
        );
    }
    if names.is_empty() {
        return String::new();
    }
    format!(
        " (there are: {})",
        names.into_iter().collect::<Vec<_>>().join(", ")
    )
}

/// The image fields of all containers and image volumes of the object's pod template, if it has one.
fn images(object: &mut Object) -> Vec<&mut Value> {
    let Some(template) = template::pointer(object) else {
        return Vec::new();
    };
    let pod = object.value.pointer_mut(&format!("{template}/spec"));
    let Some(Value::Object(pod)) = pod else {
        return Vec::new();
    };
    pod.iter_mut()
        .filter_map(|(key, list)| {
            let image = match key.as_str() {
                "containers" | "initContainers" | "ephemeralContainers" => "/image",
                "volumes" => "/image/reference",
                _ => return None,
            };
            Some((image, list.as_array_mut()?))
        })
        .flat_map(|(image, list)| list.iter_mut().filter_map(|item| item.pointer_mut(image)))
        .collect()
}

/// An image without its tag and digest.
fn image_name(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let last = image.rfind('/').map_or(0, |at| at + 1);
    image[last..]
        .find(':')
        .map_or(image, |at| &image[..last + at])
}

/// The grammar of github.com/distribution/reference: `[HOST/]PATH[:TAG][@DIGEST]`.
fn check_reference(reference: &str) -> Result<(), String> {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    if let Some(digest) = digest {
        check_digest(digest)?;
    }
    let name = image_name(rest);
    if let Some(tag) = rest[name.len()..].strip_prefix(':') {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = tag
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-')
            && tag.bytes().next().is_some_and(word);
        if !fits || tag.len() > 128 {
            return Err(format!(
                "`{tag}` is no tag: letters, digits, `_`, `.` and `-`, at most 128"
            ));
        }
    }
    let mut parts: Vec<_> = name.split('/').collect();
    let has_host = parts.len() > 1
        && (parts[0].contains(['.', ':']) || parts[0] == "localhost" || parts[0].starts_with('['));
    if has_host {
        let host = parts.remove(0);
        if host.is_empty()
            || !host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        {
            return Err(format!("`{host}` is no registry host"));
        }
    }
    let part_fits = |part: &&str| {
        let edge = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        edge(part.bytes().next())
            && edge(part.bytes().last())
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            })
    };
    match parts.iter().find(|part| !part_fits(part)) {
        Some(part) => Err(format!(
            "`{part}` is no part of an image name: lower-case letters and digits, with `.`, `_` or `-` between"
        )),
        None => Ok(()),
    }
}

fn check_digest(digest: &str) -> Result<(), String> {
    let (algorithm, hex) = digest.split_once(':').unwrap_or((digest, ""));
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => {
            return Err(format!(
                "`{digest}` is no digest: write sha256: and 64 hexadecimal digits"
            ));
        }
    };
    if hex.len() != length
        || !hex
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    {
        return Err(format!(
            "`{digest}` is no digest: {algorithm} has {length} hexadecimal digits (0-9, a-f), this has {}",
            hex.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    #[test]
    fn names_end_at_tag_and_digest() {
        for (image, name) in [
            ("web", "web"),
            ("web:1", "web"),
            ("host:5000/a/web", "host:5000/a/web"),
            ("host:5000/a/web:1.2@sha256:abc", "host:5000/a/web"),
        ] {
            assert_eq!(image_name(image), name);
        }
    }

    #[test]
    fn references_are_checked() {
        let hex = "0123456789abcdef".repeat(4);
        for good in [
            format!("web=r.example:5000/a/web@sha256:{hex}"),
            "a/web=web:v1.2_3".into(),
            "web=localhost/web".into(),
        ] {
            assert!(good.parse::<ImageOverride>().is_ok(), "{good}");
        }
        for bad in [
            "web",
            "web=",
            "=web",
            "web=Web",
            "web:1=web",
            "web=web@sha256:12",
            "web=web@md5:1",
            "web=a b",
            "web=web:",
            "web=web:-x",
            "web=a//b",
        ] {
            assert!(bad.parse::<ImageOverride>().is_err(), "{bad}");
        }
        let short = "web=web@sha256:12".parse::<ImageOverride>().unwrap_err();
        assert!(short.contains("64 hexadecimal digits"), "{short}");
    }

    #[test]
    fn every_container_of_every_template_is_reached() {
        let pod = json!({"spec": {
            "initContainers": [{"image": "web:1"}],
            "containers": [{"image": "web"}, {"image": "other/web"}, {"name": "none"}],
            "ephemeralContainers": [{"image": "web@sha256:00"}],
            "volumes": [{"name": "a", "image": {"reference": "web:3"}}, {"name": "b", "emptyDir": {}}],
        }});
        let under_template = json!({"spec": {"template": pod}});
        for (kind, api, value) in [
            ("Pod", "v1", pod.clone()),
            ("PodTemplate", "v1", json!({"template": pod})),
            ("ReplicationController", "v1", under_template.clone()),
            ("Deployment", "apps/v1", under_template.clone()),
            ("StatefulSet", "apps/v1", under_template.clone()),
            ("DaemonSet", "apps/v1", under_template.clone()),
            ("ReplicaSet", "apps/v1", under_template.clone()),
            ("Job", "batch/v1", under_template.clone()),
            ("Rollout", "argoproj.io/v1alpha1", under_template.clone()),
            (
                "CronJob",
                "batch/v1",
                json!({"spec": {"jobTemplate": {"spec": {"template": pod}}}}),
            ),
        ] {
            let mut value = value;
            value["kind"] = kind.into();
            value["apiVersion"] = api.into();
            let mut object = Object {
                value,
                place: Place::file("f"),
                document: 0,
            };
            let set: ImageOverride = "web=r.example/web:2".parse().unwrap();
            assert_eq!(set.apply(&mut object), 4, "{kind}");
            assert_eq!(
                images(&mut object)
                    .iter()
                    .filter(|image| **image == "r.example/web:2")
                    .count(),
                4
            );
        }
    }
}
