//! What is wrong with one container, as its status in the pod tells.

use jiff::Timestamp;
use serde_json::Value;

use super::trouble::{GRACE, Gravity, Speaker, Trouble, advice, join};

/// What counts as a crash of this rollout.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    /// What ended before this moment says nothing about what was applied since.
    pub(super) since: Option<Timestamp>,
    /// Restarts that a container may need.
    pub(super) allow_restarts: i64,
    /// Whether somebody else counts the crashes: a Job by its backoffLimit.
    pub(super) crashes_are_counted: bool,
}

impl Rules {
    /// Whether this was so before the rollout began.
    pub(super) fn is_before(&self, time: Option<&Value>) -> bool {
        let time = time.and_then(Value::as_str).map(str::parse::<Timestamp>);
        // Both are whole seconds: within the same one, the doubt is the container's.
        matches!((self.since, time), (Some(since), Some(Ok(time))) if time <= since)
    }
}

/// What is wrong with a container; `role` is `container` or `init container`.
/// `pull_failed` says whether a pull failed since the wait began.
pub(super) fn trouble(
    pod: &Value,
    status: &Value,
    role: &str,
    rules: &Rules,
    pull_failed: bool,
) -> Option<Trouble> {
    let found = waiting(pod, status, rules, pull_failed)
        .or_else(|| ended(pod, status, role, rules))
        .or_else(|| unready(status, role))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, container) = (text(&pod["metadata"]["name"]), text(&status["name"]));
    Some(Trouble {
        gravity: found.gravity,
        uid: text(&pod["metadata"]["uid"]),
        text: format!("pod {name}: {role} {container}: {}", found.text),
        advice: advice(&found.advice, &found.text),
        speaker: found.log.map(|previous| Speaker {
            pod: name,
            container,
            previous,
        }),
        reason: found.reason,
    })
}

struct Found {
    gravity: Gravity,
    reason: String,
    text: String,
    /// The reason that the advice goes by.
    advice: String,
    /// Whose log tells more: this run's (false) or the one's before (true).
    log: Option<bool>,
}

fn waiting(pod: &Value, status: &Value, rules: &Rules, pull_failed: bool) -> Option<Found> {
    let waiting = status.pointer("/state/waiting")?;
    let reason = waiting["reason"].as_str().unwrap_or_default();
    let is_old = rules.is_before(pod.pointer("/metadata/creationTimestamp"));
    let last = status.pointer("/lastState/terminated");
    let gravity = match reason {
        "" | "ContainerCreating" | "PodInitializing" => return None,
        // The kubelet turns ErrImagePull into ImagePullBackOff when it happens
        // again. Of an old pod this may be a failure of yesterday.
        "ImagePullBackOff" if !is_old || pull_failed => Gravity::Fatal,
        "InvalidImageName" | "ErrImageNeverPull" | "CreateContainerConfigError" if !is_old => {
            Gravity::Fatal
        }
        // The kubelet looks again within a few seconds: what an old pod lacked
        // may be there now, and the runtime may only have been slow.
        "InvalidImageName"
        | "ErrImageNeverPull"
        | "CreateContainerConfigError"
        | "CreateContainerError" => Gravity::Lasting(GRACE),
        "CrashLoopBackOff" | "RunContainerError" => crash_gravity(status, last, rules),
        // The first of several tries; what follows them is named above.
        "ErrImagePull" | "ImagePullBackOff" | "PostStartHookError" => Gravity::Note,
        _ if is_failure(reason) => Gravity::Lasting(GRACE),
        _ => Gravity::Note,
    };
    // The message of a crash loop only names the pod again; how it ended matters.
    let message = match reason {
        "CrashLoopBackOff" => "",
        _ => waiting["message"].as_str().unwrap_or_default(),
    };
    let mut text = join(reason, message);
    let mut adviser = reason;
    if let Some((exit, why)) = last
        .and_then(exit)
        .filter(|_| reason != "RunContainerError")
    {
        text = format!("{text}: it last ended with {exit}");
        adviser = why;
    }
    if gravity == Gravity::Note && (is_old || last.is_some_and(|last| is_old_end(last, rules))) {
        text.push_str("; that was before this run, it will be tried again");
    }
    Some(Found {
        gravity,
        reason: reason.to_owned(),
        text,
        advice: adviser.to_owned(),
        log: last.filter(|last| last.is_object()).map(|_| true),
    })
}

