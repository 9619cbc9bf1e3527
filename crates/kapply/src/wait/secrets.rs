//! Logs and messages of a cluster may repeat what the input's Secrets hold.
//! Whatever is passed through goes through here first.

use std::fmt;

use k8s_openapi::ByteString;
use serde_json::Value;

use crate::{apply::mask::mask_word, resolve::Target};

/// The values of Secrets, longest first. They are never shown, not even by `Debug`.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secrets({} values)", self.0.len())
    }
}

impl Secrets {
    /// The values that the input's Secrets have, plain and in base64; of a
    /// value with several lines, every line.
    #[must_use]
    pub fn of(targets: &[Target]) -> Self {
        let mut values = Vec::new();
        for target in targets {
            let object = &target.object;
            if object.kind() != "Secret" || !object.group().is_empty() {
                continue;
            }
            for (field, is_encoded) in [("data", true), ("stringData", false)] {
                let entries = object.value[field].as_object();
                for value in entries.into_iter().flatten().map(|(_, value)| value) {
                    collect(value, is_encoded, &mut values);
                }
            }
        }
        values.retain(|value| !value.is_empty());
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// The text without any of the values.
    #[must_use]
    pub fn conceal(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in self
            .0
            .iter()
            .filter(|value| text.contains(value.as_str()))
            .collect::<Vec<_>>()
        {
            text = mask_word(&text, value);
        }
        text
    }
}

fn collect(value: &Value, is_encoded: bool, values: &mut Vec<String>) {
    let Some(text) = value.as_str() else {
        // A number where text belongs is refused by the server, but not before it is quoted.
        if value.is_number() {
            values.push(value.to_string());
        }
        return;
    };
    values.push(text.to_owned());
    let plain = if is_encoded {
        serde_json::from_value::<ByteString>(value.clone())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes.0).ok())
            .unwrap_or_default()
    } else {
        values.extend(encode(text));
        text.to_owned()
    };
    values.extend(plain.lines().map(|line| line.trim().to_owned()));
    values.push(plain);
}

fn encode(text: &str) -> Option<String> {
    let encoded = serde_json::to_value(ByteString(text.as_bytes().to_vec())).ok()?;
    encoded.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wait::selector::tests::target;

    #[test]
    fn no_form_of_a_value_passes() {
        let mut secret = target("v1", "Secret", "s");
        secret.object.value["data"] =
            json!({"password": "aHVudGVyMi1pcy1sb25n", "pin": "NDcxMQ=="});
        secret.object.value["stringData"] = json!({"key": "-----BEGIN\nMIIEabcdef\n-----END"});
        let secrets = Secrets::of(&[secret]);
        let log = "login hunter2-is-long failed; raw aHVudGVyMi1pcy1sb25n; pin 4711 but not 147110; MIIEabcdef";
        assert_eq!(
            secrets.conceal(log),
            "login *** failed; raw ***; pin *** but not 147110; ***"
        );
        assert_eq!(format!("{secrets:?}").matches("hunter2").count(), 0);
    }

    #[test]
    fn other_objects_hide_nothing() {
        let mut config = target("v1", "ConfigMap", "c");
        config.object.value["data"] = json!({"a": "visible"});
        assert_eq!(Secrets::of(&[config]).conceal("visible"), "visible");
    }
}
