//! The scripts of the NixOS tests, which need KVM to boot machines, on klab: each is evaluated with
//! the flake, checked by mypy, and executed by `tests/flake/vm`.

use std::{env, fs, path::Path, process::Command};

use e2e::{registry_program, run, tool};

/// Scripts at once: most of their time is waiting.
const JOBS: &str = "2";

#[test]
fn every_script_is_well_typed_and_holds() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let tests = root.join("nix/tests");
    let files = fs::read_dir(&tests).expect("the tests are in nix/tests");
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let outputs: Vec<String> = names
        .filter_map(|name| {
            let name = name.strip_suffix(".nix")?;
            Some(format!(".#checks.{}-linux.{name}", env::consts::ARCH))
        })
        .collect();
    assert!(!outputs.is_empty(), "no test in {}", tests.display());

    let mut build = super::nix("build");
    build.args(["--no-link", "--print-out-paths"]).args(outputs);
    let paths = run(&mut build, "").exits(0).stdout;

    // Scripts name what is in the store.
    let in_store = Path::new(&env::var("E2E_NIX").unwrap()).with_file_name("run");
    let mut driver = Command::new(in_store);
    driver
        .current_dir(root)
        .args(["python3", "-B", "tests/flake/vm/driver.py", "--jobs", JOBS])
        .arg("--klab")
        .arg(tool("klab"))
        .arg("--registry")
        .arg(registry_program())
        .args(paths.lines());
    let ran = run(&mut driver, "").exits(0);
    println!("{}", ran.stdout);
}

#[test]
fn a_wrong_script_is_found_out_before_it_runs_and_a_failing_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let driver = |script: &str| {
        let test = folder.path().join("test.json");
        let document = serde_json::json!({
            "name": "wrong", "globalTimeout": 60, "testScript": script, "nodes": { "agent-1": "/nonexistent" },
        });
        fs::write(&test, document.to_string()).unwrap();
        let mut driver = Command::new("python3");
        driver
            .arg("-B")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/flake/vm/driver.py"))
            .arg("--klab")
            .arg(tool("klab"))
            .arg(&test);
        run(&mut driver, "")
    };
    for (script, told) in [
        ("agent_1.suceed('true')", "\"suceed\""),
        ("agent_1.crash('now')", "Too many arguments"),
        ("agent_2.crash()", "\"agent_2\" is not defined"),
        ("agent_1.start(allow_reboot='yes')", "incompatible type"),
    ] {
        let ran = driver(script).exits(1);
        assert!(ran.stdout.contains(told), "{told}: {ran}");
    }
    // No machine is started: the system is not there.
    let ran = driver("agent_1.start()").exits(1);
    assert!(ran.stdout.contains("FAILED"), "{ran}");
}
