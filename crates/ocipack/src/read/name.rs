//! Names in layers, which are bytes, as text: every byte that is not UTF-8 becomes a character of
//! its own, from the end of Unicode, where nobody's names are.

/// The character of byte 0x80 is 0x80 after it.
const FIRST: u32 = 0x10_FF00;
const BYTES: std::ops::RangeInclusive<u32> = FIRST + 0x80..=FIRST + 0xFF;

/// The text of a name; [`to_bytes`] gives the name again, whatever it is.
pub(crate) fn to_text(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if BYTES.contains(&character.into()) {
                // As its bytes, or it would be taken for the byte that it stands for here.
                let mut buffer = [0; 4];
                let bytes = character.encode_utf8(&mut buffer).bytes();
                text.extend(bytes.filter_map(of_byte));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(of_byte));
    }
    text
}

/// The name that has this text.
pub(crate) fn to_bytes(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for character in text.chars() {
        match byte_of(character) {
            Some(byte) => name.push(byte),
            None => name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    name
}

/// The text for people, with `\xFF` for a byte.
pub(crate) fn shown(text: &str) -> String {
    let shown = text.chars().map(|character| match byte_of(character) {
        Some(byte) => format!("\\x{byte:02X}"),
        None => character.into(),
    });
    shown.collect()
}

fn of_byte(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

fn byte_of(character: char) -> Option<u8> {
    let number = u32::from(character);
    let byte = BYTES.contains(&number).then(|| number - FIRST);
    byte.and_then(|byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_shown_and_plain_names_are_as_they_are() {
        assert_eq!(to_text("Őr/ű".as_bytes()), "Őr/ű");
        assert_eq!(shown(&to_text(b"n\xff/\xe9")), "n\\xFF/\\xE9");
        assert_ne!(to_text(b"\xff"), to_text("\u{10FFFF}".as_bytes()));
    }

    proptest! {
        #[test]
        fn every_name_is_found_again(name: Vec<u8>, character in prop::char::range('\u{10FF00}', '\u{10FFFF}')) {
            let name = [name, character.to_string().into_bytes()].concat();
            prop_assert_eq!(to_bytes(&to_text(&name)), name);
        }
    }
}
