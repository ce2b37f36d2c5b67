//! Progress for people: bars on a terminal, a line for each finished task elsewhere.

use std::fmt;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a bar's spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// The tasks of a command.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("quiet", &self.quiet)
            .finish_non_exhaustive()
    }
}

/// One task; it vanishes from the terminal when it is dropped.
pub(crate) struct Task {
    progress: Progress,
    bar: Option<ProgressBar>,
    name: String,
    began: Instant,
}

impl Progress {
    /// Bars if standard error is a terminal. `quiet` shows nothing.
    pub(crate) fn new(quiet: bool) -> Progress {
        let bars = std::io::stderr().is_terminal() && !quiet;
        Progress {
            bars: bars.then(MultiProgress::new),
            quiet,
        }
    }

    /// Begins a task of so many steps; 0 if nobody knows.
    pub(crate) fn task(&self, name: &str, steps: u64) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let template = match steps {
                0 => "{spinner} {msg} {elapsed}",
                _ => "{spinner} {msg} [{bar:30}] {pos}/{len} {elapsed}",
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars.add(
                ProgressBar::new(steps)
                    .with_style(style)
                    .with_message(name.to_owned()),
            );
            bar.enable_steady_tick(TICK);
            bar
        });
        Task {
            progress: self.clone(),
            bar,
            name: name.to_owned(),
            began: Instant::now(),
        }
    }

    /// A line of text.
    pub(crate) fn line(&self, text: &str) {
        match &self.bars {
            _ if self.quiet => {}
            Some(bars) => bars.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Whether nothing is shown.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

impl Task {
    /// One step more.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// What is being done just now.
    pub(crate) fn detail(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {text}", self.name));
        }
    }

    /// The task is done.
    pub(crate) fn done(self) {
        let took = self.began.elapsed().as_secs_f32();
        self.progress.line(&format!("{}: {took:.1} s", self.name));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
