//! What is going on, on standard error: a live view on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{live, load::handle::Load, timeline::recorder::Timeline};

/// How often the live view's numbers change.
const REFRESH: Duration = Duration::from_millis(250);

/// The progress of a run.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    drill: Mutex<String>,
    /// Which of how many drills that is, for the live view.
    place: Mutex<String>,
    /// Present on a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins; live when standard error is a terminal.
    #[must_use]
    pub fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant that indicatif accepts; its default would do too.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {prefix}\n{msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(REFRESH);
            bar
        });
        Self {
            start: Instant::now(),
            drill: Mutex::default(),
            place: Mutex::default(),
            bar,
        }
    }

    /// Names the drill that what follows belongs to, `number` of `of`.
    pub fn drill(&self, name: &str, number: usize, of: usize) {
        *self.drill.lock().unwrap_or_else(PoisonError::into_inner) = format!("{name}: ");
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) =
            format!("drill {number} of {of}, ");
    }

    /// Says what is being done or waited for.
    pub fn step(&self, text: &str) {
        let drill = self
            .drill
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.line(&format!(
            "kdrill: {:6.1} s  {drill}{text}",
            self.start.elapsed().as_secs_f64()
        ));
        if let Some(bar) = &self.bar {
            let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            bar.set_prefix(format!("{place}{drill}{text}"));
        }
    }

    /// Says what did not work and does not stop the run.
    pub fn warn(&self, text: &str) {
        self.line(&format!("kdrill: warning: {text}"));
    }

    /// Shows load and cluster below the live line until the returned task is aborted.
    #[must_use]
    pub fn follow(
        &self,
        load: Option<&Arc<Load>>,
        timeline: &Arc<Timeline>,
    ) -> Option<tokio::task::JoinHandle<()>> {
        let bar = self.bar.clone()?;
        let (load, timeline) = (load.cloned(), Arc::clone(timeline));
        Some(tokio::spawn(async move {
            let mut refresh = tokio::time::interval(REFRESH);
            loop {
                refresh.tick().await;
                let recent = load.as_ref().map(|load| load.recent());
                bar.set_message(live::text(&recent.unwrap_or_default(), &timeline.view()));
            }
        }))
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}
