//! Label selectors: whether they match what they are meant for.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    pods::{Pods, labels},
    warning,
};
use crate::{
    problem::Problem,
    resolve::{Target, template},
};

/// A label selector, in either of the forms that Kubernetes has.
pub(super) struct Selector<'value> {
    labels: Option<&'value Map<String, Value>>,
    expressions: &'value [Value],
}

impl<'value> Selector<'value> {
    /// A plain map of labels, as Services have it.
    pub(super) fn map(value: &'value Value) -> Self {
        Self {
            labels: value.as_object(),
            expressions: &[],
        }
    }

    /// `matchLabels` and `matchExpressions`.
    pub(super) fn full(value: &'value Value) -> Self {
        Self {
            labels: value["matchLabels"].as_object(),
            expressions: value["matchExpressions"]
                .as_array()
                .map_or(&[], Vec::as_slice),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_none_or(Map::is_empty) && self.expressions.is_empty()
    }

    /// The labels that have to be there as they are.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.labels.into_iter().flatten();
        labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// Whether a pod of this template is selected.
    pub(super) fn matches(&self, template: &Value) -> bool {
        let label = |key: &str| template["metadata"]["labels"][key].as_str();
        let expression = |wanted: &Value| {
            let found = label(wanted["key"].as_str().unwrap_or_default());
            let values = wanted["values"].as_array();
            let listed = || {
                values
                    .into_iter()
                    .flatten()
                    .any(|value| value.as_str() == found)
            };
            match wanted["operator"].as_str() {
                Some("In") => found.is_some() && listed(),
                Some("NotIn") => found.is_none() || !listed(),
                Some("Exists") => found.is_some(),
                Some("DoesNotExist") => found.is_none(),
                // The server will say what is wrong with it.
                _ => true,
            }
        };
        self.labels().all(|(key, value)| label(key) == Some(value))
            && self.expressions.iter().all(expression)
    }
}

impl fmt::Display for Selector<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<_> = self
            .labels()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        for wanted in self.expressions {
            let text = |field: &str| wanted[field].as_str().unwrap_or_default();
            let values = wanted["values"].as_array().into_iter().flatten();
            let values: Vec<_> = values.filter_map(Value::as_str).collect();
            let list = if values.is_empty() {
                String::new()
            } else {
                format!(" ({})", values.join(","))
            };
            let operator = text("operator").to_lowercase();
            parts.push(format!("{} {operator}{list}", text("key")));
        }
        out.write_str(&parts.join(","))
    }
}

/// A workload has to select its own pods; the server refuses one that does not.
pub(super) fn own(target: &Target) -> Vec<Problem> {
    let object = &target.object;
    let value = &object.value["spec"]["selector"];
    let selector = match (object.group(), object.kind()) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
            Selector::full(value)
        }
        ("", "ReplicationController") => Selector::map(value),
        _ => return Vec::new(),
    };
    let template = template::pointer(object).and_then(|at| object.value.pointer(at));
    let Some(template) = template.filter(|template| !selector.matches(template)) else {
        return Vec::new();
    };
    let has: Vec<_> = labels(template)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let has = if has.is_empty() {
        "it has none".to_owned()
    } else {
        has.join(",")
    };
    let message = format!(
        "its selector {selector} does not match the labels of its own pod template ({has}); the server will refuse it"
    );
    vec![warning(target, "/spec/selector", &message)]
}

/// Objects that select pods of somebody else.
pub(super) fn others(target: &Target, pods: &Pods<'_>) -> Option<Problem> {
    let spec = &target.object.value["spec"];
    let (pointer, selector) = match (target.object.group(), target.object.kind()) {
        ("", "Service") => ("/spec/selector", Selector::map(&spec["selector"])),
        ("policy", "PodDisruptionBudget") => ("/spec/selector", Selector::full(&spec["selector"])),
        ("networking.k8s.io", "NetworkPolicy") => {
            ("/spec/podSelector", Selector::full(&spec["podSelector"]))
        }
        _ => return None,
    };
    let namespace = target.namespace.as_deref()?;
    // An empty selector means every pod, or, in a Service, none at all.
    if selector.is_empty()
        || !pods.are_known(namespace)
        || pods.matching(namespace, &selector).next().is_some()
    {
        return None;
    }
    let message = format!(
        "its selector {selector} matches no pod template of the input in the namespace {namespace}"
    );
    Some(warning(target, pointer, &message))
}
