//! Progress on standard error: bars with rate and remaining time on a terminal, plain lines elsewhere. A worker process
//! forwards progress to its parent, which displays it.

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::print;
use super::workers::message::{Message, tell};

/// All bars of the process.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// How progress is displayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only errors.
    Quiet,
    /// Occasional plain lines.
    Lines,
    /// Progress bars.
    Bars,
    /// Not displayed but forwarded to the parent process.
    Forwarded,
}

impl Verbosity {
    /// Bars if standard error is a terminal, else lines.
    pub fn of_terminal() -> Self {
        if std::io::stderr().is_terminal() {
            Verbosity::Bars
        } else {
            Verbosity::Lines
        }
    }

    /// Prints a permanent line above the bars.
    pub fn say(self, line: &str) {
        match self {
            Verbosity::Quiet => {}
            Verbosity::Lines => print::note(line),
            // A terminal that can't be written to is no reason to stop.
            Verbosity::Bars => drop(BARS.println(line)),
            Verbosity::Forwarded => tell(&Message::Say(line.to_string())),
        }
    }

    /// Starts a bar for work with `total` parts.
    pub fn bar(self, what: &str, total: usize) -> Bar {
        self.start(what, total as u64, Unit::Parts)
    }

    /// Starts a bar for a download of `total` bytes.
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

/// The interval between plain lines.
const EVERY: Duration = Duration::from_secs(15);

/// The interval between messages to the parent process.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// The unit of the count.
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

/// The progress of one phase of work.
pub struct Bar {
    verbosity: Verbosity,
    what: String,
    unit: Unit,
    bar: ProgressBar,
    said: Instant,
    /// The time and value of the first count, since resumed work does not start at 0.
    began: Option<(Instant, usize)>,
}

impl Bar {
    /// The description of the work.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Reports that `done` parts are done; `note` is shown after the count.
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

    /// Prints a line above the bar.
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

/// The remaining time at the mean rate so far, including pauses between parts (for validation); empty before the first
/// part is done.
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
    fn the_remaining_time_follows_the_mean_rate() {
        assert_eq!(left(Duration::from_secs(30), 10, 20), ", about 60 s left");
        assert_eq!(left(Duration::from_secs(30), 0, 20), "");
    }
}
