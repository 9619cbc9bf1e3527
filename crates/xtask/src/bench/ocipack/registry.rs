//! An empty registry on the loopback for one push: the distribution project's.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::run::Runner;

const START: Duration = Duration::from_secs(30);

/// It stops when dropped.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) address: SocketAddr,
    child: Child,
}

/// Starts one with its data in `folder`.
pub(super) fn start(runner: &Runner, program: &Path, folder: &Path) -> anyhow::Result<Registry> {
    let free = TcpListener::bind("127.0.0.1:0").context("binding a port of the loopback")?;
    let address = free.local_addr().context("reading the bound port")?;
    drop(free);
    let config = folder.join("registry.yml");
    let data = folder.join("registry");
    let text = format!(
        "version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {}}}
http: {{addr: \"{address}\", secret: bench}}
",
        data.display()
    );
    fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
    let log = File::create(folder.join("registry.log")).context("making the registry's log")?;
    let child = Command::new(program)
        .arg("serve")
        .arg(&config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing the registry's log")?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    let mut registry = Registry { address, child };
    registry.wait(runner)?;
    Ok(registry)
}

impl Registry {
    fn wait(&mut self, runner: &Runner) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            runner.check_interrupted()?;
            if let Some(status) = self.child.try_wait().context("asking for the registry")? {
                bail!("the registry ended before it listened: {status}");
            }
            if Instant::now() > deadline {
                bail!("the registry does not listen after {} s", START.as_secs());
            }
            // A socket that another process opens has no event.
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
