//! Field-manager conflicts as the API server reports them: HTTP 409 with one
//! `FieldManagerConflict` cause per field.

use kube::core::Status;
use serde::Serialize;

/// A field that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldConflict {
    /// Path, such as `.spec.replicas`.
    pub field: String,
    /// The manager that owns it.
    pub manager: String,
    /// How it came to own it, such as `using apps/v1 at 2026-11-23T09:36:00Z`; may be empty.
    pub detail: String,
}

/// The conflicts of an answer; empty if it is about something else.
pub(crate) fn conflicts(status: &Status) -> Vec<FieldConflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            let (manager, detail) = parse(&cause.message);
            FieldConflict {
                field: cause.field.clone(),
                manager,
                detail,
            }
        })
        .collect()
}

/// `conflict with "MANAGER"[ with subresource "scale"][ using apps/v1[ at TIME]]`
/// (apimachinery, managedfields/internal/conflict.go).
fn parse(message: &str) -> (String, String) {
    let rest = message.strip_prefix("conflict with \"").unwrap_or(message);
    match rest.split_once('"') {
        Some((manager, detail)) => (
            manager.to_owned(),
            detail.trim_end_matches(':').trim().to_owned(),
        ),
        None => (rest.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_name_field_and_manager() {
        let status: Status = serde_json::from_str(
            r#"{"code":409,"reason":"Conflict","message":"m","details":{"causes":[
              {"reason":"FieldManagerConflict","message":"conflict with \"hpa\" with subresource \"scale\" using apps/v1 at 2026-01-02T03:04:05Z","field":".spec.replicas"},
              {"reason":"FieldManagerConflict","message":"conflict with \"kubectl\"","field":".data.a"},
              {"reason":"Other","message":"x"}]}}"#,
        )
        .unwrap();
        let found = conflicts(&status);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].field.as_str(), found[0].manager.as_str()),
            (".spec.replicas", "hpa")
        );
        assert_eq!(
            found[0].detail,
            "with subresource \"scale\" using apps/v1 at 2026-01-02T03:04:05Z"
        );
        assert_eq!(
            (found[1].manager.as_str(), found[1].detail.as_str()),
            ("kubectl", "")
        );
    }
}
