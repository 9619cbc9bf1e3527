//! The command line: what is refused, how it is said, and with which exit code.

use assert_cmd::Command;

fn kdrill(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("kdrill")
        .unwrap()
        .args(arguments)
        .env_remove("KUBECONFIG")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn list_names_every_drill_with_its_promise() {
    let (code, stdout, _) = kdrill(&["list"]);
    assert_eq!(code, 0);
    let names: Vec<_> = stdout
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    assert_eq!(names.len(), 14);
    assert_eq!(stdout.matches("    promise: ").count(), names.len());
    assert_eq!((names[0], names[13]), ("replicas", "node-loss"));
    let (_, json, _) = kdrill(&["list", "-o", "json"]);
    let drills: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert!(drills.iter().all(|drill| {
        drill["promise"]
            .as_str()
            .is_some_and(|promise| !promise.is_empty())
    }));
}

#[test]
fn completions_and_man_are_printed() {
    let (code, script, _) = kdrill(&["completions", "bash"]);
    assert!(code == 0 && script.contains("_kdrill"));
    let (code, page, _) = kdrill(&["man"]);
    assert!(code == 0 && page.contains(".TH kdrill"));
}

#[test]
fn an_unknown_drill_is_refused_with_the_known_ones() {
    let (code, stdout, stderr) = kdrill(&["run", "nonsense", "--report", "r"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("there are replicas, balance"), "{stderr}");
}

#[test]
fn a_missing_command_is_asked_for_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let (code, _, stderr) = kdrill(&["run", "node-loss", "--report", report.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("kdrill: error: node-loss needs --node-down CMD"),
        "{stderr}"
    );
    assert!(!report.exists());
}

#[test]
fn an_unreachable_server_and_a_missing_kubeconfig_are_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let config = folder.path().join("config");
    let flags = [
        "run",
        "replicas",
        "--report",
        report.to_str().unwrap(),
        "--kubeconfig",
        config.to_str().unwrap(),
    ];

    let (code, _, stderr) = kdrill(&flags);
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("kdrill: error: kubeconfig: "),
        "{stderr}"
    );

    // Port 9 on loopback: nothing listens there.
    let text = "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], \
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: u, user: {}}]}";
    std::fs::write(&config, text).unwrap();
    let (code, _, stderr) = kdrill(&flags);
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("kdrill: error: the API server http://127.0.0.1:9 does not answer: "),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!report.exists());
}

#[test]
fn a_load_target_that_is_no_url_is_refused() {
    let (code, _, stderr) = kdrill(&["load", "--target", "ftp://x"]);
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("kdrill: error: --target ftp://x: "),
        "{stderr}"
    );
}
