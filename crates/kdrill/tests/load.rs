//! `kdrill load` and the handle that kdrill has on it, against servers that misbehave on purpose:
//! every request that falls due is accounted for, by its kind.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http_body_util::Full;
use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kdrill::{
    load::{
        handle::{Load, LoadOptions},
        record::{Failure, Line, Record},
    },
    timeline::recorder::Timeline,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

/// Serves each connection, with its number, by a function.
async fn server<F, S>(serve: S) -> SocketAddr
where
    S: Fn(TcpStream, usize) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, number));
        }
    });
    address
}

/// Answers one connection with a status and a body.
async fn answer(stream: TcpStream, status: u16, body: String) {
    let service = service_fn(move |_| {
        let response = Response::builder()
            .status(status)
            .body(Full::new(Bytes::from(body.clone())));
        async move { Ok::<_, Infallible>(response.unwrap()) }
    });
    // The client may have given up.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn greeting(host: &str) -> String {
    format!("Hello World! My Host name is {host}\n\n")
}

/// Runs `kdrill load` for a while, with more flags, and gives its lines.
async fn lines(target: String, flags: &'static [&'static str]) -> Vec<Line> {
    let output = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kdrill"))
            .args(["load", "--target", &target, "--rate", "100"])
            .args(["--connections", "fresh"])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        output
    })
    .await
    .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The requests, after proving that none is missing and none is told twice.
fn accounted(lines: &[Line]) -> Vec<Record> {
    assert_eq!(lines.first(), Some(&Line::Hello { rate: 100 }));
    let Some(Line::End { requests, .. }) = lines.last() else {
        panic!("no end: {:?}", lines.last())
    };
    let mut records: Vec<Record> = lines
        .iter()
        .filter_map(|line| {
            if let Line::Request(record) = line {
                Some(record.clone())
            } else {
                None
            }
        })
        .collect();
    records.sort_by_key(|record| record.seq);
    let numbers: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (0..*requests).collect::<Vec<_>>());
    assert!(records.len() > 20, "{}", records.len());
    records
}

fn kinds(records: &[Record]) -> BTreeMap<Option<Failure>, usize> {
    let mut kinds = BTreeMap::new();
    for record in records {
        *kinds.entry(record.error).or_default() += 1;
    }
    kinds
}

