//! The compact form of a kind's schema: what server-side apply and validation
//! ask of a field, and nothing else. Types live in one list and refer to each
//! other by index, because some kinds contain themselves.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Index of the type whose content decides: maps are merged, lists are atomic.
pub(super) const DEDUCED: u32 = 0;
/// Index of the type whose content is one atomic value.
pub(super) const UNTYPED: u32 = 1;

/// One type. Its meaning follows the conversion that the API server itself
/// does (kube-openapi, `pkg/schemaconv`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Type {
    #[serde(rename = "s", skip_serializing_if = "is_default")]
    pub(crate) shape: Shape,
    #[serde(rename = "p", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) properties: BTreeMap<Box<str>, Property>,
    /// The type of keys that are no properties; without it there are none.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub(crate) additional: Option<Edge>,
    #[serde(rename = "i", skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<Edge>,
    #[serde(rename = "l", skip_serializing_if = "is_default")]
    pub(crate) list: List,
    /// Whether an object of this type is owned as a whole.
    #[serde(rename = "a", skip_serializing_if = "is_default")]
    pub(crate) atomic: bool,
    /// Properties without which the server refuses a new object.
    #[serde(rename = "r", skip_serializing_if = "Vec::is_empty")]
    pub(crate) required: Vec<Box<str>>,
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    pub(crate) rules: Option<Box<Rules>>,
}

impl Type {
    /// The use of a type that a key of an object leads to, and whether the
    /// schema declares that key.
    pub(crate) fn member(&self, key: &str) -> Option<(Edge, bool)> {
        match self.properties.get(key) {
            Some(property) => Some((property.edge, true)),
            None => Some((self.additional?, false)),
        }
    }
}

/// What values a type takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// Everything.
    #[default]
    #[serde(rename = "a")]
    Any,
    /// A string or a number, as a quantity may be given.
    #[serde(rename = "q")]
    Quantity,
    /// A string or an integer, as a port may be given.
    #[serde(rename = "x")]
    IntOrString,
    #[serde(rename = "o")]
    Object,
    #[serde(rename = "l")]
    Array,
    #[serde(rename = "s")]
    String,
    #[serde(rename = "i")]
    Integer,
    #[serde(rename = "n")]
    Number,
    #[serde(rename = "b")]
    Boolean,
}

impl Shape {
    /// Whether the server's merge takes the value; null it takes everywhere.
    pub(crate) fn takes(self, value: &Value) -> bool {
        value.is_null()
            || match self {
                Self::Any => true,
                Self::Quantity | Self::IntOrString => value.is_string() || value.is_number(),
                Self::Object => value.is_object(),
                Self::Array => value.is_array(),
                Self::String => value.is_string(),
                Self::Integer | Self::Number => value.is_number(),
                Self::Boolean => value.is_boolean(),
            }
    }

    /// What it is called in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Quantity => "a quantity, such as 2 or \"500m\"",
            Self::IntOrString => "a whole number or a string",
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

/// How the items of a list are owned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum List {
    /// All by one manager.
    #[default]
    #[serde(rename = "a")]
    Atomic,
    /// Each by its value.
    #[serde(rename = "s")]
    Set,
    /// Each by the values of these fields.
    #[serde(rename = "m")]
    Map(Vec<Box<str>>),
}

/// A use of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Edge {
    #[serde(rename = "t")]
    pub(crate) to: u32,
    /// Set where this use of the type says otherwise than the type itself.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(crate) atomic: Option<bool>,
}

impl Edge {
    pub(super) fn to(to: u32) -> Self {
        Self { to, atomic: None }
    }
}

/// A named field of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Property {
    #[serde(flatten)]
    pub(crate) edge: Edge,
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Value>,
}

/// What the server checks besides the type. Lengths are in characters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rules {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<Pattern>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) minimum: Option<f64>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) above_minimum: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) maximum: Option<f64>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) below_maximum: bool,
    /// Whether a string is base64 of bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) base64: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) length: Bounds,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) items: Bounds,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) properties: Bounds,
}

/// The least and the greatest count, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds(pub(crate) Option<u64>, pub(crate) Option<u64>);

/// A regular expression, compiled when it is first needed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct Pattern {
    pub(crate) text: String,
    compiled: OnceLock<Option<regex::Regex>>,
}

impl Pattern {
    /// Whether the text surely does not match. The server's expressions are
    /// RE2 ones: they mean the same here for ASCII text, and where they are
    /// not understood nothing is refused.
    pub(crate) fn refuses(&self, text: &str) -> bool {
        let compiled = self
            .compiled
            .get_or_init(|| regex::Regex::new(&self.text).ok());
        text.is_ascii()
            && compiled
                .as_ref()
                .is_some_and(|pattern| !pattern.is_match(text))
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

/// The two types that need no schema.
pub(super) fn without_schema() -> Vec<Type> {
    let deduced = Type {
        additional: Some(Edge::to(DEDUCED)),
        items: Some(Edge::to(UNTYPED)),
        ..Type::default()
    };
    let untyped = Type {
        additional: Some(Edge::to(UNTYPED)),
        items: Some(Edge::to(UNTYPED)),
        atomic: true,
        ..Type::default()
    };
    vec![deduced, untyped]
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
