//! What must not be shown: the values of Secrets, and whatever else a rule
//! names. Everything that is printed or written passes through a [`Mask`],
//! which puts a numbered placeholder in the place of each value. The same value
//! has the same number for the whole run, so that equal and different can be
//! told apart.

mod forms;
mod message;
mod rule;
mod spot;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::core::ApiResource;
use serde_json::Value;

pub use self::rule::MaskRule;
use self::{
    message::Sought,
    spot::{Spot, spots},
};
use crate::{object::Object, plan::Live};

/// Hides values, and remembers which number each one has. A copy shares the numbers.
#[derive(Clone, Default)]
pub struct Mask {
    rules: Arc<[MaskRule]>,
    known: Arc<Mutex<Known>>,
}

/// Every value that was met, by its bytes: the data of a Secret and its
/// stringData are the same value where they mean the same bytes.
#[derive(Default)]
struct Known {
    values: HashMap<Vec<u8>, Hidden>,
}

#[derive(Clone, Default)]
struct Hidden {
    number: usize,
    /// How it was spelled, where that is not its bytes, such as base64 of the input.
    spellings: Vec<String>,
    /// Whether it is more than a copy of what anybody may read.
    is_secret: bool,
}

impl Hidden {
    fn sought(&self, bytes: &[u8]) -> Sought {
        Sought {
            number: self.number,
            forms: forms::forms(bytes, &self.spellings),
            whole: !self.is_secret,
        }
    }
}

impl Mask {
    /// A mask for Secrets and for what the rules name.
    #[must_use]
    pub fn new(rules: Vec<MaskRule>) -> Self {
        Self {
            rules: rules.into(),
            known: Arc::default(),
        }
    }

    /// The same rules, with numbers that start again.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self {
            rules: self.rules.clone(),
            known: Arc::default(),
        }
    }

    /// Remembers the hidden values of an object, so that they are recognised wherever they turn up.
    pub fn learn(&self, object: &Value) {
        for spot in spots(object, &self.rules) {
            if let Some(value) = object.pointer(&spot.pointer) {
                self.number(value, &spot);
            }
        }
    }

    /// The object with placeholders for its hidden values.
    #[must_use]
    pub fn object(&self, object: &Value) -> Value {
        let mut masked = object.clone();
        let spots = spots(object, &self.rules);
        for spot in &spots {
            if let Some(value) = masked.pointer_mut(&spot.pointer)
                && !value.is_null()
            {
                *value = placeholder(self.number(value, spot)).into();
            }
        }
        self.clean_annotations(object, &spots, &mut masked);
        masked
    }

    /// A message about an object, such as the API server's, which quotes what
    /// it refuses, without anything that may come from a hidden value of it as
    /// it is in the input or live.
    #[must_use]
    pub fn message(&self, object: &Object, live: Option<&Live>, message: &str) -> String {
        let mut hidden = self.hidden(&object.value, &spots(&object.value, &self.rules));
        if let Some(Live { value }) = live {
            hidden.extend(self.hidden(value, &spots(value, &self.rules)));
        }
        let masked = message::scrub(message, &hidden);
        if spot::is_secret(&object.value) {
            message::mask_characters(&message::mask_quoted(object, &masked))
        } else {
            masked
        }
    }

    /// A message about an object of which no more than the metadata was read:
    /// what admission says about a Secret is left out, since its values are not known.
    #[must_use]
    pub fn unread(&self, resource: &ApiResource, message: &str) -> String {
        let masked = self.text(message);
        let is_secret = resource.kind == "Secret" && resource.group.is_empty();
        match message::denial(&masked) {
            Some(denial) if is_secret => {
                format!("{denial}; its words are not shown, because they may quote the Secret")
            }
            _ => masked,
        }
    }

    /// Any text, such as a line of a log, without the hidden values of all
    /// objects that were met so far.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let known = self.known();
        let mut hidden: Vec<_> = known
            .values
            .iter()
            .map(|(bytes, hidden)| hidden.sought(bytes))
            .collect();
        drop(known);
        hidden.sort_unstable_by_key(|value| value.number);
        message::scrub(text, &hidden)
    }

    /// Annotations of tools may hold a copy of the object that carries them.
    fn clean_annotations(&self, object: &Value, spots: &[Spot], masked: &mut Value) {
        let Some(annotations) = masked
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut)
        else {
            return;
        };
        let mut hidden = self.hidden(object, spots);
        for value in &mut hidden {
            // A short value may be any word.
            value.forms.retain(|form| form.len() >= forms::TELLING);
        }
        for value in annotations.values_mut() {
            if let Some(text) = value.as_str()
                && !hidden.is_empty()
            {
                let scrubbed = message::scrub(text, &hidden);
                *value = scrubbed.into();
            }
        }
    }

    /// The numbers and forms of an object's hidden values.
    fn hidden(&self, object: &Value, spots: &[Spot]) -> Vec<Sought> {
        let mut hidden = Vec::new();
        for spot in spots {
            let Some(value) = object.pointer(&spot.pointer) else {
                continue;
            };
            self.number(value, spot);
            let known = self.known();
            let bytes = spot.bytes(value);
            hidden.extend(known.values.get(&bytes).map(|entry| entry.sought(&bytes)));
        }
        hidden
    }

    /// The value's number; a value that was not met before gets the next one.
    fn number(&self, value: &Value, spot: &Spot) -> usize {
        let mut known = self.known();
        let next = known.values.len() + 1;
        let hidden = known.values.entry(spot.bytes(value)).or_default();
        if hidden.number == 0 {
            hidden.number = next;
        }
        hidden.is_secret |= !spot.is_public;
        let spelling = spot::text(value);
        if !hidden.spellings.contains(&spelling) {
            hidden.spellings.push(spelling);
        }
        hidden.number
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Mask")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn placeholder(number: usize) -> String {
    format!("<hidden {number}>")
}
