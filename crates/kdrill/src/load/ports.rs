//! The generator's source ports, chosen so that a lost pod is not met again after it was replaced.
//!
//! A connection attempt that nobody answered leaves an entry in the node's connection tracking for
//! two minutes (`nf_conntrack_tcp_timeout_syn_sent`), and kube-proxy removes no such entries for
//! TCP: a new connection from the same port to the Service follows the old entry to the lost pod,
//! whatever the endpoints say by then. The kernel, left to itself, takes ports again within seconds.
//! Many clients on many machines would not meet this; one generator, opening hundreds of
//! connections a second from one address, meets it all the time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The first port; well-known services and most daemons listen below.
const FIRST: u16 = 20_000;
/// How many there are, up to the last port.
const COUNT: u16 = u16::MAX - FIRST;
/// Longer than the two minutes that an unanswered attempt is tracked.
const AVOIDED: Duration = Duration::from_secs(130);

/// Hands out source ports in turn, leaving out those whose connection was not answered.
#[derive(Debug)]
pub struct SourcePorts(Mutex<Ports>);

#[derive(Debug)]
struct Ports {
    next: u16,
    /// Until when a port is left out.
    avoided: HashMap<u16, Instant>,
}

impl SourcePorts {
    /// Begins somewhere, so that a run does not walk in the footsteps of the one before it.
    #[must_use]
    pub fn new() -> Self {
        let nanos = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .subsec_nanos();
        let next = (nanos / 1000 % u32::from(COUNT)) as u16;
        Self(Mutex::new(Ports {
            next,
            avoided: HashMap::new(),
        }))
    }

    /// The next port.
    #[must_use]
    pub fn take(&self) -> u16 {
        self.take_at(Instant::now())
    }

    /// Leaves a port out for a while, because its connection was not answered.
    pub fn avoid(&self, port: u16) {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.avoided.insert(port, Instant::now() + AVOIDED);
    }

    fn take_at(&self, now: Instant) -> u16 {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // When all are to be avoided, one of them is as good as another.
        for _ in 0..COUNT {
            ports.next = (ports.next + 1) % COUNT;
            let port = FIRST + ports.next;
            if ports.avoided.get(&port).is_none_or(|until| *until <= now) {
                ports.avoided.remove(&port);
                return port;
            }
        }
        FIRST + ports.next
    }
}

impl Default for SourcePorts {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_in_turn_and_an_unanswered_one_is_left_out_for_its_time() {
        let ports = SourcePorts::new();
        let first = ports.take();
        ports.avoid(first);
        let round: Vec<u16> = (1..COUNT).map(|_| ports.take()).collect();
        assert!(!round.contains(&first));
        assert!(round.iter().all(|port| *port >= FIRST));
        let mut distinct = round.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), round.len());

        let later = Instant::now() + AVOIDED + Duration::from_secs(1);
        assert_eq!(ports.take_at(later), first);
    }
}
