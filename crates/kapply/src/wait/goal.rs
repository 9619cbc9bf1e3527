//! Goals of the user's own: `condition:TYPE[=STATUS]` and
//! `jsonpath:EXPR[=VALUE]`, for objects whose kind says nothing that could be
//! known beforehand. The forms are those of `kubectl wait --for`.

mod path;

use serde_json::Value;

use self::path::Path;
use super::{
    Status,
    readiness::{generation, observed},
};

/// What an object has to show; one of several checks is enough.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    any: Vec<Check>,
    text: String,
}

#[derive(Debug, Clone)]
enum Check {
    Condition { kind: String, status: String },
    Path { path: Path, value: Option<String> },
}

impl Goal {
    /// Reads `CHECK[|CHECK...]`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // A path or a value may contain a bar; the start of the next check is unmistakable.
        let marked = text
            .replace("|condition:", "\ncondition:")
            .replace("|jsonpath:", "\njsonpath:");
        let any = marked
            .split('\n')
            .map(Check::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            any,
            text: text.to_owned(),
        })
    }

    /// The status of an object that has this goal; `own` is what its kind's rule says.
    pub(super) fn judge(&self, live: &Value, own: Status) -> Status {
        if live.pointer("/metadata/deletionTimestamp").is_some() {
            return own;
        }
        // What is there now is about what was before.
        if let Some(unseen) = generation(live) {
            return Status::pending(format!("waits for {}; {}", self.text, unseen.message));
        }
        if self.any.iter().any(|check| check.holds(live)) {
            return Status::ready(format!("{} holds", self.text));
        }
        if own.state == super::State::Failed {
            return own;
        }
        let now: Vec<_> = self.any.iter().map(|check| check.now(live)).collect();
        Status::pending(format!("waits for {}; {}", self.text, now.join(", ")))
    }
}

impl Check {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(condition) = text.strip_prefix("condition:") {
            let (kind, status) = condition.split_once('=').unwrap_or((condition, "True"));
            if kind.is_empty() || status.is_empty() {
                return Err(format!(
                    "\"{text}\" is incomplete; write condition:TYPE[=STATUS]"
                ));
            }
            return Ok(Self::Condition {
                kind: kind.to_owned(),
                status: status.to_owned(),
            });
        }
        let Some(path) = text.strip_prefix("jsonpath:") else {
            return Err(format!(
                "\"{text}\" is no check; write condition:TYPE[=STATUS] or jsonpath:EXPR[=VALUE]"
            ));
        };
        let (path, value) = path::split_value(path);
        if value == Some("") && !text.ends_with(['"', '\'']) {
            return Err(format!(
                "\"{text}\" has no value behind its equal sign; write jsonpath:EXPR[=VALUE]"
            ));
        }
        Ok(Self::Path {
            path: Path::parse(path)?,
            value: value.map(str::to_owned),
        })
    }

    fn holds(&self, live: &Value) -> bool {
        match self {
            // Stale conditions are about what was before.
            Self::Condition { kind, status } => condition(live, kind)
                .is_some_and(|found| observed(live, found) && same(&found["status"], status)),
            Self::Path { path, value } => {
                let found = path.values(live);
                match value {
                    Some(value) => !found.is_empty() && found.iter().all(|one| text(one) == *value),
                    None => found.iter().any(|one| !text(one).is_empty()),
                }
            }
        }
    }

    /// What there is now, for people.
    fn now(&self, live: &Value) -> String {
        match self {
            Self::Condition { kind, .. } => match condition(live, kind) {
                None => format!("there is no condition {kind} yet"),
                Some(found) if !observed(live, found) => {
                    format!("condition {kind} is about an older generation")
                }
                Some(found) => {
                    let part = |key: &str| found[key].as_str().unwrap_or_default();
                    let why = [part("reason"), part("message")];
                    let why: Vec<_> = why.into_iter().filter(|part| !part.is_empty()).collect();
                    super::trouble::join(
                        &format!("condition {kind} is {}", part("status")),
                        &why.join(": "),
                    )
                }
            },
            Self::Path { path, .. } => match path.values(live).as_slice() {
                [] => "the path finds nothing yet".to_owned(),
                found => {
                    let texts: Vec<_> = found.iter().map(|value| text(value)).collect();
                    format!("it is {}", texts.join(" "))
                }
            },
        }
    }
}

