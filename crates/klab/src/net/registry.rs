//! The cluster's own registry: the distribution project's, inside the switch's
//! network, so that nodes pull from it and the machine pushes to it.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    child,
    error::{Context, Error, Result},
    net::supervise::Supervised,
    spec::{REGISTRY_PORT, SWITCH},
    state::{Folder, write_private},
};

/// The role of the registry's process among the cluster's members.
const ROLE: &str = "registry";
const START_LIMIT: Duration = Duration::from_secs(30);

/// How the switch starts it.
pub(super) fn supervised(folder: &Folder, program: &Path) -> Supervised {
    let (folder, program) = (folder.clone(), program.to_owned());
    Supervised::new("registry", move || {
        let config = folder.registry().with_extension("yml");
        write_private(&config, configuration(&folder.registry()))?;
        let log = child::append(&folder.registry_log())?;
        let log_too = log.try_clone().system("cannot share a log")?;
        let mut registry = Command::new(&program);
        registry
            .arg("serve")
            .arg(config)
            // It would look for a collector.
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too);
        Ok((registry, folder.path(), ROLE))
    })
}

/// Its configuration in YAML, of which JSON is a part.
fn configuration(data: &Path) -> String {
    let config = serde_json::json!({
        "version": "0.1",
        "log": { "level": "warn", "accesslog": { "disabled": true } },
        "storage": {
            "filesystem": { "rootdirectory": data },
            "delete": { "enabled": true },
        },
        "http": { "addr": format!("{SWITCH}:{REGISTRY_PORT}") },
    });
    format!("{config:#}\n")
}

/// Waits until the registry serves on 127.0.0.1.
///
/// # Errors
/// When it does not within half a minute: with the last words of its log.
pub async fn ready(folder: &Folder, port: u16) -> Result<()> {
    // It has no way to call us.
    let wait = async {
        while !serves(port).await.unwrap_or(false) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(START_LIMIT, wait).await.map_err(|_| {
        Error::Component(format!(
            "the registry does not serve after {} s: {}",
            START_LIMIT.as_secs(),
            child::last_lines(&folder.registry_log(), 3)
        ))
    })
}

async fn serves(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.0 200"))
}
