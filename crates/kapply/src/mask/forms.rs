//! The ways in which a value may be written in somebody else's message.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE},
};

/// From this length on a match is no coincidence, wherever it stands.
pub(super) const TELLING: usize = 6;

/// The value as text, base64, hexadecimal and numbers of bytes (Go's `%s`,
/// `%x`, `%v` and `%#v`), as it was spelled, and each text as it looks inside
/// of quotes, and inside of quotes within quotes. Longest first.
pub(super) fn forms(bytes: &[u8], spellings: &[String]) -> Vec<String> {
    let mut texts = spellings.to_vec();
    texts.push(String::from_utf8_lossy(bytes).into_owned());
    // Somebody may have encoded twice.
    if let Some(inner) = STANDARD
        .decode(bytes)
        .ok()
        .and_then(|inner| String::from_utf8(inner).ok())
    {
        texts.push(inner);
    }
    // Logs are read line by line. A short line says nothing, and is part of too much.
    let lines = String::from_utf8_lossy(bytes);
    let lines = lines.lines().map(str::trim);
    texts.extend(
        lines
            .filter(|line| line.len() >= TELLING)
            .map(str::to_owned),
    );
    texts.extend([
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        list(bytes, " ", |text, byte| write!(text, "{byte}")),
        list(bytes, ", ", |text, byte| write!(text, "0x{byte:x}")),
        list(bytes, "", |text, byte| write!(text, "{byte:02x}")),
        list(bytes, "", |text, byte| write!(text, "{byte:02X}")),
    ]);
    let mut forms = Vec::new();
    for text in texts {
        let once = quoted(&text);
        let twice = quoted(&once);
        forms.extend([twice, once, text.trim().to_owned(), text]);
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
    forms.dedup();
    forms
}

/// What stands between the quotes of a JSON string; Go's `%q` is the same for all that is printable.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

fn list(
    bytes: &[u8],
    separator: &str,
    one: impl Fn(&mut String, u8) -> std::fmt::Result,
) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        // Writing to a String cannot fail.
        let _ = one(&mut text, *byte);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_it_is_there() {
        let forms = forms(b"a\"b\n", &[]);
        for form in [
            "a\"b",
            "a\"b\n",
            "a\\\"b\\n",
            "a\\\\\\\"b\\\\n",
            "YSJiCg==",
            "YSJiCg",
            "97 34 98 10",
            "0x61, 0x22, 0x62, 0xa",
            "6122620a",
        ] {
            assert!(forms.iter().any(|found| found == form), "{form} {forms:?}");
        }
    }
}
