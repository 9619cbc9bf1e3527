//! What a plain YAML scalar means: the rules of YAML 1.1 as kubectl reads it,
//! that is `resolve` of go-yaml v2 (`resolve.go`), where `0400` is 256, `y` is
//! true and a timestamp stays a string.

use serde_json::{Number, Value};

/// Explicit tags of the YAML core schema, without their `tag:yaml.org,2002:` prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// `!!str`, and every tag that is not known here: go-yaml keeps the text.
    Str,
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
/// `.inf` and `.nan`, which JSON cannot hold.
pub(crate) fn resolve(text: &str) -> Result<Value, String> {
    if let Some(value) = word(text) {
        return Ok(value);
    }
    if is_infinite_or_nan(text) {
        return Err(format!(
            "{text} is no number that JSON can hold; quote it if a string is meant"
        ));
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => text
            .parse()
            .ok()
            .filter(|float: &f64| is_decimal_float(text) && float.is_finite())
            .map(float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text),
        _ => None,
    };
    Ok(number.unwrap_or_else(|| Value::String(text.to_owned())))
}

/// The value of a scalar with an explicit tag, whatever its style.
///
/// # Errors
/// The text does not read as what the tag promises.
pub(crate) fn resolve_tagged(tag: Tag, text: &str) -> Result<Value, String> {
    if tag == Tag::Str {
        return Ok(Value::String(text.to_owned()));
    }
    let value = resolve(text)?;
    let fits = match tag {
        Tag::Str => true,
        Tag::Bool => value.is_boolean(),
        Tag::Int => value.is_i64() || value.is_u64(),
        Tag::Float => value.is_number(),
        Tag::Null => value.is_null(),
    };
    if fits {
        Ok(value)
    } else {
        Err(format!("`{text}` does not read as its tag says ({tag:?})"))
    }
}

/// A float as Go's encoding/json writes it: without a fraction it is an integer.
pub(crate) fn float(value: f64) -> Value {
    // 2^63 and 2^64: the first values outside i64 and u64.
    if value.fract() == 0.0
        && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value)
    {
        return Value::from(value as i64);
    }
    if value.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&value) {
        return Value::from(value as u64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A mapping key as sigs.k8s.io/yaml makes it a string (`convertToJSONableObject`).
///
/// # Errors
/// Null, integers above `i64::MAX` and collections are no keys.
pub(crate) fn key(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Number(number) if number.is_f64() => {
            Ok(short_float(number.as_f64().unwrap_or_default()))
        }
        _ => Err("a mapping key must be a string, a boolean or a number".to_owned()),
    }
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

fn number(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    if let Some(value) = integer(&plain) {
        return Some(value);
    }
    let value = plain
        .parse::<f64>()
        .ok()
        .filter(|value| is_decimal_float(&plain) && value.is_finite())?;
    Some(float(value))
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: a prefix chooses the
/// base, and a leading zero alone means octal.
fn integer(text: &str) -> Option<Value> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
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
    let value = if negative { -magnitude } else { magnitude };
    if let Ok(value) = i64::try_from(value) {
        return Some(Value::from(value));
    }
    if signed {
        None
    } else {
        u64::try_from(value).ok().map(Value::from)
    }
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

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`.
fn short_float(value: f64) -> String {
    let value = value as f32;
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
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
            (".5_0", json!(".5_0")),
            (".", json!(".")),
            ("1e999", json!("1e999")),
            ("12:30", json!("12:30")),
            ("1:2:3", json!("1:2:3")),
            ("2001-12-14", json!("2001-12-14")),
            ("18446744073709551615", json!(u64::MAX)),
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
        assert!(resolve(".inf").is_err() && resolve("-.INF").is_err() && resolve(".nan").is_err());
    }

    #[test]
    fn tags_decide_before_looks() {
        assert_eq!(resolve_tagged(Tag::Str, "0400"), Ok(json!("0400")));
        assert_eq!(resolve_tagged(Tag::Int, "5"), Ok(json!(5)));
        assert!(resolve_tagged(Tag::Int, "five").is_err());
        assert!(resolve_tagged(Tag::Bool, "1").is_err());
    }

    #[test]
    fn keys_become_strings() {
        assert_eq!(key(&json!(true)).as_deref(), Ok("true"));
        assert_eq!(key(&json!(8080)).as_deref(), Ok("8080"));
        assert_eq!(key(&json!(1.5)).as_deref(), Ok("1.5"));
        assert_eq!(key(&json!(0.000_01)).as_deref(), Ok("1e-05"));
        assert_eq!(key(&json!(1_234_567.5)).as_deref(), Ok("1.2345675e+06"));
        assert!(key(&json!(null)).is_err());
    }
}
