//! What is wrong with one container, as its status in the pod tells.

#[cfg(test)]
mod tests;

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

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It has to end before the next one starts.
    Init,
    /// An init container that runs on beside the others.
    Sidecar,
    /// It does what the pod is for.
    Main,
}

impl Role {
    /// The role of an init container.
    pub(super) fn of_init(pod: &Value, name: &Value) -> Self {
        let specs = pod
            .pointer("/spec/initContainers")
            .and_then(Value::as_array);
        let spec = specs
            .into_iter()
            .flatten()
            .find(|spec| spec["name"] == *name);
        match spec {
            Some(spec) if spec["restartPolicy"] == "Always" => Self::Sidecar,
            _ => Self::Init,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Init => "init container",
            Self::Sidecar => "sidecar container",
            Self::Main => "container",
        }
    }
}

/// What is wrong with a container.
/// `pull_failed` says whether a pull failed since the wait began.
pub(super) fn trouble(
    pod: &Value,
    status: &Value,
    role: Role,
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
        text: format!("pod {name}: {} {container}: {}", role.word(), found.text),
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
        "ContainerCreating" => return Some(created()),
        "" | "PodInitializing" => return None,
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
fn ended(pod: &Value, status: &Value, role: Role, rules: &Rules) -> Option<Found> {
    let end = status.pointer("/state/terminated")?;
    let runs_on = role == Role::Main && pod["spec"]["restartPolicy"] == "Always";
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

/// Nothing is wrong yet, but it is what there is to say if this takes too long.
fn created() -> Found {
    Found {
        gravity: Gravity::Passing,
        reason: "ContainerCreating".to_owned(),
        text: "it is being created: its image is pulled, or a volume is mounted".to_owned(),
        advice: "ContainerCreating".to_owned(),
        log: None,
    }
}

fn unready(status: &Value, role: Role) -> Option<Found> {
    status.pointer("/state/running")?;
    let (gravity, reason, text) = match role {
        Role::Init => (
            Gravity::Passing,
            "Initializing",
            "it runs, and the pod waits for its end",
        ),
        _ if status["ready"] == false => {
            (Gravity::Note, "NotReady", "it runs, but is not ready yet")
        }
        _ => return None,
    };
    Some(Found {
        gravity,
        reason: reason.to_owned(),
        text: text.to_owned(),
        advice: reason.to_owned(),
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
