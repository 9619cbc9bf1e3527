//! When an object is ready: the rules of kstatus (kubernetes-sigs/cli-utils,
//! pkg/kstatus/status), stricter where those are too kind: a Failed pod fails,
//! a Job has to finish, a load balancer has to have an address.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{State, Status, rollout};

/// The status of a live object, judged by nothing but itself.
pub(crate) fn readiness(object: &Value) -> Status {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Status::pending(deleting(object));
    }
    if let Some(status) = generation(object).or_else(|| common_conditions(object)) {
        return status;
    }
    let group = object["apiVersion"]
        .as_str()
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group);
    match (group, object["kind"].as_str().unwrap_or_default()) {
        ("apps", "Deployment") => rollout::deployment(object),
        ("apps", "StatefulSet") => rollout::stateful_set(object),
        ("apps", "DaemonSet") => rollout::daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => rollout::replica_set(object),
        ("batch", "Job") => job(object),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => claim(object),
        ("", "Service") => service(object),
        ("", "Namespace") => namespace(object),
        ("policy", "PodDisruptionBudget") => budget(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("apiregistration.k8s.io", "APIService") => required(object, "Available"),
        _ => generic(object),
    }
}

/// A condition's status, reason and message.
pub(super) struct Condition<'object> {
    pub(super) status: &'object str,
    pub(super) reason: &'object str,
    pub(super) message: &'object str,
    /// Whether it is about the object as it is now.
    is_current: bool,
}

pub(super) fn condition<'object>(object: &'object Value, kind: &str) -> Option<Condition<'object>> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == kind)?;
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
        is_current: observed(object, found),
    })
}

impl Condition<'_> {
    pub(super) fn is(&self, status: &str) -> bool {
        self.status == status
    }

    /// `Reason: message`, or what there is of it.
    pub(super) fn text(&self) -> String {
        match (self.reason, self.message) {
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

pub(super) fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

fn deleting(object: &Value) -> String {
    let finalizers = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    let names: Vec<_> = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        return "it is being deleted".to_owned();
    }
    format!(
        "it is being deleted; finalizers hold it: {}",
        names.join(", ")
    )
}

/// Pending while the controller has not seen this generation. Some controllers
/// write a string there: the generation (Argo Rollouts) or, longer ago, a hash
/// of the spec. A number beyond the generation is such a hash and says nothing.
pub(super) fn generation(object: &Value) -> Option<Status> {
    let generation = number(object, "/metadata/generation")?;
    let observed = object.pointer("/status/observedGeneration")?;
    let is_behind = match observed.as_i64() {
        Some(observed) => observed != generation,
        None => observed.as_str()?.parse::<i64>().ok()? < generation,
    };
    is_behind.then(|| Status::pending("its controller has not seen the change yet"))
}

/// Whether a condition is about the object as it is now; one that does not say is.
pub(super) fn observed(object: &Value, condition: &Value) -> bool {
    let generation = number(object, "/metadata/generation").unwrap_or_default();
    condition["observedGeneration"]
        .as_i64()
        .is_none_or(|observed| observed >= generation)
}

fn common_conditions(object: &Value) -> Option<Status> {
    let stalled = condition(object, "Stalled").filter(|condition| condition.is_current);
    if let Some(condition) = stalled.filter(|condition| condition.is("True")) {
        return Some(Status::failed(format!("stalled: {}", condition.text())));
    }
    let condition = condition(object, "Reconciling").filter(|condition| condition.is("True"))?;
    Some(Status::pending(format!(
        "reconciling: {}",
        condition.text()
    )))
}

fn generic(object: &Value) -> Status {
    if condition(object, "Ready").is_some() {
        required(object, "Ready")
    } else {
        Status::ready("")
    }
}

fn required(object: &Value, kind: &str) -> Status {
    match condition(object, kind) {
        Some(condition) if !condition.is_current => {
            Status::pending(format!("its condition {kind} is about an older generation"))
        }
        Some(condition) if condition.is("True") => Status::ready(""),
        Some(condition) => Status::pending(format!("not {kind}: {}", condition.text())),
        None => Status::pending(format!("no {kind} condition yet")),
    }
}

fn job(object: &Value) -> Status {
    if let Some(failed) = condition(object, "Failed").filter(|condition| condition.is("True")) {
        return Status::failed(format!("the job failed: {}", failed.text()));
    }
    if condition(object, "Complete").is_some_and(|condition| condition.is("True")) {
        return Status::ready("complete");
    }
    if object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return match condition(object, "Suspended") {
            Some(condition) if condition.is("True") => Status::ready("suspended"),
            _ => Status::pending("its controller has not suspended it yet"),
        };
    }
    let wanted = number(object, "/spec/completions").unwrap_or(1);
    let done = number(object, "/status/succeeded").unwrap_or(0);
    let failed = number(object, "/status/failed").unwrap_or(0);
    Status::pending(format!(
        "{done} of {wanted} completions, {failed} failed pods"
    ))
}

