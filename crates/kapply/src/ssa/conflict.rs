//! Field-manager conflicts as the API server reports them: HTTP 409 with one
//! `FieldManagerConflict` cause per field.

use jiff::Timestamp;
use kube::core::Status;
use serde::Serialize;
use serde_json::Value;

use super::{field_path::lookup, since};
use crate::{mask::Mask, object::Object, plan::Live};

/// A field that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldConflict {
    /// Path, such as `.spec.replicas`.
    pub field: String,
    /// The manager that owns it.
    pub manager: String,
    /// How it owns it: `Update` or `Apply`.
    pub operation: String,
    /// The subresource through which it wrote, such as `scale`; may be empty.
    pub subresource: String,
    /// When it last wrote any of its fields.
    pub since: Option<Timestamp>,
    /// The value that is live; `None` if it is not known. Masked.
    pub theirs: Option<Value>,
    /// The value of the input. Masked.
    pub ours: Option<Value>,
    /// Whether the manager has the very name that the input is applied under.
    #[serde(skip)]
    pub is_own: bool,
}

impl FieldConflict {
    /// Whether an autoscaler, and not a person, decides about this field.
    #[must_use]
    pub fn is_autoscaled(&self) -> bool {
        self.field == ".spec.replicas"
            && self.subresource == "scale"
            && !self.manager.starts_with("kubectl")
    }
}

/// The conflicts of an answer; empty if it is about something else.
pub(super) fn conflicts(
    status: &Status,
    object: &Object,
    live: Option<&Live>,
    field_manager: &str,
    mask: &Mask,
) -> Vec<FieldConflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut causes = causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .peekable();
    if causes.peek().is_none() {
        return Vec::new();
    }
    let theirs = live.map(|live| mask.object(&live.value));
    let ours = mask.object(&object.value);
    causes
        .map(|cause| {
            let said = parse(&cause.message);
            let entry = live.and_then(|live| entry(live, &said));
            FieldConflict {
                theirs: theirs
                    .as_ref()
                    .and_then(|theirs| lookup(theirs, &cause.field))
                    .cloned(),
                ours: lookup(&ours, &cause.field).cloned(),
                field: cause.field.clone(),
                operation: if said.is_update { "Update" } else { "Apply" }.to_owned(),
                subresource: said.subresource.to_owned(),
                since: said.since.or_else(|| since(entry?)),
                is_own: said.manager == field_manager,
                manager: said.manager.to_owned(),
            }
        })
        .collect()
}

/// What a cause says about a manager.
struct Said<'text> {
    manager: &'text str,
    subresource: &'text str,
    is_update: bool,
    since: Option<Timestamp>,
}

/// `conflict with "MANAGER"[ with subresource "scale"][ using apps/v1[ at TIME]]`, the last
/// part for updates only (apimachinery, managedfields/internal/conflict.go).
fn parse(message: &str) -> Said<'_> {
    let rest = message.strip_prefix("conflict with \"").unwrap_or(message);
    let (manager, rest) = rest.split_once('"').unwrap_or((rest, ""));
    let subresource = rest
        .split_once(" with subresource \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(subresource, _)| subresource);
    let using = rest.split_once(" using ").map(|(_, rest)| rest);
    Said {
        manager,
        subresource,
        is_update: using.is_some(),
        since: using
            .and_then(|rest| rest.split_once(" at "))
            .and_then(|(_, time)| time.trim_end_matches(':').parse().ok()),
    }
}

/// The entry of the live object's managed fields that a cause talks about.
fn entry<'live>(live: &'live Live, said: &Said<'_>) -> Option<&'live Value> {
    let entries = live.value.pointer("/metadata/managedFields")?.as_array()?;
    entries.iter().find(|entry| {
        entry["manager"] == said.manager
            && (entry["operation"] == "Update") == said.is_update
            && entry["subresource"].as_str().unwrap_or_default() == said.subresource
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::problem::Place;

    #[test]
    fn causes_name_field_owner_and_values() {
        let status: Status = serde_json::from_str(
            r#"{"code":409,"reason":"Conflict","message":"m","details":{"causes":[
              {"reason":"FieldManagerConflict","message":"conflict with \"hpa\" with subresource \"scale\" using apps/v1 at 2026-01-02T03:04:05Z","field":".spec.replicas"},
              {"reason":"FieldManagerConflict","message":"conflict with \"flux\"","field":".data.a"},
              {"reason":"Other","message":"x"}]}}"#,
        )
        .unwrap();
        let object = Object {
            value: json!({"spec": {"replicas": 3}, "data": {"a": "ours"}}),
            place: Place::file("f"),
            document: 0,
        };
        let live = Live {
            value: json!({"spec": {"replicas": 7}, "data": {"a": "theirs"}, "metadata": {"managedFields": [
                {"manager": "flux", "operation": "Apply", "time": "2026-02-03T04:05:06Z"}]}}),
        };
        let found = conflicts(&status, &object, Some(&live), "flux", &Mask::default());
        assert_eq!(found.len(), 2);
        assert!(found[0].is_autoscaled());
        assert!(!found[0].is_own && found[1].is_own);
        assert_eq!(
            (
                &found[0].manager[..],
                &found[0].operation[..],
                found[0].theirs.clone(),
                found[0].ours.clone()
            ),
            ("hpa", "Update", Some(json!(7)), Some(json!(3)))
        );
        assert_eq!(found[0].since.unwrap().to_string(), "2026-01-02T03:04:05Z");
        assert_eq!(
            (&found[1].manager[..], &found[1].operation[..]),
            ("flux", "Apply")
        );
        assert_eq!(found[1].since.unwrap().to_string(), "2026-02-03T04:05:06Z");
        assert!(
            conflicts(&status, &object, None, "kapply", &Mask::default())[1]
                .theirs
                .is_none()
        );
    }
}
