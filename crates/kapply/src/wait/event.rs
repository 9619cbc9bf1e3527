//! Warnings that the cluster has noted about an object.

use serde_json::Value;

/// Reasons that never tell more than the pod's own state does.
const BESIDE_THE_POINT: [&str; 3] = ["BackOff", "MissingClusterDNS", "DNSConfigForming"];

/// Messages that begin alike differ in a port or a generated name.
const SAME_BEGINNING: usize = 40;

/// A Warning event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When it was last seen, as the cluster wrote it (RFC 3339).
    pub time: String,
    /// What it is about, such as `pod/web-1`.
    pub about: String,
    /// The cluster's word for it, such as `FailedMount`.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// How often.
    pub count: i64,
}

/// The warnings about any of the objects, the newest last. What only repeats
/// another one is left out.
pub(super) fn about<'event>(
    events: impl Iterator<Item = &'event Value>,
    uids: &[&str],
) -> Vec<Event> {
    let mut found: Vec<Event> = events
        .filter(|event| uids.contains(&uid(event)))
        .map(read)
        .filter(|event| !BESIDE_THE_POINT.contains(&event.reason.as_str()))
        .collect();
    found.sort();
    let mut last: Vec<Event> = Vec::new();
    for event in found.into_iter().rev() {
        let repeats = |known: &Event| {
            known.about == event.about
                && known.reason == event.reason
                && known
                    .message
                    .chars()
                    .take(SAME_BEGINNING)
                    .eq(event.message.chars().take(SAME_BEGINNING))
        };
        if !last.iter().any(repeats) {
            last.push(event);
        }
    }
    last.reverse();
    last
}

impl Event {
    /// Whether the text says all that this event says.
    pub(super) fn is_told_by(&self, text: &str) -> bool {
        let tail = |marker| self.message.rsplit_once(marker).map(|(_, tail)| tail);
        let core = tail("is forbidden: ").or_else(|| tail("Error: "));
        text.contains(core.unwrap_or(&self.message).trim())
    }
}

/// UID of the object that an event is about.
pub(super) fn uid(event: &Value) -> &str {
    event
        .pointer("/involvedObject/uid")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn read(event: &Value) -> Event {
    let text = |pointer: &str| {
        let value = event.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    // Which of the times is set depends on who wrote it.
    let times = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ];
    let time = times.map(text).into_iter().find(|time| !time.is_empty());
    let count = event.pointer("/series/count").or(event.get("count"));
    Event {
        time: time.unwrap_or_default(),
        about: format!(
            "{}/{}",
            text("/involvedObject/kind").to_lowercase(),
            text("/involvedObject/name")
        ),
        reason: text("/reason"),
        message: text("/message")
            .trim_start_matches("(combined from similar events): ")
            .to_owned(),
        count: count.and_then(Value::as_i64).unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(uid: &str, reason: &str, message: &str, time: &str) -> Value {
        json!({"involvedObject": {"kind": "Pod", "name": "web-1", "uid": uid}, "reason": reason, "message": message,
               "type": "Warning", "count": 6, "eventTime": null, "lastTimestamp": time})
    }

    #[test]
    fn the_newest_come_last_and_nothing_twice() {
        let events = [
            event("a", "Unhealthy", "503", "2026-11-23T12:56:43Z"),
            event("a", "FailedMount", "absent", "2026-11-23T12:56:40Z"),
            event("a", "Unhealthy", "503", "2026-11-23T12:56:41Z"),
            event("a", "BackOff", "", "2026-11-23T12:56:45Z"),
            event("a", "MissingClusterDNS", "", "2026-11-23T12:56:44Z"),
            event("b", "Failed", "another pod", "2026-11-23T12:56:44Z"),
        ];
        let found = about(events.iter(), &["a"]);
        let reasons: Vec<_> = found.iter().map(|event| event.reason.as_str()).collect();
        assert_eq!(reasons, ["FailedMount", "Unhealthy"]);
        assert_eq!((found[1].about.as_str(), found[1].count), ("pod/web-1", 6));
    }

    #[test]
    fn the_events_of_the_new_api_have_their_time_elsewhere() {
        let event = json!({"involvedObject": {"kind": "Pod", "name": "p", "uid": "a"}, "reason": "FailedScheduling",
            "eventTime": "2026-11-23T12:56:40.123456Z", "lastTimestamp": null, "series": {"count": 3,
            "lastObservedTime": "2026-11-23T12:57:40.123456Z"}});
        let found = about(std::iter::once(&event), &["a"]);
        assert_eq!(
            (found[0].time.as_str(), found[0].count),
            ("2026-11-23T12:57:40.123456Z", 3)
        );
    }
}
