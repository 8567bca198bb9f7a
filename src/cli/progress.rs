//! Progress on standard error: bars with rate and time left on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Nothing but errors.
    Quiet,
    /// Plain lines, now and then.
    Lines,
    /// Bars that redraw themselves.
    Bars,
}

impl Voice {
    /// Bars where standard error is a terminal, else lines.
    pub fn of_terminal() -> Self {
        if std::io::stderr().is_terminal() {
            Voice::Bars
        } else {
            Voice::Lines
        }
    }

    /// Says a line that stays.
    pub fn say(self, line: &str) {
        if self != Voice::Quiet {
            eprintln!("{line}");
        }
    }

    /// Starts a stretch of work of `total` parts.
    pub fn work(self, what: &str, total: usize) -> Work {
        self.start(what, total as u64, Unit::Parts)
    }

    /// Starts a download of `total` bytes.
    pub fn download(self, what: &str, total: u64) -> Work {
        self.start(what, total, Unit::Bytes)
    }

    fn start(self, what: &str, total: u64, unit: Unit) -> Work {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if self == Voice::Bars {
            let style = ProgressStyle::with_template(match unit {
                Unit::Parts => "{prefix:32} {bar:24} {pos}/{len} {per_sec:>10} left {eta:>4} {msg}",
                Unit::Bytes => {
                    "{prefix:32} {bar:24} {bytes}/{total_bytes} {bytes_per_sec:>12} left {eta:>4} {msg}"
                }
            })
            .expect("a valid template");
            bar.set_style(style);
            bar.set_prefix(what.to_string());
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Work {
            voice: self,
            what: what.to_string(),
            unit,
            bar,
            said: Instant::now(),
        }
    }
}

/// How often a plain line is said.
const EVERY: Duration = Duration::from_secs(15);

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Parts,
    Bytes,
}

impl Unit {
    fn in_words(self, count: u64) -> String {
        match self {
            Unit::Parts => count.to_string(),
            Unit::Bytes => HumanBytes(count).to_string(),
        }
    }
}

/// A stretch of work under way.
pub struct Work {
    voice: Voice,
    what: String,
    unit: Unit,
    bar: ProgressBar,
    said: Instant,
}

impl Work {
    /// What is being done.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// `done` parts are done; `note` is shown behind them.
    pub fn at(&mut self, done: usize, note: &str) {
        self.bar.set_position(done as u64);
        if self.voice == Voice::Bars && !note.is_empty() {
            self.bar.set_message(note.to_string());
        }
        if self.voice == Voice::Lines && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let done = self.unit.in_words(done as u64);
            let total = self.unit.in_words(self.bar.length().unwrap_or(0));
            let left = self.bar.eta().as_secs();
            eprintln!("{}: {done}/{total}, about {left} s left {note}", self.what);
        }
    }

    /// Says a line above the bar.
    pub fn say(&self, line: &str) {
        match self.voice {
            Voice::Quiet => {}
            Voice::Lines => eprintln!("{line}"),
            Voice::Bars => self.bar.println(line),
        }
    }

    /// Removes the bar.
    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}