/// Whether a reason sounds like a failure: runtimes and kubelets of other
/// versions have words of their own, such as `ImageInspectError`.
fn is_failure(reason: &str) -> bool {
    reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
}

/// A container that has ended, badly or although it should run on.
fn ended(pod: &Value, status: &Value, role: &str, rules: &Rules) -> Option<Found> {
    let end = status.pointer("/state/terminated")?;
    let runs_on = role == "container" && pod["spec"]["restartPolicy"] == "Always";
    if end["exitCode"] == 0 && !runs_on {
        return None;
    }
    let (text, reason) = exit(end)?;
    let again = status.pointer("/lastState/terminated").is_some();
    Some(Found {
        // Ended twice is what the kubelet calls a crash loop a moment later.
        gravity: if again {
            crash_gravity(status, Some(end), rules)
        } else {
            Gravity::Note
        },
        reason: reason.to_owned(),
        text: if again {
            format!("it ended again, with {text}")
        } else {
            format!("it ended with {text}")
        },
        advice: reason.to_owned(),
        log: Some(false),
    })
}

fn unready(status: &Value, role: &str) -> Option<Found> {
    let runs = status.pointer("/state/running").is_some();
    (runs && role == "container" && status["ready"] == false).then(|| Found {
        gravity: Gravity::Note,
        reason: "NotReady".to_owned(),
        text: "it runs, but is not ready yet".to_owned(),
        advice: "NotReady".to_owned(),
        log: Some(false),
    })
}

fn crash_gravity(status: &Value, last: Option<&Value>, rules: &Rules) -> Gravity {
    let restarts = status["restartCount"].as_i64().unwrap_or_default();
    let is_old = last.is_some_and(|last| is_old_end(last, rules));
    if rules.crashes_are_counted || is_old || restarts <= rules.allow_restarts {
        Gravity::Note
    } else {
        Gravity::Fatal
    }
}

fn is_old_end(end: &Value, rules: &Rules) -> bool {
    rules.is_before(end.get("finishedAt"))
}

