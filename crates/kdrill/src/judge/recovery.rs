//! What losing a node cost: how long until it was noticed, until no more requests went there, and
//! until all replicas were Ready elsewhere.

use std::time::Duration;

use crate::{
    cluster::view::View,
    load::received::Sample,
    timeline::{
        document::{Check, Measurement},
        recorder::{Snapshot, first},
    },
};

/// The moments of a loss, since the run's start. `None`: it did not happen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// The node was cut.
    pub cut: Duration,
    /// Its Ready condition was no longer True.
    pub not_ready: Option<Duration>,
    /// No `EndpointSlice` listed its pods as ready any more.
    pub delisted: Option<Duration>,
    /// All replicas were Ready on other nodes, and its pods delisted.
    pub recovered: Option<Duration>,
}

/// Finds the moments in the history.
#[must_use]
pub fn find(history: &[Snapshot], cut: Duration, node: &str, replicas: usize) -> Loss {
    Loss {
        cut,
        not_ready: first(history, cut, |view| !view.node_ready(node)),
        delisted: first(history, cut, |view| !view.listed_on(node)),
        recovered: first(history, cut, |view| recovered(view, node, replicas)),
    }
}

/// Whether the loss of a node is made up for.
#[must_use]
pub fn recovered(view: &View, node: &str, replicas: usize) -> bool {
    view.ready_elsewhere(node) >= replicas && !view.listed_on(node)
}

/// The first sign that a node was lost by other hands: a failed request, or its `NotReady` if that
/// came first. The cut itself is not seen from here; it was at most this much earlier.
#[must_use]
pub fn first_sign(samples: &[Sample], since: Duration, not_ready: Duration) -> Duration {
    samples
        .iter()
        .filter(|sample| sample.answer.is_err() && sample.due >= since)
        .map(|sample| sample.due)
        .fold(not_ready, Duration::min)
}

impl Loss {
    /// Judges the recovery.
    #[must_use]
    pub fn judge(&self, replicas: usize, allowed: Duration, waited: Duration) -> Check {
        let took = self.recovered.map(|at| at.saturating_sub(self.cut));
        Check {
            promise: format!(
                "{replicas} replicas are Ready on living nodes again, and only they get traffic"
            ),
            measured: took.map_or_else(
                || format!("not within {:.0} s", waited.as_secs_f64()),
                |took| format!("after {:.1} s", took.as_secs_f64()),
            ),
            limit: format!("≤ {:.0} s", allowed.as_secs_f64()),
            held: took.is_some_and(|took| took <= allowed),
        }
    }

    /// The times that were measured.
    #[must_use]
    pub fn measurements(&self) -> Vec<Measurement> {
        [
            ("time to NotReady", self.not_ready),
            ("time to endpoints gone", self.delisted),
            ("recovery", self.recovered),
        ]
        .into_iter()
        .filter_map(|(name, at)| {
            let value = at?.saturating_sub(self.cut).as_secs_f64();
            Some(Measurement {
                name: name.to_owned(),
                value,
                unit: "s".to_owned(),
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::view::tests::view,
        load::{
            received::tests::{failed, ok},
            record::Failure,
        },
    };
    use std::sync::Arc;

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// n2 is cut at 10, `NotReady` at 18, its pod delisted at 19, replaced at 24.
    fn history() -> Vec<Snapshot> {
        let nodes = &["n1", "n2", "n3"];
        let whole = view(&["a@n1", "b@n2", "c@n3"], nodes);
        let mut not_ready = whole.clone();
        not_ready.nodes.get_mut("n2").unwrap().ready = false;
        let mut delisted = not_ready.clone();
        delisted.slices.get_mut("s").unwrap()[1].ready = false;
        let mut replaced = view(&["a@n1", "c@n3", "d@n1"], nodes);
        replaced.nodes.get_mut("n2").unwrap().ready = false;
        [(0, whole), (18, not_ready), (19, delisted), (24, replaced)]
            .map(|(at, view)| Snapshot {
                at: S(at),
                view: Arc::new(view),
            })
            .to_vec()
    }

    #[test]
    fn the_moments_of_a_loss() {
        let loss = find(&history(), S(10), "n2", 3);
        let expected = Loss {
            cut: S(10),
            not_ready: Some(S(18)),
            delisted: Some(S(19)),
            recovered: Some(S(24)),
        };
        assert_eq!(loss, expected);
        assert!(loss.judge(3, S(14), S(60)).held);
        let late = loss.judge(3, S(13), S(60));
        assert!(!late.held);
        assert_eq!(
            (late.measured.as_str(), late.limit.as_str()),
            ("after 14.0 s", "≤ 13 s")
        );
    }

    #[test]
    fn a_loss_that_nothing_replaces_is_broken() {
        let loss = find(&history()[..3], S(10), "n2", 3);
        assert_eq!(loss.recovered, None);
        let check = loss.judge(3, S(30), S(60));
        assert!(!check.held);
        assert_eq!(check.measured, "not within 60 s");
        assert_eq!(loss.measurements().len(), 2);
    }

    #[test]
    fn a_listed_pod_of_the_lost_node_is_no_recovery() {
        let mut replaced = view(&["a@n1", "b@n2", "c@n3", "d@n1"], &["n1", "n2", "n3"]);
        assert!(!recovered(&replaced, "n2", 3));
        replaced.slices.get_mut("s").unwrap()[1].ready = false;
        assert!(recovered(&replaced, "n2", 3));
    }

    #[test]
    fn the_first_sign_is_the_earlier_of_failure_and_condition() {
        let samples = [
            failed(500, Failure::Reset),
            ok(900, "a", 1),
            failed(2000, Failure::ConnectTimeout),
        ];
        assert_eq!(first_sign(&samples, S(1), S(9)), S(2));
        assert_eq!(first_sign(&samples, S(1), S(1)), S(1));
        assert_eq!(first_sign(&samples[..2], S(1), S(9)), S(9));
    }
}
