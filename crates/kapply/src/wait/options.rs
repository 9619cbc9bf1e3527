//! What a wait is asked for: how long for what, and what counts as ready.

use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{goal::Goal, selector::Selector};
use crate::{
    mask::Mask,
    problem::{Problem, Problems},
    resolve::Target,
};

/// Annotation of an object that says how long it may take to get ready.
pub const TIMEOUT_ANNOTATION: &str = "kapply.dev/timeout";

/// Annotation of an object that says when it is ready.
pub const WAIT_FOR_ANNOTATION: &str = "kapply.dev/wait-for";

/// How to wait.
#[derive(Debug, Clone, Default)]
pub struct WaitOptions {
    /// For objects without a timeout of their own; zero looks once.
    pub timeout: Duration,
    /// For these objects instead.
    pub timeouts: Vec<TimeoutFor>,
    /// When these objects are ready; all goals of an object count.
    pub goals: Vec<WaitFor>,
    /// Restarts of a container that are not a crash loop yet.
    pub allow_restarts: u32,
    /// The server's time before anything was applied: what crashed until then
    /// is not the new rollout's fault. `None` holds everything against it.
    pub since: Option<Timestamp>,
    /// What must not be shown.
    pub mask: Mask,
}

/// `KIND[.GROUP][/NAME]=DURATION`
#[derive(Debug, Clone)]
pub struct TimeoutFor {
    selector: Selector,
    timeout: Duration,
}

/// `KIND[.GROUP]/NAME=CHECK[|CHECK...]`
#[derive(Debug, Clone)]
pub struct WaitFor {
    selector: Selector,
    goal: Goal,
}

/// What one target is to show, and until when.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) goals: Vec<Goal>,
}

impl WaitOptions {
    /// Nothing but a timeout.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self {
            timeout,
            ..Self::default()
        }
    }

    /// Whether the options fit the targets. To be asked before anything is changed.
    ///
    /// # Errors
    /// A flag that means none of the objects, or an annotation that cannot be read.
    pub fn check(&self, targets: &[Target]) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let timeouts = self
            .timeouts
            .iter()
            .map(|one| ("--timeout-for", &one.selector));
        let goals = self.goals.iter().map(|one| ("--wait-for", &one.selector));
        for (flag, selector) in timeouts.chain(goals) {
            if !targets.iter().any(|target| selector.matches(target)) {
                problems.0.push(Problem::general(format!(
                    "{flag} {}: no object of the input is meant by it; write KIND[.GROUP]/NAME as in the manifests",
                    selector.text
                )));
            }
        }
        for target in targets {
            let annotations = annotated_timeout(target).err().into_iter();
            for message in annotations.chain(annotated_goal(target).err()) {
                problems.0.push(Problem::at(
                    &target.object.place,
                    format!("{}: {message}", target.object.label()),
                ));
            }
        }
        problems.or(())
    }

    /// What counts for one target: flags before annotations before the rest.
    pub(super) fn terms(&self, target: &Target) -> Terms {
        let flag = self
            .timeouts
            .iter()
            .filter(|one| one.selector.matches(target))
            .max_by_key(|one| one.selector.weight());
        let annotated = || annotated_timeout(target).ok().flatten();
        let mut goals: Vec<_> = self
            .goals
            .iter()
            .filter(|one| one.selector.matches(target))
            .map(|one| one.goal.clone())
            .collect();
        if goals.is_empty() {
            goals.extend(annotated_goal(target).ok().flatten());
        }
        Terms {
            timeout: flag
                .map(|one| one.timeout)
                .or_else(annotated)
                .unwrap_or(self.timeout),
            goals,
        }
    }
}

impl FromStr for TimeoutFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (selector, timeout) = text
            .rsplit_once('=')
            .ok_or("write KIND[.GROUP][/NAME]=DURATION, such as job/migrate=20m")?;
        Ok(Self {
            selector: Selector::parse(selector)?,
            timeout: duration(timeout)?,
        })
    }
}

