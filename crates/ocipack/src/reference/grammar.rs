//! The grammar of image references, as containerd and Docker read them
//! (<https://github.com/distribution/reference/blob/main/reference.go>).
//!
//! It is taken apart by hand: compiled as the one regular expression in which it is published, it
//! takes longer and more memory than building an image does.

use std::net::Ipv6Addr;

/// Characters of a repository (distribution/reference, `NameTotalLengthMax`).
const MAX_REPOSITORY: usize = 255;
/// Characters of a tag.
const MAX_TAG: usize = 128;
/// Hexadecimal digits of the digests that there are.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];
const DEFAULT_REGISTRY: &str = "docker.io";
/// Docker Hub's name of old.
const LEGACY_REGISTRY: &str = "index.docker.io";
/// Where Docker Hub has what belongs to nobody.
const OFFICIAL: &str = "library";

/// A reference in its parts; a missing registry is filled in, a missing tag is not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) registry: &'a str,
    pub(crate) repository: String,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

/// Takes a reference apart.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Parts<'_>, String> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon before the last slash is that of a registry's port.
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].find(':') {
        Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
        None => (rest, None),
    };
    if name.is_empty() {
        return Err("it has no repository".into());
    }
    let (first, others) = match name.split_once('/') {
        Some((first, others)) => (first, Some(others)),
        None => (name, None),
    };
    let well_formed = (is_component(first) || (others.is_some() && is_domain(first)))
        && others.is_none_or(|others| others.split('/').all(is_component));
    if !well_formed {
        return Err(format!(
            "{name:?} is not a repository, which is of small letters and digits"
        ));
    }
    if let Some(tag) = tag
        && !is_tag(tag)
    {
        return Err(format!("{tag:?} is not a tag"));
    }
    if let Some(digest) = digest
        && !is_digest(digest)
    {
        return Err(format!("{digest:?} is not a digest"));
    }
    let (registry, repository) = normal(name, first, others);
    if repository.len() > MAX_REPOSITORY {
        return Err(format!(
            "its repository is longer than {MAX_REPOSITORY} characters"
        ));
    }
    Ok(Parts {
        registry,
        repository,
        tag,
        digest,
    })
}

/// Tells a registry from the first part of a repository, and completes both.
fn normal<'a>(name: &'a str, first: &'a str, others: Option<&'a str>) -> (&'a str, String) {
    let is_registry = first.contains(['.', ':']) || first == "localhost";
    let (registry, repository) = match others {
        Some(others) if is_registry => (first, others),
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == LEGACY_REGISTRY {
        DEFAULT_REGISTRY
    } else {
        registry
    };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        return (registry, format!("{OFFICIAL}/{repository}"));
    }
    (registry, repository.to_owned())
}

/// `example.org`, `localhost:5000`, `[::1]:5000`
fn is_domain(text: &str) -> bool {
    // The colons within brackets are those of an address.
    let start = text.find(']').unwrap_or(0);
    let (host, port) = match text[start..].find(':') {
        Some(colon) => (&text[..start + colon], Some(&text[start + colon + 1..])),
        None => (text, None),
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_address = |address: &str| address.parse::<Ipv6Addr>().is_ok();
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(inside)
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    address.map_or_else(|| host.split('.').all(is_label), is_address) && port.is_none_or(is_port)
}

/// Small letters and digits, parted by one dot, one or two underscores, or hyphens.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    word(*first)
        && word(*last)
        && bytes
            .split(|byte| word(*byte))
            .all(|between| match between {
                b"" | b"." | b"_" | b"__" => true,
                hyphens => hyphens.iter().all(|byte| *byte == b'-'),
            })
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let inside = |byte: u8| word(byte) || matches!(byte, b'.' | b'-');
    text.len() <= MAX_TAG && text.bytes().next().is_some_and(word) && text.bytes().all(inside)
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, digits)| {
        ALGORITHMS.contains(&(algorithm, digits.len()))
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use oci_spec::distribution::Reference;
    use proptest::prelude::*;

    use super::*;

    /// The same by the specification's own regular expression.
    fn published(text: &str) -> Option<(String, String, Option<String>, Option<String>)> {
        let parsed: Reference = text.parse().ok()?;
        let owned = |part: Option<&str>| part.map(str::to_owned);
        // It fills in a tag where there is neither tag nor digest.
        let tag = parsed.tag().filter(|tag| text.contains(&format!(":{tag}")));
        Some((
            parsed.registry().to_owned(),
            parsed.repository().to_owned(),
            owned(tag),
            owned(parsed.digest()),
        ))
    }

    fn by_hand(text: &str) -> Option<(String, String, Option<String>, Option<String>)> {
        let parts = parse(text).ok()?;
        let owned = |part: Option<&str>| part.map(str::to_owned);
        Some((
            parts.registry.to_owned(),
            parts.repository,
            owned(parts.tag),
            owned(parts.digest),
        ))
    }

    #[test]
    fn the_edges_of_the_grammar_are_where_they_are_published() {
        let (hex, long) = ("a".repeat(64), "a".repeat(300));
        for text in [
            "",
            "a",
            "a:",
            ":1",
            "a:1/b",
            "a:1/b:2",
            "A/b",
            "A.b/c",
            "a/B",
            "a..b",
            "a.b",
            "a__b",
            "a___b",
            "a_-b",
            "a---b",
            "a-",
            "-a",
            "a.-b",
            "a/",
            "/a",
            "a//b",
            "a-.b/c",
            "a.b/c",
            "a.b:/c",
            "a.b:1x/c",
            "a:b:c",
            "localhost/a",
            "docker.io/a",
            "index.docker.io/a",
            "a:.1",
            "a:_1",
            "a:1 ",
            "a@",
            "a@sha256:",
            "a@sha1:aa",
            &format!("a@sha256:{hex}"),
            &format!("a:1@sha256:{hex}"),
            &format!("a@sha256:{hex}0"),
            &format!("a@sha512:{hex}{hex}"),
            &format!("a@sha384:{hex}{hex}"),
            &format!("a@sha256:{hex}@sha256:{hex}"),
            &format!("a:{}", &long[..128]),
            &format!("a:{}", &long[..129]),
            &long[..247],
            &long[..248],
            &format!("b.c/{}", &long[..255]),
            &format!("b.c/{}", &long[..256]),
        ] {
            assert_eq!(by_hand(text), published(text), "{text:?}");
        }
    }

    #[test]
    fn addresses_of_ipv6_are_in_brackets() {
        // The crate that the others are compared with knows none.
        for (text, registry, tag) in [
            ("[::1]/a", "[::1]", None),
            ("[::1]:5000/a:1", "[::1]:5000", Some("1")),
            ("[2001:db8::1]:5000/a", "[2001:db8::1]:5000", None),
        ] {
            let parts = parse(text).unwrap();
            assert_eq!((parts.registry, parts.tag), (registry, tag), "{text}");
            assert_eq!(parts.repository, "a");
        }
        for bad in [
            "[::1]",
            "[::1]:5000",
            "[::1/a",
            "::1/a",
            "[::1]5000/a",
            "[::1]:/a",
            "[]/a",
            "[1]/a",
            "[a.b]/a",
            "a[::1]/a",
            "[[::1]]/a",
            "]/a",
        ] {
            assert!(parse(bad).is_err(), "{bad} was taken");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_as_published(
            text in "([a-zB0-9.:_-]{1,6}/){0,2}[a-zB0-9._-]{1,8}(:[a-zB0-9._-]{0,5})?(@sha256:[a-f0-9]{63,65})?"
        ) {
            prop_assert_eq!(by_hand(&text), published(&text));
        }
    }
}
