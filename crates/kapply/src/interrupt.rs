//! Ctrl-C: the first one lets what is in flight finish and starts nothing new.

use tokio::sync::watch;

/// Whether the user asked to stop. Clones share the answer.
#[derive(Debug, Clone)]
pub struct Interrupt {
    sender: watch::Sender<bool>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            sender: watch::Sender::new(false),
        }
    }
}

impl Interrupt {
    /// Asks to stop.
    pub fn set(&self) {
        self.sender.send_replace(true);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns once somebody asked to stop.
    pub async fn asked(&self) {
        // The sender lives as long as self, so waiting cannot fail.
        let _ = self.sender.subscribe().wait_for(|set| *set).await;
    }
}
