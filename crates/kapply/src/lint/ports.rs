//! Ports that are asked for by a name: somebody has to have it.

use serde_json::Value;

use super::{pods::Pods, selectors::Selector, warning};
use crate::{
    problem::Problem,
    resolve::{Target, template},
};

const PROBES: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// Probes of containers that have no port of the name.
pub(super) fn probes(target: &Target) -> Vec<Problem> {
    let object = &target.object;
    let Some(template) = template::pointer(object) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for list in ["containers", "initContainers"] {
        let at = format!("{template}/spec/{list}");
        let containers = object.value.pointer(&at).and_then(Value::as_array);
        for (index, container) in containers.into_iter().flatten().enumerate() {
            for probe in PROBES {
                for way in ["httpGet", "tcpSocket"] {
                    let Some(port) = container[probe][way]["port"].as_str() else {
                        continue;
                    };
                    if is_number(port) || names(container).any(|name| name == port) {
                        continue;
                    }
                    let container = container["name"].as_str().unwrap_or_default();
                    found.push(warning(
                        target,
                        &format!("{at}/{index}/{probe}/{way}/port"),
                        &format!(
                            "{probe} asks for the port {port}, and the container {container} has no port of that name"
                        ),
                    ));
                }
            }
        }
    }
    found
}

/// Services whose `targetPort` is a name that no selected container has.
pub(super) fn service(target: &Target, pods: &Pods<'_>) -> Vec<Problem> {
    let object = &target.object;
    let Some(namespace) = target.namespace.as_deref() else {
        return Vec::new();
    };
    if (object.group(), object.kind()) != ("", "Service") || !pods.are_known(namespace) {
        return Vec::new();
    }
    let spec = &object.value["spec"];
    let selector = Selector::map(&spec["selector"]);
    // What selects nothing has been told so already.
    if selector.is_empty() || pods.matching(namespace, &selector).next().is_none() {
        return Vec::new();
    }
    let has = |port: &str| {
        pods.matching(namespace, &selector).any(|template| {
            // An init container that stays (a sidecar) serves, too.
            ["containers", "initContainers"]
                .into_iter()
                .filter_map(|list| template["spec"][list].as_array())
                .flatten()
                .any(|container| names(container).any(|name| name == port))
        })
    };
    let ports = spec["ports"].as_array().into_iter().flatten().enumerate();
    ports
        .filter_map(|(index, port)| Some((index, port["targetPort"].as_str()?)))
        .filter(|(_, port)| !is_number(port) && !has(port))
        .map(|(index, port)| {
            let message = format!("targetPort {port} is no port of any container that it selects");
            warning(target, &format!("/spec/ports/{index}/targetPort"), &message)
        })
        .collect()
}

fn names(container: &Value) -> impl Iterator<Item = &str> {
    let ports = container["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| port["name"].as_str())
}

/// A number in quotes is no name; the server refuses it.
fn is_number(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit())
}
