//! Container statuses as kubelets write them, and what is wrong with each.

use serde_json::json;

use super::*;

fn judge(status: &Value, rules: &Rules) -> Trouble {
    let pod = json!({"metadata": {"name": "web-1", "uid": "u", "creationTimestamp": "2026-11-23T12:56:00Z"}});
    trouble(&pod, status, Role::Main, rules, false).unwrap()
}

/// As a kubelet 1.35 wrote it.
fn crash_loop() -> Value {
    json!({"name": "main", "ready": false, "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff",
        "message": "back-off 10s restarting failed container=main pod=web-1_rec(7ea6cec4)"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": "2026-11-23T12:56:49Z",
            "startedAt": "2026-11-23T12:56:42Z"}}})
}

fn since(time: &str) -> Rules {
    Rules {
        since: Some(time.parse().unwrap()),
        ..Rules::default()
    }
}

#[test]
fn a_crash_loop_is_final_and_has_a_log() {
    let found = judge(&crash_loop(), &Rules::default());
    assert_eq!(found.gravity, Gravity::Fatal);
    assert_eq!(
        found.text,
        "pod web-1: container main: CrashLoopBackOff: it last ended with exit code 2 (Error)"
    );
    assert!(found.speaker.unwrap().previous);
}

#[test]
fn a_crash_of_before_is_not_this_rollouts() {
    let before = judge(&crash_loop(), &since("2026-11-23T12:57:00Z"));
    assert_eq!(before.gravity, Gravity::Note);
    assert!(before.text.contains("before this run"), "{}", before.text);
    assert_eq!(
        judge(&crash_loop(), &since("2026-11-23T12:56:30Z")).gravity,
        Gravity::Fatal
    );
}

#[test]
fn restarts_may_be_allowed_and_jobs_count_their_own() {
    let rules = |allow_restarts, crashes_are_counted| Rules {
        allow_restarts,
        crashes_are_counted,
        since: None,
    };
    assert_eq!(
        judge(&crash_loop(), &rules(2, false)).gravity,
        Gravity::Note
    );
    assert_eq!(
        judge(&crash_loop(), &rules(1, false)).gravity,
        Gravity::Fatal
    );
    assert_eq!(judge(&crash_loop(), &rules(0, true)).gravity, Gravity::Note);
}

#[test]
fn the_second_end_is_a_loop_already() {
    let end = json!({"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T12:56:37Z"});
    let once =
        json!({"name": "main", "restartCount": 0, "state": {"terminated": end}, "lastState": {}});
    let twice = json!({"name": "main", "restartCount": 1, "state": {"terminated": end}, "lastState": {"terminated": end}});
    assert_eq!(judge(&once, &Rules::default()).gravity, Gravity::Note);
    let twice = judge(&twice, &Rules::default());
    assert_eq!(twice.gravity, Gravity::Fatal);
    assert!(twice.advice.unwrap().contains("memory limit"));
}

#[test]
fn a_command_that_is_done_is_no_service() {
    let end = json!({"exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-23T12:56:37Z"});
    let done =
        json!({"name": "main", "restartCount": 0, "state": {"terminated": end}, "lastState": {}});
    let found = |policy: &str, role: Role| {
        let pod =
            json!({"metadata": {"name": "web-1", "uid": "u"}, "spec": {"restartPolicy": policy}});
        trouble(&pod, &done, role, &Rules::default(), false)
    };
    let trouble = found("Always", Role::Main).unwrap();
    assert_eq!(trouble.gravity, Gravity::Note);
    assert!(trouble.advice.unwrap().contains("run it as a Job"));
    assert_eq!(found("Never", Role::Main), None);
    assert_eq!(found("Always", Role::Init), None);
}

#[test]
fn the_first_failed_pull_is_not_final_nor_one_of_yesterday() {
    let status = |reason: &str| json!({"name": "main", "restartCount": 0, "state": {"waiting": {"reason": reason, "message": "m"}}});
    for (reason, gravity) in [
        ("ErrImagePull", Gravity::Note),
        ("ImagePullBackOff", Gravity::Fatal),
        ("InvalidImageName", Gravity::Fatal),
        ("CreateContainerConfigError", Gravity::Fatal),
        ("CreateContainerError", Gravity::Lasting(GRACE)),
        ("ImageInspectError", Gravity::Lasting(GRACE)),
        ("ErrImagePullBackOff", Gravity::Lasting(GRACE)),
        ("PostStartHookError", Gravity::Note),
        ("SomethingElse", Gravity::Note),
    ] {
        assert_eq!(
            judge(&status(reason), &Rules::default()).gravity,
            gravity,
            "{reason}"
        );
    }
    let late = since("2026-11-23T13:00:00Z");
    assert_eq!(
        judge(&status("ImagePullBackOff"), &late).gravity,
        Gravity::Note
    );
    assert_eq!(
        judge(&status("CreateContainerConfigError"), &late).gravity,
        Gravity::Lasting(GRACE)
    );
}

#[test]
fn what_takes_its_time_is_told_without_alarm() {
    let running =
        json!({"name": "wait-for-db", "ready": false, "restartCount": 0, "state": {"running": {}}});
    let pod = json!({"metadata": {"name": "web-1", "uid": "u"}, "spec": {"initContainers": [
        {"name": "proxy", "restartPolicy": "Always"}, {"name": "wait-for-db"}]}});
    let found = |role| trouble(&pod, &running, role, &Rules::default(), false).unwrap();
    let init = found(Role::of_init(&pod, &json!("wait-for-db")));
    assert_eq!(init.gravity, Gravity::Passing);
    assert_eq!(
        init.text,
        "pod web-1: init container wait-for-db: it runs, and the pod waits for its end"
    );
    assert!(!init.speaker.unwrap().previous);
    let sidecar = found(Role::of_init(&pod, &json!("proxy")));
    assert_eq!(sidecar.gravity, Gravity::Note);
    assert!(
        sidecar.text.contains(": sidecar container "),
        "{}",
        sidecar.text
    );
    let creating = json!({"name": "main", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}});
    assert_eq!(
        judge(&creating, &Rules::default()).gravity,
        Gravity::Passing
    );
}
