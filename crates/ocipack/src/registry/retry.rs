//! Trying again: how often, and after how long a pause.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::RegistryError;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A registry that asks for more is one that is not there now.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);

/// How often something may still fail.
pub(crate) struct Attempts {
    retries: u32,
    left: u32,
    pause: Duration,
}

impl Attempts {
    pub(crate) fn new(retries: u32) -> Self {
        Self {
            retries,
            left: retries,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits after a failure, if trying again can help and was not tried enough.
    ///
    /// # Errors
    /// The failure itself.
    pub(crate) async fn failed(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        if !error.is_transient() || self.left == 0 {
            return Err(error);
        }
        self.left -= 1;
        let pause = match error.retry_after() {
            Some(asked) if asked > LONGEST_RETRY_AFTER => return Err(error.later(asked)),
            Some(asked) => asked,
            // Many clients that failed together do not come back together.
            None => self.pause.mul_f64(0.75 + 0.5 * fraction()),
        };
        tracing::info!("{error}; trying again in {:.1} s", pause.as_secs_f64());
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// Something got further: failures before that no longer count.
    pub(crate) fn progressed(&mut self) {
        *self = Self::new(self.retries);
    }
}

/// From 0 to 1, different each time.
fn fraction() -> f64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

/// How long a response asks to wait: seconds or a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let seconds = at.duration_since(jiff::Timestamp::now()).as_secs();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_mins(2)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = asked("Tue, 31 Dec 2199 23:59:59 GMT").unwrap();
        assert!(soon > Duration::from_secs(1_000_000), "{soon:?}");
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
