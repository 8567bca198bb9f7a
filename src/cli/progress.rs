//! Progress on standard error: bars with rate and time left on a terminal, plain lines elsewhere. A
//! process that works for another tells it instead, which says it in its own form.

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::print;
use super::workers::message::{Message, tell};

/// All bars of the process, one below the other.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Nothing but errors.
    Quiet,
    /// Plain lines, now and then.
    Lines,
    /// Bars that redraw themselves.
    Bars,
    /// Nothing here: everything is told to the process that this one works for.
    Forwarded,
}

impl Verbosity {
    /// Bars where standard error is a terminal, else lines.
    pub fn of_terminal() -> Self {
        if std::io::stderr().is_terminal() {
            Verbosity::Bars
        } else {
            Verbosity::Lines
        }
    }

    /// Says a line that stays, above the bars.
    pub fn say(self, line: &str) {
        match self {
            Verbosity::Quiet => {}
            Verbosity::Lines => print::note(line),
            // A terminal that can't be written to is no reason to stop.
            Verbosity::Bars => drop(BARS.println(line)),
            Verbosity::Forwarded => tell(&Message::Say(line.to_string())),
        }
    }

    /// Starts a stretch of work of `total` parts.
    pub fn bar(self, what: &str, total: usize) -> Bar {
        self.start(what, total as u64, Unit::Parts)
    }

    /// Starts a download of `total` bytes.
    pub fn download(self, what: &str, total: u64) -> Bar {
        self.start(what, total, Unit::Bytes)
    }

    fn start(self, what: &str, total: u64, unit: Unit) -> Bar {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        match self {
            Verbosity::Bars => {
                let style = ProgressStyle::with_template(match unit {
                    Unit::Parts => {
                        "{prefix:32} {bar:24} {pos}/{len} {per_sec:>10} left {eta:>4} {msg}"
                    }
                    Unit::Bytes => {
                        "{prefix:32} {bar:24} {bytes}/{total_bytes} {bytes_per_sec:>12} left {eta:>4} {msg}"
                    }
                })
                .expect("a valid template");
                BARS.add(bar.clone());
                bar.set_style(style);
                bar.set_prefix(what.to_string());
            }
            Verbosity::Forwarded => tell(&Message::Work {
                what: what.to_string(),
                total: total as usize,
            }),
            Verbosity::Quiet | Verbosity::Lines => {}
        }
        Bar {
            verbosity: self,
            what: what.to_string(),
            unit,
            bar,
            said: Instant::now(),
            began: None,
        }
    }
}

/// How often a plain line is said.
const EVERY: Duration = Duration::from_secs(15);

/// How often the process that this one works for is told.
const TOLD_EVERY: Duration = Duration::from_millis(200);

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
pub struct Bar {
    verbosity: Verbosity,
    what: String,
    unit: Unit,
    bar: ProgressBar,
    said: Instant,
    /// When the first count came, and what it was: work that goes on does not begin at 0.
    began: Option<(Instant, usize)>,
}

impl Bar {
    /// What is being done.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// `done` parts are done; `note` is shown behind them.
    pub fn at(&mut self, done: usize, note: &str) {
        self.bar.set_position(done as u64);
        let (began, first) = *self.began.get_or_insert((Instant::now(), done));
        match self.verbosity {
            Verbosity::Bars if !note.is_empty() => self.bar.set_message(note.to_string()),
            Verbosity::Lines if self.said.elapsed() >= EVERY => {
                self.said = Instant::now();
                let total = self.bar.length().unwrap_or(0);
                let more = (total as usize).saturating_sub(done);
                let left = left(began.elapsed(), done.saturating_sub(first), more);
                let done = self.unit.in_words(done as u64);
                let total = self.unit.in_words(total);
                print::note(format_args!("{}: {done}/{total}{left} {note}", self.what));
            }
            Verbosity::Forwarded if self.said.elapsed() >= TOLD_EVERY => {
                self.said = Instant::now();
                tell(&Message::At {
                    done,
                    note: note.to_string(),
                });
            }
            _ => {}
        }
    }

    /// Says a line above the bar.
    pub fn say(&self, line: &str) {
        self.verbosity.say(line);
    }

    /// Removes the bar.
    pub fn end(self) {
        self.bar.finish_and_clear();
        match self.verbosity {
            Verbosity::Bars => BARS.remove(&self.bar),
            Verbosity::Forwarded => tell(&Message::WorkEnded),
            Verbosity::Quiet | Verbosity::Lines => {}
        }
    }
}

/// The time that is left at the mean rate so far, pauses between the parts (for validation) included; nothing
/// before any part is done.
fn left(elapsed: Duration, done: usize, more: usize) -> String {
    match done {
        0 => String::new(),
        done => {
            let seconds = elapsed.as_secs_f64() * more as f64 / done as f64;
            format!(", about {seconds:.0} s left")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_by_the_mean_rate() {
        assert_eq!(left(Duration::from_secs(30), 10, 20), ", about 60 s left");
        assert_eq!(left(Duration::from_secs(30), 0, 20), "");
    }
}
