//! Does every replica get its share of the requests?

use std::collections::{BTreeMap, BTreeSet};

use crate::{load::received::Sample, timeline::document::Check};

/// Judges the answers: each replica at least half its fair share, and nobody else any.
#[must_use]
pub fn judge(samples: &[Sample], replicas: &BTreeSet<String>) -> Vec<Check> {
    let mut counts: BTreeMap<&str, u64> = replicas.iter().map(|name| (name.as_str(), 0)).collect();
    for pod in samples
        .iter()
        .filter_map(|sample| sample.answer.as_ref().ok())
    {
        *counts.entry(pod).or_default() += 1;
    }
    let (own, strangers): (Vec<_>, Vec<_>) = counts
        .into_iter()
        .partition(|(name, _)| replicas.contains(*name));
    // Of the requests made, not of the answers: failing half of them is no fair share.
    let least_allowed = (samples.len() as u64).div_ceil(2 * replicas.len().max(1) as u64);
    let worst = own.iter().min_by_key(|(_, count)| *count);
    vec![
        Check {
            promise: "every replica answers, none less than half its fair share".to_owned(),
            measured: worst.map_or_else(
                || "there is no replica".to_owned(),
                |(name, count)| {
                    format!(
                        "{} of {}: least {count} ({name})",
                        own.iter().filter(|(_, count)| *count > 0).count(),
                        own.len()
                    )
                },
            ),
            limit: format!("≥ {least_allowed} of {} each", samples.len()),
            held: !samples.is_empty() && worst.is_some_and(|(_, count)| *count >= least_allowed),
        },
        Check {
            promise: "only the replicas answer".to_owned(),
            measured: if strangers.is_empty() {
                "no other".to_owned()
            } else {
                strangers
                    .iter()
                    .map(|(name, count)| format!("{name} {count}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            },
            limit: "no other".to_owned(),
            held: strangers.is_empty(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{
        received::tests::{failed, ok},
        record::Failure,
    };

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn answers(counts: &[(&str, usize)]) -> Vec<Sample> {
        counts
            .iter()
            .flat_map(|&(pod, count)| std::iter::repeat_n(ok(0, pod, 1), count))
            .collect()
    }

    fn held(samples: &[Sample], replicas: &[&str]) -> [bool; 2] {
        let checks = judge(samples, &names(replicas));
        [checks[0].held, checks[1].held]
    }

    #[test]
    fn half_the_fair_share_is_enough_and_one_less_is_not() {
        // Fair is 100 each, half of it 50.
        assert_eq!(
            held(
                &answers(&[("a", 150), ("b", 100), ("c", 50)]),
                &["a", "b", "c"]
            ),
            [true, true]
        );
        assert_eq!(
            held(
                &answers(&[("a", 151), ("b", 100), ("c", 49)]),
                &["a", "b", "c"]
            ),
            [false, true]
        );
    }

    #[test]
    fn a_silent_replica_is_named() {
        let checks = judge(&answers(&[("a", 10)]), &names(&["a", "b"]));
        assert!(!checks[0].held);
        assert_eq!(checks[0].measured, "1 of 2: least 0 (b)");
    }

    #[test]
    fn a_stranger_breaks_it() {
        assert_eq!(
            held(&answers(&[("a", 10), ("x", 1)]), &["a"]),
            [true, false]
        );
    }

    #[test]
    fn failures_count_against_the_share_and_nothing_proves_nothing() {
        let mut samples = answers(&[("a", 4)]);
        samples.extend(std::iter::repeat_n(failed(0, Failure::Timeout), 6));
        assert_eq!(held(&samples, &["a"]), [false, true]);
        assert_eq!(held(&[], &["a"]), [false, true]);
    }
}
