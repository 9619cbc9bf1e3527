//! The log of the Job's pod, read again wherever it breaks off.

use std::time::Duration;

use futures::{AsyncBufReadExt as _, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::LogParams};
use tokio::{
    io::{AsyncWriteExt as _, DuplexStream},
    time::sleep,
};

use super::pod::{PodStage, stage_of};
use crate::{command::Tail, error::chain};

/// How long a broken log is left alone.
const AGAIN: Duration = Duration::from_millis(200);
/// From how long before its last line a log is read again: `sinceTime` counts whole seconds.
const OVERLAP: Duration = Duration::from_secs(1);

/// Copies whole lines of a pod's log until its last, reading it again where it breaks off.
pub(super) async fn follow(pods: Api<Pod>, pod: String, mut output: DuplexStream, errors: Tail) {
    let (mut since, mut ended) = (None, false);
    loop {
        let options = LogParams {
            follow: true,
            // By the node's clock, which need not be this machine's.
            timestamps: true,
            since_time: since,
            ..LogParams::default()
        };
        match pods.log_stream(&pod, &options).await {
            Ok(log) => {
                let mut lines = log.lines();
                while let Some(Ok(line)) = lines.next().await {
                    let Some((time, text)) = line.split_once(' ') else {
                        continue;
                    };
                    let time = time.parse().ok();
                    since = time.and_then(|time: Timestamp| time.checked_sub(OVERLAP).ok());
                    let last = text.starts_with(r#"{"type":"end""#);
                    let written = output.write_all(format!("{text}\n").as_bytes()).await;
                    if last || written.is_err() {
                        return;
                    }
                }
            }
            Err(error) => errors.note(chain(&error)),
        }
        // What was written before the end is read once more: it may have come after the break.
        if ended {
            return;
        }
        match pods.get(&pod).await.map(|pod| stage_of(&pod)) {
            Ok(PodStage::Failed(why)) => {
                errors.note(why);
                ended = true;
            }
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {
                errors.note(format!("pod {pod} is gone"));
                return;
            }
            Err(error) => errors.note(chain(&error)),
        }
        sleep(AGAIN).await;
    }
}
