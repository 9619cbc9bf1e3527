//! klab's own commands are killed at random moments: the next one succeeds or
//! says what to do, and `down` leaves nothing.
//!
//! `KILLS` says how often (10 in a test run, more in a soak), `SEED` where the
//! moments start.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use e2e::{Moments, Ran, Shared, run, tool};

use super::Own;

/// What is killed, in an order in which each finds what it needs.
const DEEDS: [Deed; 7] = [
    Deed::Up,
    Deed::Add,
    Deed::Stop,
    Deed::Start,
    Deed::Load,
    Deed::Remove,
    Deed::Down,
];

#[derive(Debug, Clone, Copy)]
enum Deed {
    Up,
    Add,
    Stop,
    Start,
    Load,
    Remove,
    Down,
}

impl Deed {
    fn words(self, archive: &Path) -> Vec<&str> {
        match self {
            Self::Up => vec!["up", "--nodes", "1", "--no-dns"],
            Self::Add => vec!["node", "add"],
            Self::Stop => vec!["node", "stop", "agent1"],
            Self::Start => vec!["node", "start", "agent1"],
            Self::Load => vec!["load", archive.to_str().expect("a path in UTF-8")],
            Self::Remove => vec!["node", "rm", "agent1"],
            Self::Down => vec!["down"],
        }
    }

    /// How long it takes, until one was measured.
    fn usual(self) -> Duration {
        Duration::from_millis(match self {
            Self::Up => 7000,
            Self::Add | Self::Start => 2500,
            Self::Load => 1000,
            Self::Down => 700,
            Self::Stop | Self::Remove => 200,
        })
    }
}

/// A cluster, and how long everything took on it at most: after one that was
/// killed late, little is left to do.
struct Run {
    own: Own,
    shared: Shared,
    took: [Duration; DEEDS.len()],
}

impl Run {
    /// Starts a command and kills it after `life`; whether it had ended before.
    fn kill(&self, deed: Deed, life: Duration) -> bool {
        let mut child = Command::new(tool("klab"))
            .args(["--name", &self.own.0])
            .args(deed.words(&self.shared.archive))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("klab starts");
        thread::sleep(life);
        let ended = child.try_wait().expect("a child can be asked").is_some();
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        ended
    }

    fn again(&mut self, deed: Deed) -> Ran {
        let begun = Instant::now();
        let ran = self.own.klab(&deed.words(&self.shared.archive));
        if ran.code == Some(0) {
            let took = &mut self.took[deed as usize];
            *took = begun.elapsed().max(*took);
        }
        ran
    }

    /// Does what one would after a command that was killed, and looks whether it helped.
    fn recover(&mut self, deed: Deed) {
        let status = self.own.klab(&["status"]);
        assert!(
            status.code == Some(0) || says_what_to_do(&status),
            "{status}"
        );
        match deed {
            Deed::Up => {
                let up = self.again(deed);
                if up.code != Some(0) {
                    assert!(says_what_to_do(&up), "{up}");
                    self.down();
                    self.again(deed).exits(0);
                }
            }
            Deed::Add => {
                let registered = self.own.status()["nodes"].as_array().unwrap().len() > 1;
                self.again(if registered { Deed::Start } else { deed })
                    .exits(0);
                self.agent_is_whole();
            }
            Deed::Start => {
                self.again(deed).exits(0);
                self.agent_is_whole();
            }
            Deed::Stop => {
                self.again(deed).exits(0);
                assert_eq!(self.own.status()["nodes"][1]["running"], false);
            }
            Deed::Load => {
                self.again(deed).exits(0);
                assert!(self.images("agent1").contains(&self.shared.image));
            }
            Deed::Remove => {
                let removed = self.again(deed);
                assert!(
                    removed.code == Some(0) || removed.stderr.contains("no node agent1"),
                    "{removed}"
                );
                let nodes = run(self.own.kubectl().args(["get", "nodes", "-o", "name"]), "");
                assert_eq!(nodes.exits(0).stdout, "node/server\n");
            }
            Deed::Down => self.down(),
        }
    }

    fn down(&mut self) {
        self.again(Deed::Down).exits(0);
    }

    fn images(&self, node: &str) -> String {
        let list = "ctr --namespace k8s.io images list --quiet";
        let words = ["exec", node, "--"].into_iter().chain(list.split(' '));
        self.own.klab(&words.collect::<Vec<_>>()).exits(0).stdout
    }

    /// It is Ready, and has what its pods need.
    fn agent_is_whole(&self) {
        let status = self.own.status();
        assert_eq!(status["nodes"][1]["ready"], true, "{status}");
        assert!(self.images("agent1").contains("klab.local/pause"));
    }
}

/// A message that names the command to go on with.
fn says_what_to_do(ran: &Ran) -> bool {
    ran.code == Some(1) && ran.stderr.contains("klab --name")
}

#[test]
fn the_next_command_copes_with_one_that_was_killed() {
    let own = Own::new("rounds");
    let before = own.machine();
    let mut run = Run {
        own,
        shared: Shared::get(),
        took: [Duration::ZERO; DEEDS.len()],
    };
    let mut moments = Moments::default();
    let mut in_time = 0;
    for (round, deed) in DEEDS.into_iter().cycle().take(Moments::kills()).enumerate() {
        let known = run.took[deed as usize];
        let whole = if known.is_zero() { deed.usual() } else { known };
        let life = moments.within(whole);
        let ended = run.kill(deed, life);
        in_time += usize::from(!ended);
        eprintln!("round {round}: {deed:?} killed after {life:?} of {whole:?}");
        run.recover(deed);
        if matches!(deed, Deed::Down) {
            run.own.leaves_nothing(&before, "down was killed");
        }
    }
    assert!(in_time > 0, "no klab lived to be killed");
    run.down();
    run.own.leaves_nothing(&before, "the last down");
}
