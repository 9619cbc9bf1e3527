//! What a wait found: for people as lines on stderr, for programs as JSON.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{json::identity, text::subject};
use crate::{
    resolve::Target,
    wait::{End, Event, State, WaitReport, Waited},
};

/// The paragraphs for what did not get ready: what, why, what was noted about
/// it, what its containers said last, and what to do.
#[must_use]
pub fn not_ready(targets: &[Target], report: &WaitReport) -> Vec<String> {
    let all = targets.iter().zip(&report.objects);
    all.filter(|(_, waited)| waited.status.state != State::Ready)
        .map(|(target, waited)| paragraph(target, waited))
        .collect()
}

/// `2 of 5 objects ready`
#[must_use]
pub fn summary(report: &WaitReport) -> String {
    let (ready, all) = (count(report, State::Ready), report.objects.len());
    format!(
        "{ready} of {all} object{} ready",
        if all == 1 { "" } else { "s" }
    )
}

/// The state and the message in words, as they are shown while waiting.
#[must_use]
pub fn state(waited: &Waited) -> String {
    let word = match waited.status.state {
        State::Ready => "ready",
        State::Pending => "pending",
        State::Failed => "failed",
    };
    let mut text = word.to_owned();
    // Writing to a String cannot fail.
    if !waited.status.message.is_empty() {
        let _ = write!(text, ": {}", waited.status.message);
    }
    if let Some(reason) = waited.reasons.first() {
        let _ = write!(text, "; {reason}");
    }
    text
}

/// `1m05s`, `12s`, `0.4s`
#[must_use]
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 if duration.subsec_millis() >= 100 => format!("{:.1}s", duration.as_secs_f64()),
        0..60 => format!("{seconds}s"),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

fn paragraph(target: &Target, waited: &Waited) -> String {
    let head = match (waited.status.state, waited.timed_out) {
        (State::Failed, _) if waited.timeout.is_zero() => "failed".to_owned(),
        (State::Failed, _) => format!("failed after {}", time(waited.elapsed)),
        (_, true) => format!("timed out after {}", time(waited.timeout)),
        _ => "not ready yet".to_owned(),
    };
    let mut text = format!(
        "{head}: {}: {}: {}",
        target.object.place,
        subject(target),
        waited.status.message
    );
    for reason in &waited.reasons {
        let _ = write!(text, "\n  {reason}");
    }
    for event in &waited.events {
        let _ = write!(text, "\n  event {}", self::event(event));
    }
    for log in &waited.logs {
        let run = if log.previous { ", the run before" } else { "" };
        let _ = write!(
            text,
            "\n  log of pod {}, container {}{run}:",
            log.pod, log.container
        );
        if log.lines.is_empty() {
            text.push_str(" it wrote nothing");
        }
        for line in &log.lines {
            let _ = write!(text, "\n    {line}");
        }
    }
    if let Some(advice) = waited.advice {
        let _ = write!(text, "\n  what to do: {advice}");
    }
    text
}

fn event(event: &Event) -> String {
    // Of the date and the fraction of a second, nothing is of interest now.
    let clock = event.time.split_once('T').map_or("", |(_, time)| time);
    let clock = clock.split(['.', 'Z', '+']).next().unwrap_or_default();
    let times = match event.count {
        0 | 1 => String::new(),
        count => format!(" ({count} times)"),
    };
    let (about, reason) = (&event.about, &event.reason);
    format!("{clock} {about}: {reason}{times}: {}", event.message.trim())
}

/// `{objects: [...], summary: {...}}` of a wait.
#[must_use]
pub fn document(targets: &[Target], report: &WaitReport) -> Value {
    let objects: Vec<_> = targets
        .iter()
        .zip(&report.objects)
        .map(|(target, waited)| {
            let mut entry = identity(target);
            entry["wait"] = entry_of(waited);
            entry
        })
        .collect();
    json!({"objects": objects, "summary": {
        "wait": end_name(report.end),
        "ready": count(report, State::Ready),
        "pending": count(report, State::Pending),
        "failed": count(report, State::Failed),
    }})
}

/// The `wait` of one object.
pub(super) fn entry_of(waited: &Waited) -> Value {
    let state = match waited.status.state {
        State::Ready => "ready",
        State::Pending => "pending",
        State::Failed => "failed",
    };
    let event = |event: &Event| json!({"time": event.time, "object": event.about, "reason": event.reason, "message": event.message, "count": event.count});
    let logs = waited.logs.iter().map(
        |log| json!({"pod": log.pod, "container": log.container, "previous": log.previous, "lines": log.lines}),
    );
    json!({
        "state": state,
        "message": waited.status.message,
        "reasons": waited.reasons,
        "advice": waited.advice,
        "events": waited.events.iter().map(event).collect::<Vec<_>>(),
        "logs": logs.collect::<Vec<_>>(),
        "elapsedMs": millis(waited.elapsed),
        "timeoutMs": millis(waited.timeout),
        "timedOut": waited.timed_out,
    })
}

/// The stable name of an end, as in `-o json`.
pub(super) fn end_name(end: End) -> &'static str {
    match end {
        End::Ready => "ready",
        End::Failed => "failed",
        End::TimedOut => "timed out",
        End::Interrupted => "interrupted",
    }
}

fn count(report: &WaitReport, state: State) -> usize {
    let objects = report.objects.iter();
    objects
        .filter(|waited| waited.status.state == state)
        .count()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{Log, Status};

    fn waited() -> Waited {
        Waited {
            status: Status {
                state: State::Failed,
                message: "pod web-1: container main: CrashLoopBackOff".into(),
            },
            reasons: Vec::new(),
            advice: Some("look at its log"),
            events: vec![Event {
                time: "2026-11-23T12:56:43Z".into(),
                about: "pod/web-1".into(),
                reason: "BackOff".into(),
                message: "Back-off restarting".into(),
                count: 6,
            }],
            logs: vec![Log {
                pod: "web-1".into(),
                container: "main".into(),
                previous: true,
                lines: vec!["no config".into()],
            }],
            elapsed: Duration::from_millis(4_200),
            timeout: Duration::from_mins(5),
            timed_out: false,
        }
    }

    #[test]
    fn a_failure_is_told_with_all_that_explains_it() {
        let target = crate::report::text::tests::target();
        assert_eq!(
            paragraph(&target, &waited()),
            "failed after 4.2s: web.yaml:3: deployment.apps/web (namespace shop): pod web-1: container main: CrashLoopBackOff
  event 12:56:43 pod/web-1: BackOff (6 times): Back-off restarting
  log of pod web-1, container main, the run before:
    no config
  what to do: look at its log"
        );
    }

    #[test]
    fn a_timeout_names_its_own_time() {
        let target = crate::report::text::tests::target();
        let mut late = waited();
        (late.status.state, late.timed_out) = (State::Pending, true);
        assert!(paragraph(&target, &late).starts_with("timed out after 5m: web.yaml:3: "));
    }

    #[test]
    fn times_read_well() {
        for (millis, text) in [
            (400, "0.4s"),
            (12_300, "12s"),
            (65_000, "1m05s"),
            (300_000, "5m"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
