//! What keeps a workload from getting ready: how grave it is, whose log tells
//! more, and what to do about it.

use std::time::Duration;

/// How long trouble that somebody may be mending right now is borne: a node
/// that is being added, a quota that old pods are about to leave, a config map
/// that comes a moment later. The kubelet looks again within 15 s.
pub(super) const GRACE: Duration = Duration::from_secs(15);

/// Whether waiting can help, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gravity {
    /// It will not.
    Fatal,
    /// It will not if the trouble is still there after this time.
    Lasting(Duration),
    /// It may.
    Note,
    /// It most likely will: worth a word only once the time is up.
    Passing,
}

/// The container whose log tells more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Speaker {
    pub(super) pod: String,
    pub(super) container: String,
    /// Whether the run before this one is the one that ended badly.
    pub(super) previous: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) gravity: Gravity,
    /// UID of the object that has it.
    pub(super) uid: String,
    /// The reason, in the cluster's own word, such as `ImagePullBackOff`.
    pub(super) reason: String,
    /// Object, reason and message for people.
    pub(super) text: String,
    /// What to do about it.
    pub(super) advice: Option<&'static str>,
    pub(super) speaker: Option<Speaker>,
}

/// What to do about a program that the node's kernel cannot start, if a message or
/// a line of a log tells of one.
pub(super) fn format_advice(text: &str) -> Option<&'static str> {
    text.to_lowercase().contains("exec format error").then_some(
        "the program is built for another processor than its node's, or is a script without #!: build the image for the node's platform",
    )
}

/// What to do about a reason that Kubernetes gives, as far as its message tells.
pub(super) fn advice(reason: &str, message: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if let Some(advice) = format_advice(message) {
        return Some(advice);
    }
    Some(match reason {
        "ImagePullBackOff" | "ErrImagePull" => pull_advice(message),
        "InvalidImageName" => "write the image as [REGISTRY/]NAME:TAG or [REGISTRY/]NAME@DIGEST",
        "ErrImageNeverPull" => {
            "load the image onto the nodes, or set another imagePullPolicy than Never"
        }
        "CreateContainerConfigError" => {
            "create the ConfigMap, Secret or key that is named there, or mark the reference as optional"
        }
        "CreateContainerError" | "RunContainerError" | "StartError" | "ContainerCannotRun" => {
            "check the container's command, arguments and mounts against what its image has"
        }
        "OOMKilled" => "raise the container's memory limit, or make it use less",
        "CrashLoopBackOff" | "Error" | "BackoffLimitExceeded" => {
            "its log tells why it ended; if it only waits for something that starts later, see --allow-restarts"
        }
        "Completed" => {
            "its command ends by itself: run it as a Job, or start a command that keeps running"
        }
        "LivenessProbe" => {
            "check the path and port of its liveness probe, or give a slow start a startupProbe"
        }
        "Unhealthy" => "check the path and port of its probe, and what the container answers there",
        "Unschedulable" => schedule_advice(message),
        "ReadinessGatesNotReady" => {
            "look at the controller that is to set the condition of this readiness gate"
        }
        "NotReady" if says(&["may be lost"]) => "look at the node: kubectl get nodes",
        "FailedMount" => "create what the volume refers to, or mark the volume as optional",
        "FailedCreate" if says(&["exceeded quota"]) => {
            "raise the quota, or free some of it (kubectl describe resourcequota)"
        }
        "FailedCreate" if says(&["violates PodSecurity"]) => {
            "tighten the pod's securityContext as it says, or change the namespace's pod-security label"
        }
        "FailedCreate" if says(&["service account"]) => {
            "create the service account, or name another"
        }
        "FailedCreate" => "change the pod template as it says",
        "OldRevision" => {
            "delete the old pod: a StatefulSet does not replace it before it is healthy"
        }
        "OnDelete" => "delete the old pod: with the update strategy OnDelete nothing replaces it",
        _ => return None,
    })
}

