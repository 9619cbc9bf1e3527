//! The last log lines of the containers that are to blame.

use std::time::Duration;

use http::Request;

use super::trouble::{Speaker, Trouble};
use crate::{
    connect::{Cluster, RequestError, Retry},
    mask::Mask,
};

/// Log lines of one container.
const LINES: usize = 10;
/// Containers of one object; more say the same.
const CONTAINERS: usize = 2;
/// A line that is longer is cut.
const LINE_LENGTH: usize = 500;
/// A node that has gone must not hold the answer up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The end of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
    /// Whether it is the run before the current one.
    pub previous: bool,
    /// The last lines, or one that says why there are none.
    pub lines: Vec<String>,
}

/// The logs that tell more about the troubles, one per container name.
pub(super) async fn logs(
    cluster: &Cluster,
    namespace: Option<&str>,
    troubles: &[Trouble],
    mask: &Mask,
) -> Vec<Log> {
    let Some(namespace) = namespace else {
        return Vec::new();
    };
    let mut speakers: Vec<&Speaker> = Vec::new();
    for speaker in troubles
        .iter()
        .filter_map(|trouble| trouble.speaker.as_ref())
    {
        let is_new = |known: &&Speaker| known.container != speaker.container;
        if speakers.iter().all(is_new) && speakers.len() < CONTAINERS {
            speakers.push(speaker);
        }
    }
    let logs = speakers
        .into_iter()
        .map(|speaker| log(cluster, namespace, speaker, mask));
    futures::future::join_all(logs).await
}

async fn log(cluster: &Cluster, namespace: &str, speaker: &Speaker, mask: &Mask) -> Log {
    let mut previous = speaker.previous;
    let mut answer = read(cluster, namespace, speaker, previous).await;
    // A container that was started again meanwhile has its end in the other log.
    if answer.as_ref().map_or(true, Vec::is_empty)
        && let Ok(other) = read(cluster, namespace, speaker, !previous).await
        && !other.is_empty()
    {
        (previous, answer) = (!previous, Ok(other));
    }
    Log {
        pod: speaker.pod.clone(),
        container: speaker.container.clone(),
        previous,
        lines: answer.map_or_else(
            |why| vec![format!("(its log cannot be read: {why})")],
            |lines| lines.iter().map(|line| cut(mask.text(line))).collect(),
        ),
    }
}

async fn read(
    cluster: &Cluster,
    namespace: &str,
    speaker: &Speaker,
    previous: bool,
) -> Result<Vec<String>, String> {
    let Speaker { pod, container, .. } = speaker;
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&tailLines={LINES}&previous={previous}"
    );
    let request = Request::get(path)
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    let reply = tokio::time::timeout(PATIENCE, cluster.send(&request, Retry::Never))
        .await
        .map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
        .map_err(|error: RequestError| error.to_string())?;
    let text = String::from_utf8_lossy(&reply.body);
    Ok(text.lines().map(printable).collect())
}

/// A line without what a terminal would obey: programs write what they like
/// into their logs and into the messages they end with.
pub(super) fn printable(line: &str) -> String {
    let plain = console::strip_ansi_codes(line);
    plain
        .chars()
        .map(|char| if char.is_whitespace() { ' ' } else { char })
        .filter(|char| !char.is_control())
        .collect()
}

/// A message of the cluster as it may be shown. A registry that limits pulls
/// names the account and its token's id to everybody who reads the pod.
pub(super) fn tellable(message: &str) -> String {
    const ACCOUNT: &str = "pull rate limit as ";
    let plain = printable(message);
    let Some((before, account)) = plain.split_once(ACCOUNT) else {
        return plain;
    };
    let after = account.split_once(". ").map_or("", |(_, after)| after);
    format!("{before}pull rate limit. {after}")
        .trim_end()
        .to_owned()
}

/// A line that is not longer than fits. Only after values were concealed: half of one is still too much.
fn cut(mut line: String) -> String {
    if let Some((end, _)) = line.char_indices().nth(LINE_LENGTH) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_s_account_is_not_told() {
        let message = "toomanyrequests: You have reached your pull rate limit as 'shop.ci': dckr_jti_Ab1.c-D=. You may wait.";
        assert_eq!(
            tellable(message),
            "toomanyrequests: You have reached your pull rate limit. You may wait."
        );
        assert_eq!(
            tellable("your pull rate limit as 'shop': dckr_jti_x"),
            "your pull rate limit."
        );
    }

    #[test]
    fn logs_cannot_steer_the_terminal() {
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m\u{7}\tx"), "red x");
        assert_eq!(
            cut("ä".repeat(LINE_LENGTH + 9)).chars().count(),
            LINE_LENGTH + 1
        );
    }
}
