//! Keeps components running, and reaps every process that ends on the node.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    net::TcpStream,
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::wait::{WaitStatus, waitpid},
};

use crate::{
    api, child,
    components::{Component, Gate, NodePlan},
    error::{Context, Result},
};

/// Between a component's end and its next start, as k3s's systemd unit has it.
const RESTART_DELAY: Duration = Duration::from_secs(1);
const GATE_POLL: Duration = Duration::from_millis(50);
/// Then it is asked over another connection.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// Components by process id. Held while one is started, so that the reaper
/// knows it before it can end.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<i32, Component>>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Component>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts every component, and starts each again when it ends. Never returns.
pub(super) fn run(plan: NodePlan) -> ! {
    let running = Running::default();
    let runtime: Arc<Path> = plan.runtime.into();
    for component in plan.components {
        start(component, Duration::ZERO, &running, &runtime);
    }
    loop {
        // As PID 1, also the parent of every orphan of the node.
        match waitpid(None, None) {
            Ok(status) => {
                let ended = status
                    .pid()
                    .and_then(|pid| running.lock().remove(&pid.as_raw()));
                if let Some(component) = ended {
                    eprintln!("init: {} ended: {}", component.name, describe(status));
                    start(component, RESTART_DELAY, &running, &runtime);
                }
            }
            // No child yet, or none left: the starters will make some.
            Err(Errno::ECHILD) => thread::sleep(GATE_POLL),
            Err(_) => {}
        }
    }
}

fn describe(status: WaitStatus) -> String {
    match status {
        WaitStatus::Exited(_, code) => format!("exit code {code}"),
        WaitStatus::Signaled(_, signal, _) => format!("{signal}"),
        other => format!("{other:?}"),
    }
}

fn start(component: Component, delay: Duration, running: &Running, runtime: &Arc<Path>) {
    let running = running.clone();
    let runtime = Arc::clone(runtime);
    thread::spawn(move || {
        thread::sleep(delay);
        loop {
            if let Some(gate) = &component.after {
                wait_for(gate);
            }
            let mut running = running.lock();
            match spawn(&component, &runtime) {
                Ok(pid) => {
                    running.insert(pid, component);
                    return;
                }
                Err(error) => eprintln!("init: {error}"),
            }
            drop(running);
            thread::sleep(RESTART_DELAY);
        }
    });
}

/// A gate is another component of this or the server's node, which has no way
/// to call us: asking is the only way to know.
fn wait_for(gate: &Gate) {
    let open = || match gate {
        Gate::Tcp(address) => TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok(),
        Gate::Unix(path) => UnixStream::connect(path).is_ok(),
        Gate::Ready(kubeconfig) => becomes_ready(kubeconfig).is_ok(),
    };
    while !open() {
        thread::sleep(GATE_POLL);
    }
}

fn becomes_ready(kubeconfig: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .system("cannot start")?;
    runtime.block_on(async {
        let client = api::client_of(kubeconfig).await?;
        api::ready(&client, READY_LIMIT).await
    })
}

fn spawn(component: &Component, runtime: &Path) -> Result<i32> {
    let log = child::append(&Path::new("/var/log").join(format!("{}.log", component.name)))?;
    let log_too = log.try_clone().system("cannot share a log")?;
    let child = Command::new(runtime.join(&component.name))
        .args(&component.arguments)
        // containerd finds its shim on the PATH, the shim runc's helpers.
        .env("PATH", search_path(runtime))
        .env("TMPDIR", "/var/lib/tmp")
        .env("HOME", "/var/lib/tmp")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_too)
        .process_group(0)
        .spawn()
        .system(format!("cannot start {}", component.name))?;
    Ok(child.id().cast_signed())
}

fn search_path(runtime: &Path) -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let standard = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Into::into);
    let folders = std::iter::once(runtime.to_owned())
        .chain(env::split_paths(&inherited))
        .chain(standard);
    env::join_paths(folders).unwrap_or(inherited)
}