fn condition<'live>(live: &'live Value, kind: &str) -> Option<&'live Value> {
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    // kubectl compares types and statuses without regard to case.
    conditions
        .iter()
        .find(|condition| same(&condition["type"], kind))
}

fn same(value: &Value, text: &str) -> bool {
    value
        .as_str()
        .is_some_and(|value| value.eq_ignore_ascii_case(text))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wait::State;

    fn widget() -> Value {
        json!({"metadata": {"generation": 2}, "status": {"phase": "Active", "replicas": 3, "url": "http://a/?b=c",
            "conditions": [
                {"type": "Synced", "status": "True", "observedGeneration": 1},
                {"type": "Serving", "status": "False", "reason": "NoBackend", "message": "none is up"},
                {"type": "Accepted", "status": "True", "observedGeneration": 2}]}})
    }

    fn state(goal: &str) -> State {
        Goal::parse(goal)
            .unwrap()
            .judge(&widget(), Status::ready(""))
            .state
    }

    #[test]
    fn goals_are_reached_or_not() {
        for (goal, reached) in [
            ("condition:Accepted", true),
            ("condition:accepted=true", true),
            ("condition:Serving", false),
            ("condition:Serving=False", true),
            ("condition:Synced", false),
            ("condition:Absent", false),
            ("condition:Absent|condition:Accepted", true),
            ("jsonpath:{.status.phase}=Active", true),
            ("jsonpath:.status.phase=Idle", false),
            ("jsonpath:status.replicas=3", true),
            ("jsonpath:$.status.url=http://a/?b=c", true),
            ("jsonpath:{.status.phase}", true),
            ("jsonpath:{.status.absent}", false),
            (
                "jsonpath:{.status.conditions[?(@.type==\"Serving\")].status}=False",
                true,
            ),
            (
                "jsonpath:{.status.phase}=Idle|jsonpath:{.status.replicas}='3'",
                true,
            ),
        ] {
            assert_eq!(state(goal) == State::Ready, reached, "{goal}");
        }
    }

    #[test]
    fn what_was_before_the_change_reaches_no_goal() {
        // Most controllers say what they have seen once, for all conditions.
        let mut changed = widget();
        changed["status"]["observedGeneration"] = json!(1);
        for goal in ["condition:Serving=False", "jsonpath:{.status.phase}=Active"] {
            let status = Goal::parse(goal)
                .unwrap()
                .judge(&changed, Status::ready(""));
            assert_eq!(status.state, State::Pending, "{goal}");
            assert!(
                status.message.ends_with("not seen the change yet"),
                "{}",
                status.message
            );
        }
        changed["status"]["observedGeneration"] = json!(2);
        let goal = Goal::parse("jsonpath:{.status.phase}=Active").unwrap();
        assert_eq!(goal.judge(&changed, Status::ready("")).state, State::Ready);
    }

    #[test]
    fn what_is_missing_is_said() {
        let goal = Goal::parse("condition:Serving|jsonpath:{.status.phase}=Idle").unwrap();
        assert_eq!(
            goal.judge(&widget(), Status::ready("")).message,
            "waits for condition:Serving|jsonpath:{.status.phase}=Idle; condition Serving is False: NoBackend: none is up, it is Active"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for goal in [
            "",
            "ready",
            "condition:",
            "condition:A=",
            "jsonpath:{.a[}",
            "jsonpath:",
            "jsonpath:{.status.phase}=",
            "jsonpath:{.status.phase}{.status.replicas}=Active",
            "jsonpath:{range .status.conditions[*]}{.status} {end}",
        ] {
            assert!(Goal::parse(goal).is_err(), "{goal}");
        }
    }
}
