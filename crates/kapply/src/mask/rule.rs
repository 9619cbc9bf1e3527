//! `--mask KIND[.GROUP]=/json/pointer`: values of other kinds that are hidden, too.

use std::{fmt, str::FromStr};

/// Hides one place of all objects of a kind. Where the place holds a map, each
/// of its members is a value of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRule {
    /// The kind, such as `ConfigMap`.
    pub kind: String,
    /// Its API group; empty for the core group.
    pub group: String,
    /// The parts of the JSON Pointer, unescaped; `*` stands for any member or item.
    pub path: Vec<String>,
}

impl FromStr for MaskRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no KIND[.GROUP]=/json/pointer, such as ConfigMap=/data or Widget.example.com=/spec/token"
            )
        };
        let (kind, pointer) = text.split_once('=').ok_or_else(wrong)?;
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        let path = pointer.strip_prefix('/').ok_or_else(wrong)?;
        if kind.is_empty() || path.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            kind: kind.to_owned(),
            group: group.to_owned(),
            // RFC 6901, section 4: first ~1, then ~0.
            path: path
                .split('/')
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect(),
        })
    }
}

impl fmt::Display for MaskRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(out, ".{}", self.group)?;
        }
        out.write_str("=")?;
        self.path
            .iter()
            .try_for_each(|part| write!(out, "/{}", crate::diff::escape(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_shown() {
        for text in ["ConfigMap=/data", "Widget.example.com=/spec/a~1b/*/token"] {
            assert_eq!(text.parse::<MaskRule>().unwrap().to_string(), text);
        }
        for text in ["", "ConfigMap", "=/data", "ConfigMap=data", "ConfigMap=/"] {
            assert!(text.parse::<MaskRule>().is_err(), "{text}");
        }
    }
}
