//! How long answers took, from the moment their requests were due.

use std::time::Duration;

use crate::{
    load::received::Sample,
    timeline::{document::Check, series},
};

/// Judges that 99 of 100 answers took no longer than `allowed`; `None` when nothing was answered,
/// which is for the judgement of failures to say.
#[must_use]
pub fn judge<'a>(samples: impl Iterator<Item = &'a Sample>, allowed: Duration) -> Option<Check> {
    let latency = series::tally(samples).latency?;
    let allowed_ms = allowed.as_secs_f64() * 1000.0;
    Some(Check {
        promise: "99 % of the answers come in time".to_owned(),
        measured: format!("{:.1} ms", latency.p99_ms),
        limit: format!("≤ {allowed_ms:.0} ms"),
        held: latency.p99_ms <= allowed_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        received::tests::{failed, ok},
        record::Failure,
    };

    #[test]
    fn one_slow_answer_in_ten_is_too_many_and_failures_have_no_latency() {
        let allowed = Duration::from_millis(100);
        let mut samples: Vec<_> = (0..9).map(|at| ok(at, "a", 5)).collect();
        samples.push(failed(9, Failure::Timeout));
        assert!(judge(samples.iter(), allowed).unwrap().held);
        samples.push(ok(10, "a", 500));
        let slow = judge(samples.iter(), allowed).unwrap();
        assert!(!slow.held, "{slow:?}");
        assert_eq!(judge(samples[9..10].iter(), allowed), None);
    }
}
