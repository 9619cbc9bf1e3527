//! `--preflight`: what the account may not do is told before anything is sent.

use super::output;
use crate::{
    connect::Cluster,
    error::Error,
    preflight::{Needs, roles, user, words},
    report::yaml,
};

/// Whether every permission is there; says on stderr which are not, and the
/// roles that would grant them.
///
/// # Errors
/// If the API server does not say.
pub(super) async fn is_permitted(cluster: &Cluster, needs: &Needs) -> Result<bool, Error> {
    let missing = needs.missing(cluster).await?;
    if missing.is_empty() {
        return Ok(true);
    }
    let user = user(cluster).await;
    let user = user.map_or_else(
        || "this account".to_owned(),
        |user| format!("user \"{user}\""),
    );
    for words in words(&missing) {
        output::error(&format!("{user} may not {words}"));
    }
    output::line(&format!(
        "nothing was sent; bound to {user}, these roles would do:\n{}",
        yaml::documents(&roles(&missing))
    ));
    Ok(false)
}
