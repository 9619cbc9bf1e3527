//! How objects are, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    delete::Victim,
    status::{Drift, Standing},
    wait::State,
};

/// `deployment.apps/web ready (namespace shop), changed: an apply would change it`
#[must_use]
pub fn line(standing: &Standing) -> String {
    let object = Victim {
        live: standing.live.clone(),
        resource: standing.resource.clone(),
        member_of: None,
    };
    let mut line = format!("{} {}{}", object.label(), state(standing), object.place());
    // Writing to a String cannot fail.
    if let Some(status) = standing
        .status
        .as_ref()
        .filter(|status| !status.message.is_empty())
    {
        let _ = write!(line, ": {}", status.message);
    }
    match &standing.drift {
        Drift::Unknown | Drift::None | Drift::Missing => {}
        Drift::Changed => line.push_str("; changed: it is not as in the input"),
        Drift::Overruled(conflicts) => {
            let fields: Vec<_> = conflicts
                .iter()
                .map(|conflict| format!("{} by \"{}\"", conflict.field, conflict.manager))
                .collect();
            let _ = write!(line, "; overruled: {}", fields.join(", "));
        }
        Drift::Failed(reason) => {
            let _ = write!(line, "; cannot be compared: {reason}");
        }
        Drift::LeftOver => line.push_str("; left over: it is not in the input"),
    }
    line
}

fn state(standing: &Standing) -> &'static str {
    match standing.status.as_ref().map(|status| status.state) {
        None => "missing",
        Some(State::Ready) => "ready",
        Some(State::Pending) => "pending",
        Some(State::Failed) => "failed",
    }
}

/// `3 objects: 2 ready, 1 missing; 1 changed`
#[must_use]
pub fn summary(standings: &[Standing]) -> String {
    let count = |name: &str| {
        standings
            .iter()
            .filter(|standing| state(standing) == name)
            .count()
    };
    let drifted = |name: &str| {
        standings
            .iter()
            .filter(|standing| standing.drift.name() == name)
            .count()
    };
    let part = |counts: Vec<(&str, usize)>| {
        let parts = counts.into_iter().filter(|(_, count)| *count > 0);
        parts
            .map(|(name, count)| format!("{count} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let states = part(
        ["ready", "pending", "failed", "missing"]
            .map(|name| (name, count(name)))
            .into(),
    );
    let drifts = part(
        ["changed", "overruled", "failed", "left over"]
            .map(|name| (name, drifted(name)))
            .into(),
    );
    let plural = if standings.len() == 1 { "" } else { "s" };
    let separators = if states.is_empty() {
        ["", ""]
    } else {
        [": ", if drifts.is_empty() { "" } else { "; " }]
    };
    format!(
        "{} object{plural}{}{states}{}{drifts}",
        standings.len(),
        separators[0],
        separators[1]
    )
}

/// `{objects: [...]}`
#[must_use]
pub fn document(standings: &[Standing]) -> Value {
    let entries = standings.iter().map(|standing| {
        let mut entry = json!({"apiVersion": standing.resource.api_version, "kind": standing.resource.kind,
            "namespace": standing.live.namespace(), "name": standing.live.name(),
            "state": state(standing), "drift": standing.drift.name(),
            "message": standing.status.as_ref().map(|status| status.message.as_str()).unwrap_or_default()});
        match &standing.drift {
            Drift::Overruled(conflicts) => entry["conflicts"] = json!(conflicts),
            Drift::Failed(reason) => entry["error"] = reason.as_str().into(),
            _ => {}
        }
        entry
    });
    json!({"objects": entries.collect::<Vec<_>>()})
}
