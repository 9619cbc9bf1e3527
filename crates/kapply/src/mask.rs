//! What must not be shown: the values of Secrets, and whatever else a rule
//! names. Everything that is printed or written passes through a [`Mask`],
//! which puts a numbered placeholder in the place of each value. The same value
//! has the same number for the whole run, so that equal and different can be
//! told apart.

mod forms;
mod message;
mod rule;
mod spot;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::core::ApiResource;
use serde_json::Value;

pub use self::rule::MaskRule;
use self::spot::{Spot, spots};
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
            message::mask_quoted(object, &masked)
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
            .map(|(bytes, hidden)| (hidden.number, forms::forms(bytes, &hidden.spellings)))
            .collect();
        drop(known);
        hidden.sort_unstable();
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
        for (_, forms) in &mut hidden {
            // A short value may be any word.
            forms.retain(|form| form.len() >= forms::TELLING);
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
    fn hidden(&self, object: &Value, spots: &[Spot]) -> Vec<(usize, Vec<String>)> {
        let mut hidden = Vec::new();
        for spot in spots {
            let Some(value) = object.pointer(&spot.pointer) else {
                continue;
            };
            let number = self.number(value, spot);
            let known = self.known();
            let bytes = spot.bytes(value);
            if let Some(entry) = known.values.get(&bytes) {
                hidden.push((number, forms::forms(&bytes, &entry.spellings)));
            }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    fn secret() -> Object {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"password": "hunter2-not-base64", "pin": 4711}, "stringData": {"token": "abc"}});
        Object {
            value,
            place: Place::file("f"),
            document: 0,
        }
    }

    #[test]
    fn equal_values_have_equal_numbers() {
        let mask = Mask::default();
        let masked = mask.object(&json!({"apiVersion": "v1", "kind": "Secret",
            "data": {"a": "aHVudGVyMg==", "b": "b3RoZXI=", "bad": "%%%", "none": null},
            "stringData": {"c": "hunter2", "d": ""}}));
        assert_eq!(
            masked["data"],
            json!({"a": "<hidden 1>", "b": "<hidden 2>", "bad": "<hidden 3>", "none": null})
        );
        assert_eq!(
            masked["stringData"],
            json!({"c": "<hidden 1>", "d": "<hidden 4>"})
        );
        let wrong = mask.object(
            &json!({"apiVersion": "v1", "kind": "Secret", "data": "hunter2",
            "stringData": {"deep": {"x": "hunter2"}}}),
        );
        assert_eq!(wrong["data"], "<hidden 1>");
        assert_eq!(wrong["stringData"], json!({"deep": "<hidden 5>"}));
    }

    #[test]
    fn copies_in_annotations_are_hidden() {
        let masked = Mask::default().object(&json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"aHVudGVyMi1sb25n\"}}",
            "example.com/copy": "a=aHVudGVyMi1sb25n hunter2-long",
            "example.com/plain": "stays"}},
        "data": {"a": "aHVudGVyMi1sb25n"}}));
        let annotations = masked["metadata"]["annotations"].as_object().unwrap();
        assert_eq!(annotations["example.com/copy"], "a=<hidden 2> <hidden 2>");
        assert_eq!(annotations["example.com/plain"], "stays");
        assert_eq!(
            annotations["kubectl.kubernetes.io/last-applied-configuration"],
            "<hidden 1>"
        );
    }

    #[test]
    fn values_never_pass() {
        let mask = Mask::default();
        for message in [
            r#"Secret "s" is invalid: data: Invalid value: "{\"password\":\"hunter2-not-base64\"}": no"#,
            "failed: .data.pin: expected string, got &value.valueUnstructured{Value:4711}",
            "decoding hunter2-not-base64 failed, abc too",
            r#"unterminated "hunter2-not-base64"#,
            "a piece: ...er2-not-b... of it",
            "in base64 aHVudGVyMi1ub3QtYmFzZTY0, YWJj",
            "bytes [104 117 110 116 101 114 50 45 110 111 116 45 98 97 115 101 54 52] [97 98 99]",
        ] {
            let masked = mask.message(&secret(), None, message);
            for value in [
                "hunter2",
                "4711",
                "abc",
                "er2-not-b",
                "aHVud",
                "YWJj",
                "97 98",
            ] {
                assert!(!masked.contains(value), "{masked}");
            }
        }
        assert_eq!(
            mask.message(
                &secret(),
                None,
                "decoding hunter2-not-base64 failed, <hidden> abc"
            ),
            "decoding <hidden 1> failed, <hidden> <hidden 3>"
        );
    }

    #[test]
    fn what_explains_stays() {
        let mask = Mask::default();
        for message in [
            r#"Secret "s" is invalid: key "password""#,
            r#"admission webhook "policy.example.com" denied the request: no"#,
            r#"secrets "s" is forbidden: User "dev" cannot patch resource "secrets" in API group "" in the namespace "shop""#,
            ".data.password: field not declared in schema",
        ] {
            assert_eq!(mask.message(&secret(), None, message), message);
        }
    }

    #[test]
    fn other_kinds_keep_their_messages_unless_a_rule_names_them() {
        let mut object = secret();
        object.value["kind"] = "ConfigMap".into();
        assert_eq!(
            Mask::default().message(&object, None, "got \"abc\""),
            "got \"abc\""
        );
        let mask = Mask::new(vec!["ConfigMap=/stringData".parse().unwrap()]);
        assert_eq!(
            mask.message(&object, None, "got \"abc\""),
            "got \"<hidden 1>\""
        );
    }

    #[test]
    fn denials_about_secrets_that_were_not_read_lose_their_words() {
        use kube::core::GroupVersionKind;

        let unread = |kind: &str, message: &str| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
            Mask::default().unread(&resource, message)
        };
        let webhook = r#"admission webhook "a.b" denied the request: it is hunter2"#;
        assert_eq!(
            unread("Secret", webhook),
            r#"admission webhook "a.b" denied the request; its words are not shown, because they may quote the Secret"#
        );
        assert_eq!(unread("ConfigMap", webhook), webhook);
        let rbac = r#"secrets "s" is forbidden: User "dev" cannot delete resource "secrets""#;
        assert_eq!(unread("Secret", rbac), rbac);
    }

    #[test]
    fn text_of_anywhere_is_scrubbed() {
        let mask = Mask::default();
        mask.learn(&secret().value);
        assert_eq!(
            mask.text("login hunter2-not-base64 ok"),
            "login <hidden 1> ok"
        );
    }
}