/// `exit code 1 (Error): message`, and the reason alone.
fn exit(end: &Value) -> Option<(String, &str)> {
    let code = end["exitCode"].as_i64()?;
    let text = |key: &str| end[key].as_str().unwrap_or_default();
    let reason = match (text("reason"), code) {
        ("", 0) => "Completed",
        ("", _) => "Error",
        (reason, _) => reason,
    };
    Some((
        join(&format!("exit code {code} ({reason})"), text("message")),
        reason,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judge(status: &Value, rules: &Rules) -> Trouble {
        let pod = json!({"metadata": {"name": "web-1", "uid": "u", "creationTimestamp": "2026-11-23T12:56:00Z"}});
        trouble(&pod, status, "container", rules, false).unwrap()
    }

    /// As a kubelet 1.35 wrote it.
    fn crash_loop() -> Value {
        json!({"name": "main", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container=main pod=web-1_rec(7ea6cec4)"}},
            "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-11-23T12:56:49Z",
                "startedAt": "2026-11-23T12:56:42Z"}}})
    }

    fn since(time: &str) -> Rules {
        Rules {
            since: Some(time.parse().unwrap()),
            ..Rules::default()
        }
    }

    #[test]
    fn a_crash_loop_is_final_and_has_a_log() {
        let found = judge(&crash_loop(), &Rules::default());
        assert_eq!(found.gravity, Gravity::Fatal);
        assert_eq!(
            found.text,
            "pod web-1: container main: CrashLoopBackOff: it last ended with exit code 2 (Error)"
        );
        assert!(found.speaker.unwrap().previous);
    }

    #[test]
    fn a_crash_of_before_is_not_this_rollouts() {
        let before = judge(&crash_loop(), &since("2026-11-23T12:57:00Z"));
        assert_eq!(before.gravity, Gravity::Note);
        assert!(before.text.contains("before this run"), "{}", before.text);
        assert_eq!(
            judge(&crash_loop(), &since("2026-11-23T12:56:30Z")).gravity,
            Gravity::Fatal
        );
    }

    #[test]
    fn restarts_may_be_allowed_and_jobs_count_their_own() {
        let rules = |allow_restarts, crashes_are_counted| Rules {
            allow_restarts,
            crashes_are_counted,
            since: None,
        };
        assert_eq!(
            judge(&crash_loop(), &rules(2, false)).gravity,
            Gravity::Note
        );
        assert_eq!(
            judge(&crash_loop(), &rules(1, false)).gravity,
            Gravity::Fatal
        );
        assert_eq!(judge(&crash_loop(), &rules(0, true)).gravity, Gravity::Note);
    }

    #[test]
    fn the_second_end_is_a_loop_already() {
        let end =
            json!({"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T12:56:37Z"});
        let once = json!({"name": "main", "restartCount": 0, "state": {"terminated": end}, "lastState": {}});
        let twice = json!({"name": "main", "restartCount": 1, "state": {"terminated": end}, "lastState": {"terminated": end}});
        assert_eq!(judge(&once, &Rules::default()).gravity, Gravity::Note);
        let twice = judge(&twice, &Rules::default());
        assert_eq!(twice.gravity, Gravity::Fatal);
        assert!(twice.advice.unwrap().contains("memory limit"));
    }

    #[test]
    fn a_command_that_is_done_is_no_service() {
        let end =
            json!({"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-23T12:56:37Z"});
        let done = json!({"name": "main", "restartCount": 0, "state": {"terminated": end}, "lastState": {}});
        let found = |policy: &str, role: &str| {
            let pod = json!({"metadata": {"name": "web-1", "uid": "u"}, "spec": {"restartPolicy": policy}});
            trouble(&pod, &done, role, &Rules::default(), false)
        };
        let trouble = found("Always", "container").unwrap();
        assert_eq!(trouble.gravity, Gravity::Note);
        assert!(trouble.advice.unwrap().contains("run it as a Job"));
        assert_eq!(found("Never", "container"), None);
        assert_eq!(found("Always", "init container"), None);
    }

    #[test]
    fn the_first_failed_pull_is_not_final_nor_one_of_yesterday() {
        let status = |reason: &str| json!({"name": "main", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": "m"}}});
        for (reason, gravity) in [
            ("ErrImagePull", Gravity::Note),
            ("ImagePullBackOff", Gravity::Fatal),
            ("InvalidImageName", Gravity::Fatal),
            ("CreateContainerConfigError", Gravity::Fatal),
            ("CreateContainerError", Gravity::Lasting(GRACE)),
            ("ImageInspectError", Gravity::Lasting(GRACE)),
            ("ErrImagePullBackOff", Gravity::Lasting(GRACE)),
            ("PostStartHookError", Gravity::Note),
            ("SomethingElse", Gravity::Note),
        ] {
            assert_eq!(
                judge(&status(reason), &Rules::default()).gravity,
                gravity,
                "{reason}"
            );
        }
        let late = since("2026-11-23T13:00:00Z");
        assert_eq!(
            judge(&status("ImagePullBackOff"), &late).gravity,
            Gravity::Note
        );
        assert_eq!(
            judge(&status("CreateContainerConfigError"), &late).gravity,
            Gravity::Lasting(GRACE)
        );
    }
}
