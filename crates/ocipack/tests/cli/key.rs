//! Keys that are made by hand, at a terminal.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::fixture::{Fixture, until};

/// What is asked at a new terminal, and what is typed there.
const PROMPTS: [&str; 2] = ["Password for the new key: ", "The same password again: "];

/// Both ends of a new terminal.
fn terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let mut options = OpenOptions::new();
    let terminal = options.read(true).write(true).open(name.to_str().unwrap());
    (master, terminal.unwrap())
}

/// Makes a key pair at a terminal; returns how that ended and all that was on the screen.
fn generate(fixture: &Fixture, typed: [&str; 2]) -> (ExitStatus, String) {
    let (master, terminal) = terminal();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ocipack"))
        .arg("generate-key-pair")
        .current_dir(fixture.path(""))
        .env_remove("COSIGN_PASSWORD")
        .stdin(terminal.try_clone().unwrap())
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .unwrap();
    let mut master = File::from(master);
    let mut screen = Vec::new();
    for (prompt, line) in PROMPTS.iter().zip(typed) {
        while !screen.ends_with(prompt.as_bytes()) {
            let mut bytes = [0; 256];
            let read = master.read(&mut bytes).unwrap();
            screen.extend(&bytes[..read]);
        }
        // What is typed before would be thrown away.
        until(&mut child, || {
            let modes = tcgetattr(&master).unwrap().local_modes;
            !modes.contains(LocalModes::ECHO)
        });
        writeln!(master, "{line}").unwrap();
    }
    let status = child.wait().unwrap();
    // Once nobody has the terminal open, its end is an error.
    let _ = master.read_to_end(&mut screen);
    (status, String::from_utf8(screen).unwrap())
}

#[test]
fn a_new_password_is_typed_twice() {
    let fixture = Fixture::new();
    let (status, screen) = generate(&fixture, ["planted", "plamted"]);
    assert_eq!(status.code(), Some(2), "{screen}");
    assert!(screen.contains("the two passwords differ"), "{screen}");
    assert!(!fixture.path("cosign.key").exists() && !fixture.path("cosign.pub").exists());

    let (status, screen) = generate(&fixture, ["planted", "planted"]);
    assert!(status.success(), "{screen}");
    assert!(!screen.contains("planted"), "{screen}");
    let key = fs::read_to_string(fixture.path("cosign.key")).unwrap();
    assert!(ocipack::SigningKey::from_pem(&key, b"planted").is_ok());
}

#[test]
fn a_password_that_cannot_be_asked_for_is_not_empty() {
    let fixture = Fixture::new();
    let (_master, terminal) = terminal();
    let output = Command::new(env!("CARGO_BIN_EXE_ocipack"))
        .arg("generate-key-pair")
        .current_dir(fixture.path(""))
        .env_remove("COSIGN_PASSWORD")
        .stdin(terminal)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("set COSIGN_PASSWORD"), "{told}");
    assert!(!fixture.path("cosign.key").exists());
}