fn pull_advice(message: &str) -> &'static str {
    // Never a number alone: the digest of an image may have it.
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["toomanyrequests", "rate limit", "429 Too Many Requests"]) {
        "this registry limits pulls: give the pod an imagePullSecret of an account, pull from a mirror, or wait"
    } else if says(&["no match for platform", "no matching manifest"]) {
        "the registry has this image for other processors only: build it for the node's, too, or select other nodes"
    } else if says(&["HTTP response to HTTPS client"]) {
        "this registry speaks no TLS: give it a certificate, or tell the nodes' container runtime"
    } else if says(&[
        "unauthorized",
        "denied",
        "401 Unauthorized",
        "403 Forbidden",
        "authorization failed",
    ]) {
        "give the pod an imagePullSecret that this registry accepts"
    } else if says(&["not found", "manifest unknown", "404 Not Found"]) {
        "check the image's name and tag: the registry does not have it"
    } else if says(&["x509", "certificate"]) {
        "make the nodes trust the registry's certificate"
    } else if says(&[
        "lookup",
        "no such host",
        "timeout",
        "refused",
        "unreachable",
    ]) {
        "check the registry's name, and that the nodes can reach it"
    } else {
        "check the image's name and tag, and that the nodes may pull it"
    }
}

fn schedule_advice(message: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["Insufficient", "Too many pods"]) {
        "lower the pod's requests, or add nodes"
    } else if says(&["{node.kubernetes.io/", "node(s) were unschedulable"]) {
        // Kubernetes' own taints: not ready, unreachable, cordoned, short of memory, disk or processes.
        "look at the nodes, which take no pods as they are now: kubectl describe nodes"
    } else if says(&["volume node affinity conflict"]) {
        "its volume is where no node is that suits the pod: change the pod's nodeSelector or affinity, or the volume"
    } else if says(&["free ports"]) {
        "another pod of the node has its hostPort: choose another one, or add nodes"
    } else if says(&["untolerated taint", "didn't tolerate"]) {
        "give the pod a toleration, or use nodes without the taint"
    } else if says(&["node affinity", "node selector", "node(s) didn't match"]) {
        "change the pod's nodeSelector or affinity, or label a node"
    } else if says(&["PersistentVolumeClaim", "persistentvolumeclaim", "volume"]) {
        "look at the pod's claims: kubectl get pvc"
    } else {
        "change what the pod asks of its node, or add such a node"
    }
}

/// Two parts with a colon between them, or the first alone.
pub(super) fn join(head: &str, message: &str) -> String {
    match message.trim() {
        "" => head.to_owned(),
        message => format!("{head}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_the_message() {
        for (reason, message, word) in [
            (
                "ImagePullBackOff",
                "dial tcp: lookup nowhere.invalid: i/o timeout",
                "reach",
            ),
            (
                "ImagePullBackOff",
                "pull access denied, authorization failed",
                "imagePullSecret",
            ),
            (
                "ErrImagePull",
                "docker.io/library/x:nope: not found",
                "does not have it",
            ),
            (
                "ErrImagePull",
                "localhost/x@sha256:4290401b0403: not found",
                "does not have it",
            ),
            (
                "ErrImagePull",
                "no match for platform in manifest: not found",
                "other processors",
            ),
            (
                "ImagePullBackOff",
                "429 Too Many Requests: toomanyrequests: You have reached your unauthenticated pull rate limit.",
                "limits pulls",
            ),
            (
                "ErrImagePull",
                "http: server gave HTTP response to HTTPS client",
                "TLS",
            ),
            (
                "Unschedulable",
                "0/1 nodes are available: 1 Insufficient memory.",
                "requests",
            ),
            (
                "Error",
                "exec /bin/app: exec format error",
                "another processor",
            ),
            (
                "FailedCreate",
                "pods \"x\" is forbidden: exceeded quota: q",
                "quota",
            ),
            (
                "Unschedulable",
                "0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 1 node(s) were unschedulable.",
                "describe nodes",
            ),
            (
                "Unschedulable",
                "0/1 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
                "toleration",
            ),
            (
                "Unschedulable",
                "0/1 nodes are available: 1 node(s) had volume node affinity conflict.",
                "its volume",
            ),
            (
                "Unschedulable",
                "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
                "hostPort",
            ),
        ] {
            assert!(
                advice(reason, message).unwrap().contains(word),
                "{reason}: {message}"
            );
        }
        assert_eq!(advice("SomethingElse", ""), None);
    }
}
