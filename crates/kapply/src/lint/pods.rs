//! The pod templates of the input, found by label.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::selectors::Selector;
use crate::{
    discover::builtin,
    resolve::{Target, template},
};

/// The pods that the input brings, by namespace.
pub(super) struct Pods<'targets> {
    templates: Vec<&'targets Value>,
    by_namespace: HashMap<&'targets str, Vec<usize>>,
    by_label: HashMap<(&'targets str, &'targets str, &'targets str), Vec<usize>>,
    /// Namespaces with custom resources whose operators may bring pods of their own.
    with_operators: HashSet<&'targets str>,
}

impl<'targets> Pods<'targets> {
    pub(super) fn of(targets: &'targets [Target]) -> Self {
        let mut pods = Self {
            templates: Vec::new(),
            by_namespace: HashMap::new(),
            by_label: HashMap::new(),
            with_operators: HashSet::new(),
        };
        for target in targets {
            if let Some(namespace) = &target.namespace {
                pods.add(target, namespace);
            }
        }
        pods
    }

    fn add(&mut self, target: &'targets Target, namespace: &'targets str) {
        let object = &target.object;
        let Some(template) = template::pointer(object).and_then(|at| object.value.pointer(at))
        else {
            if builtin::is_namespaced(object.group(), object.kind()).is_none() {
                self.with_operators.insert(namespace);
            }
            return;
        };
        let index = self.templates.len();
        self.templates.push(template);
        self.by_namespace.entry(namespace).or_default().push(index);
        for (key, value) in labels(template) {
            let place = (namespace, key, value);
            self.by_label.entry(place).or_default().push(index);
        }
    }

    /// Whether the input shows all pods that it brings to a namespace, and brings any.
    pub(super) fn are_known(&self, namespace: &str) -> bool {
        self.by_namespace.contains_key(namespace) && !self.with_operators.contains(namespace)
    }

    /// The templates that a selector matches.
    pub(super) fn matching<'pods>(
        &'pods self,
        namespace: &'pods str,
        selector: &'pods Selector<'_>,
    ) -> impl Iterator<Item = &'targets Value> + 'pods {
        const NONE: &[usize] = &[];
        // The rarest label first: thousands of objects may share one.
        let candidates = selector
            .labels()
            .map(|(key, value)| {
                let found = self.by_label.get(&(namespace, key, value));
                found.map_or(NONE, Vec::as_slice)
            })
            .min_by_key(|found| found.len())
            .or_else(|| self.by_namespace.get(namespace).map(Vec::as_slice));
        candidates
            .unwrap_or(NONE)
            .iter()
            .map(|index| self.templates[*index])
            .filter(|template| selector.matches(template))
    }
}

/// The labels of a pod template.
pub(super) fn labels(template: &Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = template
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}
