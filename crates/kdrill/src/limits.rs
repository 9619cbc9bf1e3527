//! What a promise allows: how many requests may fail, how long recovering and answering may take.
//! Each drill has its own limits; a file and flags change them, for one drill or for all.

use std::{collections::BTreeMap, fmt, path::Path, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    drills,
    error::{Error, Result},
};

/// How many requests may fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxFailed {
    /// This many.
    Count(u64),
    /// This many in a hundred of the drill's.
    Percent(f64),
}

impl MaxFailed {
    /// How many of so many requests.
    #[must_use]
    pub fn of(self, requests: usize) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (requests as f64 * percent / 100.0).floor() as u64,
        }
    }
}

impl fmt::Display for MaxFailed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(out, "≤ {count}"),
            Self::Percent(percent) => write!(out, "≤ {percent} %"),
        }
    }
}

impl FromStr for MaxFailed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::Usage(format!(
                "{text:?} is neither a number of requests such as 5 nor a share such as 0.1%"
            ))
        };
        match text.strip_suffix('%') {
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
            Some(number) => number
                .trim()
                .parse()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(Self::Percent)
                .ok_or_else(wrong),
        }
    }
}

/// The limits of one drill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How many requests may fail; when a node is lost, outside of its window.
    pub max_failed: MaxFailed,
    /// How long it may take until all replicas are Ready on living nodes, or the API answers again.
    pub max_recovery: Duration,
    /// How long 99 of 100 answers may take.
    pub max_p99: Duration,
}

impl Limits {
    /// What holds where a drill says nothing else.
    pub const USUAL: Self = Self {
        max_failed: MaxFailed::Count(0),
        max_recovery: Duration::from_secs(15),
        max_p99: Duration::from_secs(1),
    };
}

/// How long an answer takes whose first packet was lost, as happens while nodes come and go: TCP
/// sends it again after a second.
pub const RETRANSMITTED: Duration = Duration::from_millis(1500);

/// Changes to limits; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Change {
    /// See [`Limits::max_failed`].
    #[serde(default, deserialize_with = "max_failed")]
    pub max_failed: Option<MaxFailed>,
    /// See [`Limits::max_recovery`].
    #[serde(default, deserialize_with = "length")]
    pub max_recovery: Option<Duration>,
    /// See [`Limits::max_p99`].
    #[serde(default, deserialize_with = "length")]
    pub max_p99: Option<Duration>,
}

impl Change {
    fn apply(self, limits: &mut Limits) {
        limits.max_failed = self.max_failed.unwrap_or(limits.max_failed);
        limits.max_recovery = self.max_recovery.unwrap_or(limits.max_recovery);
        limits.max_p99 = self.max_p99.unwrap_or(limits.max_p99);
    }
}

/// Changes for all drills, and for single ones on top.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Changes {
    /// For every drill.
    #[serde(default)]
    pub all: Change,
    /// By drill.
    #[serde(default)]
    pub drills: BTreeMap<String, Change>,
}

impl Changes {
    /// Reads them from a TOML file, such as drills.toml.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Usage`] when it is not sound.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let wrong = |cause: &str| Error::Usage(format!("{}: {}", path.display(), cause.trim()));
        let changes: Self = toml::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        match changes
            .drills
            .keys()
            .find(|name| drills::named(name).is_none())
        {
            Some(name) => Err(wrong(&format!(
                "[drills.{name}]: there is no such drill; there are {}",
                drills::names()
            ))),
            None => Ok(changes),
        }
    }

    /// The change for one drill, or for all, to add to.
    pub fn of(&mut self, drill: Option<&str>) -> &mut Change {
        match drill {
            None => &mut self.all,
            Some(name) => self.drills.entry(name.to_owned()).or_default(),
        }
    }

    /// A drill's limits with these changes.
    #[must_use]
    pub fn applied(&self, drill: &str, mut limits: Limits) -> Limits {
        self.all.apply(&mut limits);
        if let Some(change) = self.drills.get(drill) {
            change.apply(&mut limits);
        }
        limits
    }
}

/// `[DRILL=]VALUE`: a limit for one drill, or for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForDrill<T> {
    /// The drill; `None` for all.
    pub drill: Option<&'static str>,
    /// The limit.
    pub value: T,
}

impl<T> ForDrill<T> {
    /// Reads it; `value` reads the part behind the drill's name.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn parse(text: &str, value: impl Fn(&str) -> Result<T>) -> Result<Self> {
        let Some((name, rest)) = text.split_once('=') else {
            return Ok(Self {
                drill: None,
                value: value(text)?,
            });
        };
        let drill = drills::named(name).ok_or_else(|| {
            Error::Usage(format!(
                "there is no drill {name}; there are {}",
                drills::names()
            ))
        })?;
        Ok(Self {
            drill: Some(drill.name),
            value: value(rest)?,
        })
    }
}

/// A length of time above zero, such as `500ms`, `30s` or `2m`.
///
/// # Errors
/// [`Error::Usage`].
pub fn duration(text: &str) -> Result<Duration> {
    let wrong = || Error::Usage("not a length of time such as 500ms, 30s or 2m".to_owned());
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(wrong)
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration(&text)
        .map(Some)
        .map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

fn max_failed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MaxFailed>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Count(u64),
        Text(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Count(count) => Ok(Some(MaxFailed::Count(count))),
        Written::Text(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_requests_made() {
        assert_eq!("0.1%".parse::<MaxFailed>().unwrap().of(12_345), 12);
        assert_eq!("7".parse::<MaxFailed>().unwrap().of(0), 7);
        for wrong in ["", "-1", "101%", "1.5", "x%", "NaN%"] {
            assert!(wrong.parse::<MaxFailed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_drills_own_change_comes_after_that_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drills.toml");
        let text = "[all]\nmax-p99 = \"250ms\"\nmax-failed = 3\n[drills.pod-kill]\nmax-failed = \"0.5%\"\n";
        std::fs::write(&file, text).unwrap();
        let changes = Changes::read(&file).unwrap();
        let scale = changes.applied("scale", Limits::USUAL);
        assert_eq!(scale.max_failed, MaxFailed::Count(3));
        assert_eq!(scale.max_p99, Duration::from_millis(250));
        assert_eq!(scale.max_recovery, Limits::USUAL.max_recovery);
        let kill = changes.applied("pod-kill", Limits::USUAL);
        assert_eq!(kill.max_failed, MaxFailed::Percent(0.5));
    }

    #[test]
    fn what_a_file_says_wrong_is_named_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drills.toml");
        for (text, word) in [
            ("[drills.nonsense]\n", "no such drill; there are replicas"),
            ("[all]\nmax-p98 = \"1s\"\n", "max-p98"),
            ("[all]\nmax-p99 = \"soon\"\n", "not a length of time"),
            ("[all]\nmax-failed = \"some\"\n", "nor a share"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Changes::read(&file).unwrap_err().to_string();
            assert!(error.contains("drills.toml: "), "{error}");
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_flag_is_for_all_drills_or_for_one() {
        let parse = |text| ForDrill::parse(text, duration);
        assert_eq!(parse("2s").unwrap().drill, None);
        assert_eq!(parse("drain=2s").unwrap().drill, Some("drain"));
        assert!(parse("drian=2s").is_err());
        assert!(parse("drain=").is_err());
    }
}
