//! What is told on stderr while an image is moved: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use ocipack::transfer::{Moved, Progress};
use ocipack::{Digest, Reference};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

const BAR: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Tells a person how far it is.
pub(crate) struct Telling {
    bar: ProgressBar,
    quiet: bool,
}

impl Telling {
    pub(crate) fn new(quiet: bool) -> Self {
        let hidden = quiet || !io::stderr().is_terminal();
        let bar = if hidden {
            ProgressBar::hidden()
        } else {
            let style = ProgressStyle::with_template(BAR);
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        };
        let filter = EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| EnvFilter::new(if quiet { "off" } else { "ocipack=info" }));
        // A second one in a process would be refused, which does not matter.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(Above(bar.clone()))
            .with_ansi(false)
            .without_time()
            .with_level(false)
            .with_target(false)
            .try_init();
        Self { bar, quiet }
    }

    pub(crate) fn line(&self, line: &str) {
        if !self.quiet {
            self.bar
                .suspend(|| drop(writeln!(io::stderr(), "ocipack: {line}")));
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Telling {
    fn total(&self, _blobs: usize, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    fn moved(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn blob(&self, digest: &Digest, size: u64, how: Moved) {
        let how = match how {
            Moved::Copied => "copied",
            Moved::Exists => "is there already",
            Moved::Mounted => "mounted",
        };
        let short = digest.digest().get(..12).unwrap_or_default();
        self.line(&format!("blob {short} ({}) {how}", HumanBytes(size)));
    }

    fn tagged(&self, reference: &Reference) {
        self.line(&format!("tagged {reference}"));
    }
}

/// Writes log lines above the bar.
struct Above(ProgressBar);

impl<'a> MakeWriter<'a> for Above {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a ProgressBar);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| {
            let mut stderr = io::stderr().lock();
            stderr.write_all(b"ocipack: ")?;
            stderr.write_all(bytes)
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
