//! Pages in a real browser that reaches nobody: what it shows of them, what they
//! asked for, and what went wrong.

use std::{fs, path::Path, process::Command};

use crate::{Ran, run};

/// Any of them will do: they are one program under the names of its packagers.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Lists what a page asked for, in an element that only this look reads.
const LISTING: &str = "<script>addEventListener('load', () => {
    const asked = performance.getEntriesByType('resource').map(entry => entry.name);
    document.documentElement.dataset.asked = asked.join(' ') || 'nothing';
})</script>";

/// What a browser made of a page.
#[derive(Debug)]
pub struct Look {
    /// The document after its scripts ran.
    pub shown: String,
    /// What the console said, and what was asked for.
    pub wrong: Vec<String>,
}

/// Loads a page with no way out; `flags` are the browser's, such as `--window-size=400,800`.
///
/// # Panics
/// When there is no browser, or it fails.
pub fn look(page: &str, flags: &[&str]) -> Look {
    let folder = tempfile::tempdir().expect("a folder for the page");
    let file = folder.path().join("page.html");
    fs::write(&file, format!("{page}{LISTING}")).expect("the page is written");
    let ran = browse(&file, &[&["--dump-dom"], flags].concat());
    let console = ran.stderr.lines().filter(|line| line.contains("CONSOLE"));
    let mut wrong: Vec<_> = console.map(str::to_owned).collect();
    let asked = ran
        .stdout
        .split_once("data-asked=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .unwrap_or_else(|| panic!("the page was not loaded to its end: {ran}"))
        .0;
    if asked != "nothing" {
        wrong.push(format!("asked for {asked}"));
    }
    Look {
        wrong,
        shown: ran.stdout,
    }
}

/// Paints a page into a PNG.
///
/// # Panics
/// As [`look`]; and when nothing was painted.
pub fn paint(page: &Path, picture: &Path, flags: &[&str]) {
    let screenshot = format!("--screenshot={}", picture.display());
    let ran = browse(page, &[&[screenshot.as_str()], flags].concat());
    let size = fs::metadata(picture).map_or(0, |file| file.len());
    assert!(size > 0, "nothing was painted: {ran}");
}

fn browse(page: &Path, flags: &[&str]) -> Ran {
    let profile = tempfile::tempdir().expect("a folder for the browser");
    let mut browser = Command::new(program());
    browser
        // Root may not use its sandbox, and the page is ours.
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-background-networking", "--no-first-run"])
        .arg("--disable-dev-shm-usage")
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg("--enable-logging=stderr")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(flags)
        .arg(format!("file://{}", page.display()));
    run(&mut browser, "").exits(0)
}

fn program() -> &'static str {
    let is_there = |name: &&&str| {
        let mut version = Command::new(**name);
        version.arg("--version");
        version.output().is_ok_and(|output| output.status.success())
    };
    NAMES
        .iter()
        .find(is_there)
        .expect("a browser; cargo xtask setup installs chromium")
}
