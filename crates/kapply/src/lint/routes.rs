//! References by name: from an Ingress to a Service and its port, from an
//! autoscaler to what it scales.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{pods::Pods, warning};
use crate::{problem::Problem, resolve::Target};

/// Backends that the input's Services cannot serve.
pub(super) fn ingresses(targets: &[Target]) -> Vec<Problem> {
    let mut services: HashMap<&str, BTreeMap<&str, &Target>> = HashMap::new();
    for (namespace, target) in of_kind(targets, "", "Service") {
        let known = services.entry(namespace).or_default();
        known.insert(target.object.name(), target);
    }
    let mut found = Vec::new();
    for (namespace, ingress) in of_kind(targets, "networking.k8s.io", "Ingress") {
        // Without any Service of its own, the input leaves them to somebody else.
        let Some(services) = services.get(namespace) else {
            continue;
        };
        for pointer in backends(&ingress.object.value) {
            let backend = &ingress.object.value.pointer(&pointer);
            let wrong = backend.and_then(|backend| broken(backend, services));
            if let Some((field, message)) = wrong {
                found.push(warning(ingress, &format!("{pointer}/{field}"), &message));
            }
        }
    }
    found
}

/// JSON pointers of all Service backends of an Ingress.
fn backends(ingress: &Value) -> Vec<String> {
    let mut pointers = vec!["/spec/defaultBackend/service".to_owned()];
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    for (rule, value) in rules.enumerate() {
        let paths = value["http"]["paths"].as_array().map_or(0, Vec::len);
        pointers.extend(
            (0..paths).map(|path| format!("/spec/rules/{rule}/http/paths/{path}/backend/service")),
        );
    }
    pointers
}

/// Which field of the backend is wrong, and why.
fn broken(backend: &Value, services: &BTreeMap<&str, &Target>) -> Option<(&'static str, String)> {
    let name = backend["name"].as_str()?;
    let Some(service) = services.get(name) else {
        let known: Vec<_> = services.keys().copied().collect();
        let message = format!(
            "the Service {name} is not in the input, which has: {}",
            known.join(", ")
        );
        return Some(("name", message));
    };
    let spec = &service.object.value["spec"];
    let ports = spec["ports"].as_array()?;
    let (field, wanted) = match (&backend["port"]["name"], &backend["port"]["number"]) {
        (Value::String(name), _) => ("name", Value::from(name.as_str())),
        (_, Value::Number(number)) => ("port", Value::from(number.clone())),
        _ => return None,
    };
    if ports.iter().any(|port| port[field] == wanted) {
        return None;
    }
    let has: Vec<_> = ports
        .iter()
        .map(|port| plain(&port[field]))
        .filter(|port| !port.is_empty())
        .collect();
    let has = if has.is_empty() {
        String::new()
    } else {
        format!(" (it has: {})", has.join(", "))
    };
    let message = format!("the Service {name} has no port {}{has}", plain(&wanted));
    Some(("port", message))
}

/// Autoscalers whose target the input does not bring, although it brings workloads.
pub(super) fn autoscalers(targets: &[Target], pods: &Pods<'_>) -> Vec<Problem> {
    let known: HashSet<_> = targets
        .iter()
        .map(|target| {
            let object = &target.object;
            let namespace = target.namespace.as_deref().unwrap_or_default();
            (namespace, object.group(), object.kind(), object.name())
        })
        .collect();
    let mut found = Vec::new();
    for (namespace, scaler) in of_kind(targets, "autoscaling", "HorizontalPodAutoscaler") {
        let reference = &scaler.object.value["spec"]["scaleTargetRef"];
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let group = text("apiVersion")
            .rsplit_once('/')
            .map_or("", |(group, _)| group);
        let wanted = (namespace, group, text("kind"), text("name"));
        if pods.are_known(namespace) && !known.contains(&wanted) {
            let message = format!(
                "its target {}/{} is not in the input",
                text("kind").to_lowercase(),
                text("name")
            );
            found.push(warning(scaler, "/spec/scaleTargetRef", &message));
        }
    }
    found
}

fn of_kind<'targets>(
    targets: &'targets [Target],
    group: &'targets str,
    kind: &'targets str,
) -> impl Iterator<Item = (&'targets str, &'targets Target)> {
    targets
        .iter()
        .filter(move |target| target.object.group() == group && target.object.kind() == kind)
        .filter_map(|target| Some((target.namespace.as_deref()?, target)))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
