//! Requests counted: per drill, per interval, per pod, with latencies in HDR histograms.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use super::document::{FailedRequest, Interval, Latency, LoadReport, Tally, millis};
use crate::load::{handle::LoadOptions, received::Sample};

/// The length of an interval of the series.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many failed requests the report lists one by one.
const LISTED_FAILURES: usize = 100;

/// The whole load of a run. `unaccounted` are requests whose end was never reported.
#[must_use]
pub fn report(options: &LoadOptions, samples: &[Sample], unaccounted: u64) -> LoadReport {
    let mut ordered: Vec<&Sample> = samples.iter().collect();
    ordered.sort_by_key(|sample| sample.due);

    let mut failures = BTreeMap::new();
    let mut first_failures = Vec::new();
    let mut pods: Vec<String> = Vec::new();
    for sample in &ordered {
        match &sample.answer {
            Ok(pod) if !pods.iter().any(|known| known.as_str() == &**pod) => {
                pods.push(pod.to_string());
            }
            Ok(_) => {}
            Err(kind) => {
                *failures.entry(*kind).or_default() += 1;
                if first_failures.len() < LISTED_FAILURES {
                    first_failures.push(FailedRequest {
                        due_ms: millis(sample.due),
                        after_ms: millis(sample.latency),
                        kind: *kind,
                    });
                }
            }
        }
    }
    LoadReport {
        target: options.target.clone(),
        source: options.place.to_string(),
        rate: options.rate,
        timeout_ms: millis(options.timeout),
        unaccounted,
        total: tally(ordered.iter().copied()),
        fresh: tally(ordered.iter().copied().filter(|sample| !sample.kept)),
        kept: tally(ordered.iter().copied().filter(|sample| sample.kept)),
        late: late(samples),
        failures,
        pods,
        interval_ms: millis(INTERVAL),
        intervals: ordered
            .chunk_by(|a, b| interval(a) == interval(b))
            .map(count)
            .collect(),
        first_failures,
    }
}

/// The number of requests, of failures, and the latencies.
pub fn tally<'a>(samples: impl Iterator<Item = &'a Sample>) -> Tally {
    let mut tally = Tally::default();
    let mut latencies = histogram();
    for sample in samples {
        tally.requests += 1;
        if sample.answer.is_ok() {
            latencies.saturating_record(sample.latency.as_micros() as u64);
        } else {
            tally.failed += 1;
        }
    }
    tally.latency = percentiles(&latencies);
    tally
}

/// How late requests were started.
fn late(samples: &[Sample]) -> Option<Latency> {
    let mut late = histogram();
    for sample in samples {
        // The histogram begins at 1 µs.
        late.saturating_record((sample.late.as_micros() as u64).max(1));
    }
    percentiles(&late)
}

fn interval(sample: &Sample) -> u64 {
    millis(sample.due) / millis(INTERVAL)
}

fn count(samples: &[&Sample]) -> Interval {
    let mut counted = Interval {
        at_ms: interval(samples[0]) * millis(INTERVAL),
        ..Interval::default()
    };
    for sample in samples {
        match &sample.answer {
            Ok(pod) => *counted.pods.entry(pod.to_string()).or_default() += 1,
            Err(kind) => *counted.failures.entry(*kind).or_default() += 1,
        }
    }
    counted.latency = tally(samples.iter().copied()).latency;
    counted
}

/// Microseconds up to a minute, three significant digits.
fn histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that hdrhistogram accepts"
    )]
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds")
}

fn percentiles(latencies: &Histogram<u64>) -> Option<Latency> {
    if latencies.is_empty() {
        return None;
    }
    let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    Some(Latency {
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: latencies.max() as f64 / 1000.0,
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
    fn requests_are_counted_where_they_were_due() {
        let samples = [
            ok(1500, "b", 4),
            ok(100, "a", 2),
            failed(1600, Failure::Timeout),
            ok(1999, "a", 8),
        ];
        let options = LoadOptions::to("http://x/", 10);
        let report = report(&options, &samples, 0);
        assert_eq!(report.pods, ["a", "b"]);
        assert_eq!((report.total.requests, report.total.failed), (4, 1));
        assert_eq!(report.failures, BTreeMap::from([(Failure::Timeout, 1)]));
        assert_eq!(report.intervals.len(), 2);
        assert_eq!(report.intervals[1].at_ms, 1000);
        assert_eq!(report.intervals[1].pods["a"], 1);
        assert_eq!(report.intervals[1].failures[&Failure::Timeout], 1);
        assert_eq!(report.first_failures[0].due_ms, 1600);
    }

    #[test]
    fn failures_have_no_latency() {
        let samples = [failed(0, Failure::Timeout), ok(1, "a", 3)];
        let tally = tally(samples.iter());
        let latency = tally.latency.unwrap();
        assert!((latency.max_ms - 3.0).abs() < 0.01, "{latency:?}");
        assert_eq!(super::tally(samples[..1].iter()).latency, None);
    }
}
