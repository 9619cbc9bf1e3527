//! Up to which rate the generator keeps its own schedule, measured on this machine:
//! `cargo test -p kdrill --test limit -- --ignored --nocapture`.

use std::{path::Path, time::Duration};

use kdrill::{
    load::{
        generate::Connections,
        handle::{Load, LoadOptions},
    },
    timeline::{recorder::Timeline, series},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// As little of a server as answers exactly, so that it is the generator that is measured.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    format!("http://{address}/")
}

async fn answer(mut stream: TcpStream) {
    let body = "Hello World! My Host name is web\n\n";
    let kept = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let closes = buffer[..read].windows(5).any(|word| word == b"close");
        if stream.write_all(kept.as_bytes()).await.is_err() || closes {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures this machine: run it alone"]
async fn the_rate_up_to_which_requests_start_on_time() {
    let target = serve().await;
    println!("connections  due/s  made/s  failed  late p50   p99   max (ms)  answer p50   p99");
    for connections in [Connections::Fresh, Connections::Kept, Connections::Both] {
        for rate in [500, 1000, 2000, 4000, 8000, 16_000] {
            let timeline = Timeline::start();
            let options = LoadOptions {
                connections,
                ..LoadOptions::to(&target, rate)
            };
            let program = Path::new(env!("CARGO_BIN_EXE_kdrill"));
            let load = Load::start(options, program, &timeline).await.unwrap();
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
                assert_eq!(total.failed, 0, "at the default rate, {connections:?}");
            }
        }
    }
}
