//! Up to which rate the generator keeps its own schedule, measured on this machine:
//! `cargo test -p kdrill --test limit -- --ignored --nocapture`.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
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

const KDRILL: &str = env!("CARGO_BIN_EXE_kdrill");

/// The workload, on a free port; ended when dropped.
struct Server(Child);

impl Server {
    fn start() -> (Self, String) {
        // Free a moment ago: nobody else takes ports of the loopback interface here.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let program = Path::new(KDRILL).with_file_name("hostname-server");
        let child = Command::new(&program)
            .args(["--listen", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; cargo build --workspace", program.display())
            });
        let server = Self(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(port).is_err() {
            assert!(Instant::now() < deadline, "it does not listen on {port}");
            std::thread::yield_now();
        }
        (server, format!("http://{port}/"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures this machine: run it alone"]
async fn the_rate_up_to_which_requests_start_on_time() {
    let (_server, target) = Server::start();
    println!("connections  due/s  made/s  failed  late p50   p99   max (ms)  answer p50   p99");
    for connections in [Connections::Fresh, Connections::Kept, Connections::Both] {
        for rate in [500, 1000, 2000, 4000, 8000] {
            let timeline = Timeline::start();
            let options = LoadOptions {
                connections,
                ..LoadOptions::to(&target, rate)
            };
            let load = Load::start(options, Path::new(KDRILL), &timeline)
                .await
                .unwrap();
            let from = timeline.now();
            let until = from + Duration::from_secs(5);
            load.settled(until).await.unwrap();
            load.stop().await;
            assert_eq!(load.unaccounted(), 0);
            let report = series::report(load.options(), &load.between(from, until), 0);
            let (late, total) = (report.late.unwrap(), report.total);
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
            if rate <= 1000 {
                assert_eq!(
                    total.failed, 0,
                    "at the default rate, {connections:?}: {:?}",
                    report.failures
                );
            }
        }
    }
}
