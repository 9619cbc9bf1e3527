//! The one time stamp of a build, as <https://reproducible-builds.org/specs/source-date-epoch/>.

use std::str::FromStr;

/// The largest time that a ustar header holds (11 octal digits): the year 2242.
const MAX_SECONDS: u64 = 0o77_777_777_777;

/// Seconds since 1970-01-01T00:00:00Z; the default is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Epoch(u64);

/// A `SOURCE_DATE_EPOCH` that was refused.
#[derive(Debug, thiserror::Error)]
#[error(
    "SOURCE_DATE_EPOCH={0:?} is not a number of seconds from 0 to {MAX_SECONDS}; fix or unset it"
)]
pub struct EpochError(String);

impl Epoch {
    /// The number of seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// RFC 3339 in UTC, as `created` wants it.
    pub(crate) fn rfc3339(self) -> String {
        jiff::Timestamp::from_second(self.0.cast_signed())
            .expect("a time up to the year 2242 is a time stamp")
            .to_string()
    }
}

impl FromStr for Epoch {
    type Err = EpochError;

    /// Parses decimal digits and nothing else.
    fn from_str(text: &str) -> Result<Self, EpochError> {
        let refuse = || EpochError(text.to_owned());
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refuse());
        }
        let seconds: u64 = text.parse().map_err(|_| refuse())?;
        if seconds > MAX_SECONDS {
            Err(refuse())
        } else {
            Ok(Self(seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_are_strict() {
        assert_eq!(Epoch::default().rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(
            "1700000000".parse::<Epoch>().unwrap().rfc3339(),
            "2023-11-14T22:13:20Z"
        );
        assert_eq!(
            "8589934591".parse::<Epoch>().unwrap().rfc3339(),
            "2242-03-16T12:56:31Z"
        );
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1.5",
            "0x10",
            "8589934592",
            "99999999999999999999",
        ] {
            assert!(bad.parse::<Epoch>().is_err(), "{bad:?} was taken");
        }
    }
}
