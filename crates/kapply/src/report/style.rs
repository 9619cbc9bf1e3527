//! Colours, where they are wanted. Symbols say the same without them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style as Ansi};

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether to use ANSI escape sequences.
    pub colour: bool,
}

impl Style {
    /// What is new.
    pub(crate) fn added(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What goes, and what is wrong.
    pub(crate) fn removed(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default(), text)
    }

    /// What changes.
    pub(crate) fn changed(self, text: impl Display) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// What is only there for orientation.
    pub(crate) fn faint(self, text: impl Display) -> String {
        self.paint(Ansi::new().dimmed(), text)
    }

    /// Head lines.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.paint(Ansi::new().bold(), text)
    }

    fn paint(self, style: Ansi, text: impl Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}