#[tokio::test]
async fn each_request_has_its_own_connection_and_its_own_account() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let address = server(move |stream, number| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            match number % 5 {
                0 => answer(stream, 200, greeting("web-a")).await,
                1 => {
                    answer(
                        stream,
                        200,
                        "Hello World! My Host name is web-a\n".to_owned(),
                    )
                    .await;
                }
                2 => answer(stream, 503, greeting("web-a")).await,
                3 => answer(stream, 200, "x".repeat(100_000)).await,
                _ => drop(stream),
            }
        }
    })
    .await;
    let records = accounted(&lines(format!("http://{address}/"), &["--max-duration", "1s"]).await);
    assert_eq!(connections.load(Ordering::SeqCst), records.len());
    let kinds = kinds(&records);
    let about = |kind: Option<Failure>, fifths: usize| {
        let count = kinds.get(&kind).copied().unwrap_or_default();
        assert!(
            count.abs_diff(records.len() * fifths / 5) <= 2,
            "{kind:?}: {kinds:?}"
        );
    };
    about(None, 1);
    about(Some(Failure::BadBody), 2);
    about(Some(Failure::BadStatus), 1);
    // A connection closed with the request unread is reset; read first, it is incomplete.
    let cut = [Failure::Reset, Failure::Incomplete]
        .map(|kind| kinds.get(&Some(kind)).copied().unwrap_or_default());
    assert!(
        cut.iter().sum::<usize>().abs_diff(records.len() / 5) <= 2,
        "{kinds:?}"
    );
    for record in &records {
        assert_eq!(record.due_us, record.seq * 10_000);
        assert_eq!(record.pod.is_some(), record.error.is_none());
        if record.error == Some(Failure::BadStatus) {
            assert_eq!(record.status, Some(503));
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_from_one_that_hangs() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let records =
        accounted(&lines(format!("http://{address}/"), &["--max-duration", "500ms"]).await);
    assert_eq!(
        kinds(&records).into_keys().collect::<Vec<_>>(),
        [Some(Failure::ConnectRefused)]
    );

    let silent = server(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let flags = &["--max-duration", "500ms", "--timeout", "300ms"];
    let records = accounted(&lines(format!("http://{silent}/"), flags).await);
    assert_eq!(
        kinds(&records).into_keys().collect::<Vec<_>>(),
        [Some(Failure::Timeout)]
    );
    assert!(records.iter().all(|record| record.latency_us >= 300_000));
}

#[tokio::test]
async fn a_half_answer_is_incomplete_and_slowness_counts_from_when_it_was_due() {
    let address = server(|mut stream, number| async move {
        if number % 2 == 0 {
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nHello";
            let mut request = [0; 1024];
            tokio::io::AsyncReadExt::read(&mut stream, &mut request)
                .await
                .unwrap();
            stream.write_all(half).await.unwrap();
        } else {
            // This is the slowness that is measured.
            tokio::time::sleep(Duration::from_millis(200)).await;
            answer(stream, 200, greeting("slow")).await;
        }
    })
    .await;
    let records = accounted(&lines(format!("http://{address}/"), &["--max-duration", "1s"]).await);
    let kinds = kinds(&records);
    assert_eq!(
        kinds.keys().copied().collect::<Vec<_>>(),
        [None, Some(Failure::Incomplete)],
        "{kinds:?}"
    );
    // An open loop: slow answers did not slow the questions down.
    assert!(records.len() >= 95, "{}", records.len());
    assert!(
        records
            .iter()
            .filter(|record| record.error.is_none())
            .all(|record| record.latency_us >= 200_000)
    );
}

#[tokio::test]
async fn what_exceeds_the_places_in_flight_fails_as_overload() {
    let silent = server(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let flags = &[
        "--max-duration",
        "500ms",
        "--max-in-flight",
        "3",
        "--timeout",
        "2s",
    ];
    let records = accounted(&lines(format!("http://{silent}/"), flags).await);
    let kinds = kinds(&records);
    assert_eq!(kinds[&Some(Failure::Timeout)], 3);
    assert_eq!(kinds[&Some(Failure::Overload)], records.len() - 3);
}

#[tokio::test]
async fn the_generator_ends_when_its_input_is_closed() {
    let address = server(|stream, _| answer(stream, 200, greeting("web-a"))).await;
    let output = tokio::task::spawn_blocking(move || {
        assert_cmd::Command::cargo_bin("kdrill")
            .unwrap()
            .args(["load", "--target", &format!("http://{address}/")])
            .write_stdin("")
            .timeout(Duration::from_secs(20))
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.trim_end()
            .ends_with(r#""reason":"standard input closed"}"#),
        "{text}"
    );
}

/// A server that can be switched to failing; the handle sees it, and sees it recover.
#[tokio::test]
async fn the_handle_waits_for_steadiness_and_accounts_for_everything() {
    let failing = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&failing);
    let address = server(move |stream, number| {
        let status = if switch.load(Ordering::SeqCst) == 0 {
            200
        } else {
            500
        };
        answer(
            stream,
            status,
            greeting(if number % 2 == 0 { "web-a" } else { "web-b" }),
        )
    })
    .await;
    let timeline = Timeline::start();
    let options = LoadOptions::to(format!("http://{address}/"), 100);
    let load = Load::start(options, Path::new(env!("CARGO_BIN_EXE_kdrill")), &timeline)
        .await
        .unwrap();

    let (half, long) = (Duration::from_millis(500), Duration::from_secs(20));
    assert!(load.steady(timeline.now(), half, long).await.unwrap());
    let pods = ["web-a", "web-b"].map(str::to_owned).into();
    assert!(load.answered_by(&pods, long).await.unwrap());

    failing.store(1, Ordering::SeqCst);
    assert!(
        !load
            .steady(timeline.now() + half, half, Duration::from_secs(2))
            .await
            .unwrap()
    );
    failing.store(0, Ordering::SeqCst);
    let mended = timeline.now();
    assert!(load.steady(mended, half, long).await.unwrap());
    load.settled(timeline.now()).await.unwrap();

    load.stop().await;
    assert_eq!(load.unaccounted(), 0);
    let samples = load.samples();
    let (count, failed) = load.counts();
    assert_eq!(count, samples.len() as u64);
    assert!(failed > 0 && failed < count);
    assert_eq!(
        failed,
        samples
            .iter()
            .filter(|sample| sample.answer == Err(Failure::BadStatus))
            .count() as u64
    );
    let error = load
        .settled(timeline.now() + long)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("standard input closed"), "{error}");
}

#[tokio::test]
async fn a_generator_that_is_none_is_refused_with_what_it_said() {
    let timeline = Timeline::start();
    let start = |program: &'static str| {
        Load::start(
            LoadOptions::to("http://127.0.0.1:1/", 10),
            Path::new(program),
            &timeline,
        )
    };
    let error = start("/bin/false").await.unwrap_err().to_string();
    assert!(error.contains("`/bin/false load --target"), "{error}");
    let error = start("/nonexistent/kdrill").await.unwrap_err().to_string();
    assert!(error.contains("is /nonexistent/kdrill there"), "{error}");
}