impl FromStr for WaitFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (selector, goal) = text
            .split_once('=')
            .ok_or("write KIND[.GROUP]/NAME=condition:TYPE[=STATUS] or KIND[.GROUP]/NAME=jsonpath:EXPR[=VALUE]")?;
        let selector = Selector::parse(selector)?;
        if !selector.has_name() {
            return Err(format!(
                "\"{}\" names a kind and no object; write KIND[.GROUP]/NAME",
                selector.text
            ));
        }
        Ok(Self {
            selector,
            goal: Goal::parse(goal)?,
        })
    }
}

/// A duration as kubectl writes it: Go's `5m`, `90s`, `1h30m`, and a bare 0.
///
/// # Errors
/// A text that is no duration, or a negative one.
pub fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let parsed: SignedDuration = text
        .parse()
        .map_err(|_| "write a number with a unit, such as 90s, 5m or 1h30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a timeout cannot be negative; 0 looks once".to_owned())
}

fn annotated_timeout(target: &Target) -> Result<Option<Duration>, String> {
    annotation(target, TIMEOUT_ANNOTATION, duration)
}

fn annotated_goal(target: &Target) -> Result<Option<Goal>, String> {
    annotation(target, WAIT_FOR_ANNOTATION, Goal::parse)
}

fn annotation<T>(
    target: &Target,
    key: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let value = &target.object.value["metadata"]["annotations"][key];
    match value {
        Value::Null => Ok(None),
        Value::String(text) => parse(text)
            .map(Some)
            .map_err(|message| format!("annotation {key}: {message}")),
        _ => Err(format!("annotation {key}: it has to be a string")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wait::selector::tests::target;

    #[test]
    fn go_durations_are_read() {
        for (text, seconds) in [
            ("0", 0.0),
            ("90s", 90.0),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in ["", "5", "-5s", "five"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_timeout_that_says_most_counts() {
        let mut job = target("batch/v1", "Job", "migrate");
        job.object.value["metadata"]["annotations"] = json!({TIMEOUT_ANNOTATION: "7m"});
        let options = |flags: &[&str]| WaitOptions {
            timeout: Duration::from_mins(5),
            timeouts: flags.iter().map(|flag| flag.parse().unwrap()).collect(),
            ..WaitOptions::default()
        };
        let seconds = |flags: &[&str]| options(flags).terms(&job).timeout.as_secs();
        assert_eq!(seconds(&[]), 420);
        assert_eq!(seconds(&["job=10s"]), 10);
        assert_eq!(
            seconds(&["job/migrate=20s", "job=10s", "job.batch=15s"]),
            20
        );
        let plain = target("batch/v1", "Job", "other");
        assert_eq!(
            options(&["job/migrate=20s"])
                .terms(&plain)
                .timeout
                .as_secs(),
            300
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let mut job = target("batch/v1", "Job", "migrate");
        job.object.value["metadata"]["annotations"] =
            json!({TIMEOUT_ANNOTATION: "soon", WAIT_FOR_ANNOTATION: "Ready"});
        let options = WaitOptions {
            goals: vec!["widget/a=condition:Ready".parse().unwrap()],
            ..WaitOptions::default()
        };
        let text = options.check(&[job]).unwrap_err().to_string();
        for word in [
            "--wait-for widget/a: no object",
            "a.yaml: job.batch/migrate: annotation kapply.dev/timeout: write a number",
            "annotation kapply.dev/wait-for: \"Ready\" is no check",
        ] {
            assert!(text.contains(word), "{text}");
        }
        for flag in ["job/a", "job/a=x", "/a=5s"] {
            assert!(flag.parse::<TimeoutFor>().is_err(), "{flag}");
        }
        for flag in ["job/a", "job=condition:A", "job/a=A"] {
            assert!(flag.parse::<WaitFor>().is_err(), "{flag}");
        }
    }
}
