//! Stage 8: what happened, for people and for programs.

pub mod conflict;
pub mod json;
pub(crate) mod lines;
pub mod plan;
pub mod progress;
pub(crate) mod save;
pub mod set;
pub mod status;
pub mod style;
pub mod text;
pub mod waited;
pub mod yaml;

/// `deployment.apps/web (namespace shop)`
pub(crate) fn subject(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    name: &str,
) -> String {
    let kind = kind.to_lowercase();
    let label = match api_version.rsplit_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    };
    match namespace {
        Some(namespace) => format!("{label} (namespace {namespace})"),
        None => label,
    }
}
