//! Up to which rate the generator keeps its own schedule, measured on this machine:
//! `cargo build --workspace --bins`, then `cargo run --package kdrill --example limit`. It asserts
//! nothing: the numbers are the machine's.

use std::{
    env,
    error::Error,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kdrill::{
    load::{
        generate::Connections,
        handle::{Load, LoadOptions},
    },
    timeline::{recorder::Timeline, series},
};

/// The workload, on a free port; ended when dropped.
struct Server(Child);

impl Server {
    fn start(programs: &Path) -> Result<(Self, String), Box<dyn Error>> {
        // Free a moment ago: nobody else takes ports of the loopback interface here.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let program = programs.join("hostname-server");
        let child = Command::new(&program)
            .args(["--listen", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}; build it first", program.display()))?;
        let server = Self(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(port).is_err() {
            if Instant::now() > deadline {
                return Err(format!("the server does not listen on {port}").into());
            }
            std::thread::yield_now();
        }
        Ok((server, format!("http://{port}/")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder that cargo builds programs into.
fn programs() -> Result<PathBuf, Box<dyn Error>> {
    let this = env::current_exe()?;
    let folder = this.ancestors().nth(2);
    Ok(folder
        .ok_or("an example lies in PROFILE/examples")?
        .to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let programs = programs()?;
    let kdrill = programs.join("kdrill");
    let (_server, target) = Server::start(&programs)?;
    println!("connections  due/s  made/s  failed  late p50   p99   max (ms)  answer p50   p99");
    for connections in [Connections::Fresh, Connections::Kept, Connections::Both] {
        for rate in [500, 1000, 2000, 4000, 8000] {
            let timeline = Timeline::start();
            let options = LoadOptions {
                connections,
                ..LoadOptions::to(&target, rate)
            };
            let load = Load::start(options, &kdrill, &timeline).await?;
            let from = timeline.now();
            let until = from + Duration::from_secs(5);
            load.settled(until).await?;
            load.stop().await;
            let report = series::report(load.options(), &load.between(from, until), 0);
            let (late, total) = (report.late.unwrap_or_default(), report.total);
            let latency = total.latency.unwrap_or_default();
            println!(
                "{:11} {rate:6} {:7.0} {:7} {:9.2} {:5.1} {:5.1}       {:9.2} {:5.1}",
                connections.word(),
                total.requests as f64 / 5.0,
                total.failed,
                late.p50_ms,
                late.p99_ms,
                late.max_ms,
                latency.p50_ms,
                latency.p99_ms,
            );
        }
    }
    Ok(())
}
