//! When suites kill what they started: random moments, which a seed repeats.

use std::time::Duration;

/// Moments from the environment's `SEED` on.
#[derive(Debug)]
pub struct Moments(u64);

impl Default for Moments {
    fn default() -> Self {
        Self(setting("SEED", 0x5eed).max(1))
    }
}

impl Moments {
    /// How often to kill: the environment's `KILLS`, ten unless it says so.
    ///
    /// # Panics
    /// When that is no number.
    pub fn kills() -> usize {
        usize::try_from(setting("KILLS", 10)).expect("so many rounds take years")
    }

    /// The next one, between now and the end of what takes so long as a `whole`.
    pub fn within(&mut self, whole: Duration) -> Duration {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        whole.mul_f64((self.0 % 1000) as f64 / 1000.0)
    }
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}
