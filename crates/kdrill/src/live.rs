//! What the live view shows below its first line: the load, the cluster, and who answers.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use crate::{cluster::view::View, load::received::Sample};

/// Over how much time rates and shares are counted.
pub const WINDOW: Duration = Duration::from_secs(2);
/// How long the bar of a replica that answers everything is.
const BAR: usize = 30;
/// How many replicas are shown one by one.
const MOST: usize = 12;

/// The requests that ended in the last moments, and all of the run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recent {
    /// Requests so far.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Answers in the window, by pod.
    pub pods: BTreeMap<Arc<str>, u64>,
    /// Failures in the window.
    pub failing: u64,
    /// The window's length.
    pub window: Duration,
}

impl Recent {
    /// Counts the latest samples.
    #[must_use]
    pub fn count(samples: &[Sample], failed: u64, now: Duration) -> Self {
        let window = WINDOW.min(now);
        let mut recent = Self {
            requests: samples.len() as u64,
            failed,
            window,
            ..Self::default()
        };
        // They stand in the order in which they ended.
        let latest = samples
            .iter()
            .rev()
            .take_while(|sample| sample.due + sample.latency + window >= now);
        for sample in latest {
            match &sample.answer {
                Ok(pod) => *recent.pods.entry(Arc::clone(pod)).or_default() += 1,
                Err(_) => recent.failing += 1,
            }
        }
        recent
    }
}

/// The lines, without an end of line after the last.
#[must_use]
pub fn text(recent: &Recent, view: &View) -> String {
    let answers: u64 = recent.pods.values().sum();
    let each = |count: u64| count as f64 / recent.window.as_secs_f64().max(0.1);
    let nodes = view.nodes.values().filter(|node| node.ready).count();
    let mut text = format!(
        "  {:.0} requests/s, {:.0} failing/s; {} so far, {} failed\n  {} of {} pods Ready, {} serving; {nodes} of {} nodes Ready",
        each(answers + recent.failing),
        each(recent.failing),
        recent.requests,
        recent.failed,
        view.ready_names().len(),
        view.pods.len(),
        view.serving().len(),
        view.nodes.len(),
    );
    let width = recent.pods.keys().map(|pod| pod.len()).max().unwrap_or(0);
    for (pod, count) in recent.pods.iter().take(MOST) {
        let share = *count as f64 / answers as f64;
        let bar = "█".repeat((share * BAR as f64).round() as usize);
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {pod:width$}  {:3.0} %  {bar}", share * 100.0);
    }
    if recent.pods.len() > MOST {
        let _ = write!(text, "\n  and {} more", recent.pods.len() - MOST);
    }
    text
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

    #[test]
    fn only_the_last_moments_count_for_rates_and_shares() {
        let mut samples = vec![ok(0, "gone", 1), failed(10, Failure::Reset)];
        samples.extend((0..3).map(|n| ok(8000 + n, "web-a", 2)));
        samples.push(ok(8100, "web-b", 2));
        let recent = Recent::count(&samples, 1, Duration::from_secs(9));
        let shown = text(&recent, &view(&["web-a@n1", "web-b@n2"], &["n1", "n2"]));
        assert_eq!(
            shown,
            "  2 requests/s, 0 failing/s; 6 so far, 1 failed\n  \
             2 of 2 pods Ready, 2 serving; 2 of 2 nodes Ready\n  \
             web-a   75 %  ███████████████████████\n  \
             web-b   25 %  ████████"
        );
    }

    #[test]
    fn nothing_answered_is_shown_as_nothing() {
        let recent = Recent::count(&[failed(900, Failure::Timeout)], 1, Duration::from_secs(1));
        let shown = text(&recent, &view(&[], &["n1"]));
        assert!(shown.contains("1 requests/s, 1 failing/s"), "{shown}");
        assert_eq!(shown.lines().count(), 2);
        assert!(text(&Recent::default(), &View::default()).starts_with("  0 requests/s"));
    }
}
