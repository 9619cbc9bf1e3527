//! What uploads wait for at their end: bytes are sent while they are still being checked, and
//! become blobs only when all that belongs together has turned out sound.

use tokio::sync::watch;

/// Opens once, or never.
#[derive(Debug, Clone)]
pub(crate) struct Gate(watch::Receiver<bool>);

/// Who may open a gate. Dropped before that, it leaves the gate shut for good.
#[derive(Debug)]
pub(crate) struct Keeper(watch::Sender<bool>);

impl Gate {
    /// A shut gate, and who opens it.
    pub(crate) fn shut() -> (Keeper, Self) {
        let (keeper, gate) = watch::channel(false);
        (Keeper(keeper), Self(gate))
    }

    /// A gate for what needs no check: it was made here, or was checked on its way.
    pub(crate) fn open() -> Self {
        let (keeper, gate) = Self::shut();
        keeper.open();
        gate
    }

    /// Waits until it is known; whether it opened.
    pub(crate) async fn passed(&self) -> bool {
        self.0.clone().wait_for(|open| *open).await.is_ok()
    }

    /// Whether it will never open.
    pub(crate) fn is_shut_for_good(&self) -> bool {
        !*self.0.borrow() && self.0.has_changed().is_err()
    }
}

impl Keeper {
    pub(crate) fn open(self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(gate: &Gate) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        runtime.block_on(gate.passed())
    }

    #[test]
    fn it_opens_once_or_never() {
        assert!(passed(&Gate::open()));
        let (keeper, gate) = Gate::shut();
        assert!(!gate.is_shut_for_good());
        keeper.open();
        assert!(passed(&gate) && !gate.is_shut_for_good());
        let (keeper, gate) = Gate::shut();
        drop(keeper);
        assert!(!passed(&gate) && gate.is_shut_for_good());
    }
}
