//! What no YAML text may hold, or what readers disagree about before any
//! syntax is looked at.

use super::{Parsed, malformed};

/// Refuses control characters, line ends that only some readers know, and
/// directives, which choose between versions of YAML.
pub(super) fn check(text: &str) -> Parsed<()> {
    let mut at_head = true;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        if let Some(message) = line.chars().find_map(complaint) {
            return Err(malformed(number, message));
        }
        if at_head && line.starts_with('%') {
            return Err(malformed(
                number,
                "directives such as %YAML are not understood by kubectl; remove the line (manifests are read as YAML 1.1, as kubectl reads them)",
            ));
        }
        let rest = line.trim();
        at_head = if at_head {
            rest.is_empty() || rest.starts_with('#')
        } else {
            line.starts_with("...") && rest == "..."
        };
    }
    Ok(())
}

fn complaint(char: char) -> Option<String> {
    let code = u32::from(char);
    match char {
        // c-printable of the YAML specification, without what is listed below.
        '\t' | '\r' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'.. => None,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some(format!(
            "the character U+{code:04X} ends a line for some readers and not for others; write it as \\u{code:04x} in double quotes"
        )),
        '\u{feff}' => Some(
            "a byte order mark (U+FEFF) inside the file, as two files put together have it; remove it"
                .to_owned(),
        ),
        _ => Some(format!(
            "the control character U+{code:04X} may not stand in YAML; write it as \\u{code:04x} in double quotes"
        )),
    }
}
