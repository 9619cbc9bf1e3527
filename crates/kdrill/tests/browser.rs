//! The report in a real browser, for machines that have one:
//! `cargo test -p kdrill --test browser -- --ignored`.

use std::{fs, process::Command};

use kdrill::{report::html, timeline::document::Document};

/// Lists what a page asked for, in an element that only this test looks at.
const LISTING: &str = "<script>addEventListener('load', () => {
    const asked = performance.getEntriesByType('resource').map(entry => entry.name);
    document.documentElement.dataset.asked = asked.join(' ') || 'nothing';
})</script>";

/// Loads a page with no way out; gives its text and all that went wrong: what the console said, and
/// what was asked for.
fn load(page: &str, flags: &[&str]) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, format!("{page}{LISTING}")).unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--disable-background-networking", "--no-first-run"])
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", folder.path().display()))
        .args(flags)
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium can be started: apt-get install chromium");
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    let console = said.lines().filter(|line| line.contains("CONSOLE"));
    let mut wrong: Vec<_> = console.map(str::to_owned).collect();
    let asked = shown
        .split_once("data-asked=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .expect("the page was loaded to its end")
        .0;
    if asked != "nothing" {
        wrong.push(format!("asked for {asked}"));
    }
    (shown, wrong)
}

#[test]
#[ignore = "needs chromium"]
fn a_browser_shows_the_report_without_an_error_and_without_asking_anybody() {
    let document: Document = serde_json::from_str(include_str!("fixtures/timeline.json")).unwrap();
    let page = html::page(&document).unwrap();
    for flags in [&[][..], &["--force-dark-mode"], &["--window-size=400,800"]] {
        let (shown, wrong) = load(&page, flags);
        assert_eq!(wrong, Vec::<String>::new());
        assert!(shown.contains("Every promise held"), "{shown}");
        assert!(shown.matches("<svg").count() >= 4);
    }
}

#[test]
#[ignore = "needs chromium"]
fn the_look_would_find_a_request_and_an_error() {
    for page in [
        "<img src=http://example.invalid/x.png>",
        "<link rel=stylesheet href=http://192.0.2.1/x.css>",
        "<script>nonsense()</script>",
    ] {
        assert!(!load(page, &[]).1.is_empty(), "{page}");
    }
    assert!(load("<p>nothing wrong", &[]).1.is_empty());
}
