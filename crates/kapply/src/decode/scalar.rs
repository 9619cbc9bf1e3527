//! What a plain YAML scalar means: the rules of YAML 1.1 as kubectl reads it,
//! that is `resolve` of go-yaml v2 (`resolve.go`), where `0400` is 256, `y` is
//! true and a timestamp stays a string.

use serde_json::{Number, Value};

/// Explicit tags of the YAML core schema, without their `tag:yaml.org,2002:` prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `!!bool`
    Bool,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!null`
    Null,
}

/// The value of a plain scalar without a tag.
///
/// # Errors
/// `.inf` and `.nan`, which JSON cannot hold, and integers beyond 64 bits with
/// sign, which Kubernetes would round.
pub(crate) fn resolve(text: &str) -> Result<Value, String> {
    if let Some(value) = word(text) {
        return Ok(value);
    }
    if is_infinite_or_nan(text) {
        return Err(
            "this is no number that JSON can hold; quote it if a string is meant".to_owned(),
        );
    }
    Ok(match number(text)? {
        Some(Numeral::Integer(value)) => Value::from(value),
        Some(Numeral::Float(value)) => float(value),
        None => Value::String(text.to_owned()),
    })
}

/// The value of a scalar with an explicit tag, whatever its style.
///
/// # Errors
/// The text does not read as what the tag promises.
pub(crate) fn resolve_tagged(tag: Tag, text: &str) -> Result<Value, String> {
    let value = resolve(text)?;
    let fits = match tag {
        Tag::Bool => value.is_boolean(),
        Tag::Int => matches!(number(text), Ok(Some(Numeral::Integer(_)))),
        Tag::Float => value.is_number(),
        Tag::Null => value.is_null(),
    };
    if fits {
        Ok(value)
    } else {
        // No value is quoted in a message: it may be a Secret's.
        Err(format!("the value does not read as its tag says ({tag:?})"))
    }
}

/// A float as Go's encoding/json writes it: without a fraction it is an integer.
pub(crate) fn float(value: f64) -> Value {
    // 2^63: the first value outside i64.
    if value.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
    {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// The message about an integer that Kubernetes would round to a float.
pub(crate) fn too_large() -> String {
    "this number does not fit into a 64-bit integer, and Kubernetes would round it; quote it if a string or a quantity is meant".to_owned()
}

/// A mapping key. `written` is the text of a plain scalar: what kubectl
/// (sigs.k8s.io/yaml, `convertToJSONableObject`) would turn into another text is refused.
///
/// # Errors
/// The message for a key that readers take differently, or that is no text at all.
pub(crate) fn key(value: Value, written: Option<&str>) -> Result<String, String> {
    let read = match value {
        Value::String(text) => return Ok(text),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            // Kubernetes' tools write float keys with the 24 bits of an f32, and
            // beyond these bounds with an exponent.
            _ if !number.is_f64() => number.to_string(),
            Some(float) if (1e-4..1e6).contains(&float.abs()) => (float as f32).to_string(),
            Some(float) => format!("{float:e}"),
            None => number.to_string(),
        },
        _ => return Err("a mapping key must be a string; quote it".to_owned()),
    };
    if written == Some(&read) {
        return Ok(read);
    }
    let written = written.unwrap_or(&read);
    Err(format!(
        "the key `{written}` is no string: kubectl makes \"{read}\" of it, other readers something else; quote it"
    ))
}

fn word(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        _ => return None,
    })
}

fn is_infinite_or_nan(text: &str) -> bool {
    matches!(
        text,
        ".nan"
            | ".NaN"
            | ".NAN"
            | ".inf"
            | ".Inf"
            | ".INF"
            | "+.inf"
            | "+.Inf"
            | "+.INF"
            | "-.inf"
            | "-.Inf"
            | "-.INF"
    )
}

/// A number that was read, before JSON makes integers of whole floats.
enum Numeral {
    Integer(i64),
    Float(f64),
}

fn number(text: &str) -> Result<Option<Numeral>, String> {
    let plain = match text.as_bytes().first() {
        Some(b'+' | b'-' | b'0'..=b'9') => text.replace('_', ""),
        // Go's own ParseFloat is stricter: `_` only between digits.
        Some(b'.') if underscores_part_digits(text) => text.replace('_', ""),
        _ => return Ok(None),
    };
    if let Some(value) = integer(&plain) {
        return match i64::try_from(value) {
            Ok(value) => Ok(Some(Numeral::Integer(value))),
            Err(_) => Err(too_large()),
        };
    }
    if !is_decimal_float(&plain) {
        return Ok(None);
    }
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(&plain);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') {
        return Err(too_large());
    }
    Ok(plain
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .map(Numeral::Float))
}

fn underscores_part_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (1..bytes.len()).all(|at| bytes[at] != b'_' || (digit(at - 1) && digit(at + 1)))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: a prefix chooses the
/// base, and a leading zero alone means octal. Numbers of any base that are
/// too large for 64 bits are no integers for go-yaml.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, base).ok()?);
    Some(if negative { -magnitude } else { magnitude })
}

/// go-yaml's `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn is_decimal_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_fits
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_read_as_go_yaml_v2_reads_them() {
        for (text, expected) in [
            ("0400", json!(256)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0x10", json!(-16)),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("08", json!(8)),
            ("+5", json!(5)),
            ("-", json!("-")),
            ("1e3", json!(1000)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            (".5_0", json!(0.5)),
            ("._5", json!("._5")),
            (".", json!(".")),
            ("1e999", json!("1e999")),
            ("12:30", json!("12:30")),
            ("1:2:3", json!("1:2:3")),
            ("2001-12-14", json!("2001-12-14")),
            ("9223372036854775807", json!(i64::MAX)),
            ("1e20", json!(1e20)),
            ("0xfffffffffffffffff", json!("0xfffffffffffffffff")),
            ("-9223372036854775808", json!(i64::MIN)),
            ("y", json!(true)),
            ("Off", json!(false)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("", json!(null)),
            ("<<", json!("<<")),
            ("100m", json!("100m")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("_1", json!("_1")),
            ("1Gi", json!("1Gi")),
        ] {
            assert_eq!(resolve(text), Ok(expected), "{text:?}");
        }
        for text in [
            ".inf",
            "-.INF",
            ".nan",
            "9223372036854775808",
            "-9223372036854775809",
            "100000000000000000000",
            "0xffffffffffffffff",
        ] {
            assert!(resolve(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_decide_before_looks() {
        assert_eq!(resolve_tagged(Tag::Int, "5"), Ok(json!(5)));
        assert!(resolve_tagged(Tag::Int, "five").is_err());
        assert!(resolve_tagged(Tag::Int, "5.0").is_err());
        assert_eq!(resolve_tagged(Tag::Float, "5"), Ok(json!(5)));
        assert!(resolve_tagged(Tag::Bool, "1").is_err());
    }
}