fn pod(object: &Value) -> Status {
    match object
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or("Pending")
    {
        "Succeeded" => Status::ready("succeeded"),
        "Failed" => {
            let text = |pointer: &str| {
                object
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            Status::failed(
                format!(
                    "the pod failed {} {}",
                    text("/status/reason"),
                    text("/status/message")
                )
                .trim_end()
                .to_owned(),
            )
        }
        "Running" if condition(object, "Ready").is_some_and(|condition| condition.is("True")) => {
            Status::ready("")
        }
        phase => Status::pending(format!("{} and not ready", phase.to_lowercase())),
    }
}

fn claim(object: &Value) -> Status {
    match object
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or("Pending")
    {
        "Bound" => Status::ready("bound"),
        "Lost" => Status::failed("its volume is lost"),
        phase => {
            // A claim that names none is given the default class, if there is one.
            let class = object.pointer("/spec/storageClassName");
            let hint = if class.is_none() {
                "; it names no storage class, and the cluster has no default one"
            } else {
                ""
            };
            Status::pending(format!(
                "{}: no volume is bound yet{hint}",
                phase.to_lowercase()
            ))
        }
    }
}

fn service(object: &Value) -> Status {
    if object.pointer("/spec/type").and_then(Value::as_str) != Some("LoadBalancer") {
        return Status::ready("");
    }
    // Where its user gives it addresses, no load balancer need do so.
    let addressed = ["/status/loadBalancer/ingress", "/spec/externalIPs"].map(|pointer| {
        let addresses = object.pointer(pointer).and_then(Value::as_array);
        addresses.is_some_and(|addresses| !addresses.is_empty())
    });
    if addressed.contains(&true) {
        Status::ready("")
    } else {
        Status::pending("no load balancer has given it an address yet")
    }
}

fn namespace(object: &Value) -> Status {
    match object.pointer("/status/phase").and_then(Value::as_str) {
        Some("Active") => Status::ready(""),
        phase => Status::pending(phase.unwrap_or("not active yet").to_lowercase()),
    }
}

/// That it allows no disruption is no fault of its own: it may be what it is for.
fn budget(object: &Value) -> Status {
    match number(object, "/status/observedGeneration") {
        Some(_) => Status::ready(""),
        None => Status::pending("its controller has not seen it yet"),
    }
}

fn definition(object: &Value) -> Status {
    if let Some(names) =
        condition(object, "NamesAccepted").filter(|condition| condition.is("False"))
    {
        return Status::failed(format!("its names are not accepted: {}", names.text()));
    }
    match condition(object, "Established") {
        Some(established) if established.is("True") => Status::ready("established"),
        Some(established) if established.is("False") && established.reason != "Installing" => {
            Status::failed(format!("not established: {}", established.text()))
        }
        _ => Status::pending("not established yet"),
    }
}

impl Status {
    pub(crate) fn ready(message: impl Into<String>) -> Self {
        Self {
            state: State::Ready,
            message: message.into(),
        }
    }

    pub(crate) fn pending(message: impl Into<String>) -> Self {
        Self {
            state: State::Pending,
            message: message.into(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            state: State::Failed,
            message: message.into(),
        }
    }
}
