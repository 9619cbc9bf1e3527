//! How many requests failed, how, and when: inside a window in which they may, or outside it.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use crate::{limits::MaxFailed, load::received::Sample, timeline::document::Check};

/// Judges that no more than `allowed` requests failed.
#[must_use]
pub fn judge(promise: &str, samples: &[Sample], allowed: MaxFailed) -> Check {
    let failed = samples
        .iter()
        .filter(|sample| sample.answer.is_err())
        .count() as u64;
    Check {
        promise: promise.to_owned(),
        measured: format!("{failed} of {} failed{}", samples.len(), kinds(samples)),
        limit: allowed.to_string(),
        // No request proves nothing.
        held: !samples.is_empty() && failed <= allowed.of(samples.len()),
    }
}

/// Judges that no more than `allowed` requests failed outside a window, of all `samples`.
#[must_use]
pub fn judge_outside(
    window: &RangeInclusive<Duration>,
    samples: &[Sample],
    outside: &[Sample],
    allowed: MaxFailed,
) -> Check {
    let length = window.end().saturating_sub(*window.start()).as_secs_f64();
    Check {
        promise: "no request fails except from the cut until the lost endpoints were gone (and a request's time)".to_owned(),
        measured: format!("{} of {} failed outside these {length:.1} s{}", outside.len(), samples.len(), kinds(outside)),
        limit: allowed.to_string(),
        held: !samples.is_empty() && outside.len() as u64 <= allowed.of(samples.len()),
    }
}

/// Splits failed requests by a window: those that were under way in it, from being due to their
/// end, and the rest.
#[must_use]
pub fn split(samples: &[Sample], window: &RangeInclusive<Duration>) -> (Vec<Sample>, Vec<Sample>) {
    samples
        .iter()
        .filter(|sample| sample.answer.is_err())
        .cloned()
        .partition(|sample| {
            sample.due + sample.latency >= *window.start() && sample.due <= *window.end()
        })
}

/// The failures by kind, in brackets; nothing when there are none.
fn kinds(samples: &[Sample]) -> String {
    let mut counts = BTreeMap::<&str, u64>::new();
    for failure in samples
        .iter()
        .filter_map(|sample| sample.answer.as_ref().err())
    {
        *counts.entry(failure.word()).or_default() += 1;
    }
    if counts.is_empty() {
        return String::new();
    }
    let kinds: Vec<_> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    format!(" ({})", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        received::tests::{failed, ok},
        record::Failure,
    };

    #[test]
    fn one_failure_too_many_breaks_it() {
        let samples = [
            ok(0, "a", 1),
            failed(5, Failure::Reset),
            failed(9, Failure::Timeout),
        ];
        assert!(judge("p", &samples, MaxFailed::Count(2)).held);
        let broken = judge("p", &samples, MaxFailed::Count(1));
        assert!(!broken.held);
        assert_eq!(broken.measured, "2 of 3 failed (1 reset, 1 timeout)");
        assert!(!judge("p", &[], MaxFailed::Count(5)).held);
    }

    #[test]
    fn a_request_in_flight_when_the_window_opens_is_inside() {
        let hanging = Sample {
            latency: Duration::from_secs(2),
            ..failed(900, Failure::Timeout)
        };
        let samples = [
            failed(500, Failure::Reset),
            hanging.clone(),
            failed(3000, Failure::Reset),
            failed(3001, Failure::Reset),
        ];
        let window = Duration::from_secs(1)..=Duration::from_secs(3);
        let (inside, outside) = split(&samples, &window);
        assert_eq!(inside, [hanging, failed(3000, Failure::Reset)]);
        assert_eq!(
            outside,
            [failed(500, Failure::Reset), failed(3001, Failure::Reset)]
        );
        assert!(judge_outside(&window, &samples, &outside, MaxFailed::Count(2)).held);
        let broken = judge_outside(&window, &samples, &outside, MaxFailed::Count(1));
        assert!(!broken.held);
        assert_eq!(
            broken.measured,
            "2 of 4 failed outside these 2.0 s (2 reset)"
        );
    }
}
