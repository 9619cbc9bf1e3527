//! Durations as kubectl writes them: Go's `5m`, `90s`, `1h30m`, and a bare 0.

use std::time::Duration;

use jiff::SignedDuration;

/// A duration that is not negative.
///
/// # Errors
/// A text that is none, in words for people.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: SignedDuration = text
        .parse()
        .map_err(|_| "write a number with a unit, such as 90s, 5m or 1h30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a timeout cannot be negative; 0 looks once".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, seconds) in [
            ("0", 0.0),
            ("90s", 90.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "5", "-5s", "five"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
