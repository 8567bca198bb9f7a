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
                        "{prefix:32} {bar:24} {pos}/{len} {per_sec:>10}{msg}"
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
            pauses: Pauses::default(),
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
    pauses: Pauses,
}

/// Long pauses, such as for scoring a checkpoint, whose time does not depend on the number of parts.
#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    /// The time of those that have ended.
    time: Duration,
    /// Their number.
    ended: usize,
    /// The start of the current one.
    current: Option<Instant>,
    /// The number of later ones.
    to_come: usize,
}

impl Pauses {
    fn end(&mut self) {
        if let Some(start) = self.current.take() {
            self.time += start.elapsed();
            self.ended += 1;
        }
    }

    /// The time spent, and an estimate of the time left: each takes the mean of those that have ended, or, during the
    /// first, the time of that one so far.
    fn spent_and_left(&self) -> (Duration, Duration) {
        let current = self.current.map_or(Duration::ZERO, |start| start.elapsed());
        let mean = match self.ended {
            0 => current,
            ended => self.time / ended as u32,
        };
        let rest = match self.current {
            Some(_) => mean.saturating_sub(current),
            None => Duration::ZERO,
        };
        (self.time + current, rest + mean * self.to_come as u32)
    }
}

impl Bar {
    /// The description of the work.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Reports that `done` parts are done; `note` is shown after the count.
    pub fn at(&mut self, done: usize, note: &str) {
        self.pauses.end();
        self.show(done, note);
    }

    /// Reports a long pause after `done` parts, with `to_come` further ones later.
    pub fn pause(&mut self, done: usize, note: &str, to_come: usize) {
        self.pauses.current.get_or_insert_with(Instant::now);
        self.pauses.to_come = to_come;
        self.show(done, note);
    }

    fn show(&mut self, done: usize, note: &str) {
        self.bar.set_position(done as u64);
        let (began, first) = *self.began.get_or_insert((Instant::now(), done));
        let total = self.bar.length().unwrap_or(0);
        let more = (total as usize).saturating_sub(done);
        let (done_here, pauses) = (done.saturating_sub(first), self.pauses);
        let left = || left(began.elapsed(), done_here, more, pauses);
        match self.verbosity {
            Verbosity::Bars if matches!(self.unit, Unit::Parts) => {
                self.bar.set_message(format!("{} {note}", left()));
            }
            Verbosity::Lines if self.said.elapsed() >= EVERY => {
                let left = left();
                self.said = Instant::now();
                let done = self.unit.in_words(done as u64);
                let total = self.unit.in_words(total);
                print::note(format_args!("{}: {done}/{total}{left} {note}", self.what));
            }
            Verbosity::Forwarded if self.said.elapsed() >= TOLD_EVERY => {
                self.said = Instant::now();
                tell(&Message::At {
                    done,
                    note: note.to_string(),
                    pauses_to_come: self.pauses.current.map(|_| self.pauses.to_come),
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

/// The remaining time at the mean rate so far, including short pauses between parts (for validation), and that of long
/// pauses; empty before the first part is done.
fn left(elapsed: Duration, done: usize, more: usize, pauses: Pauses) -> String {
    let (paused, to_pause) = pauses.spent_and_left();
    match done {
        0 => String::new(),
        done => {
            let at_work = elapsed.saturating_sub(paused).as_secs_f64();
            let seconds = at_work * more as f64 / done as f64 + to_pause.as_secs_f64();
            format!(", about {seconds:.0} s left")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_follows_the_mean_rate() {
        let without =
            |seconds, done, more| left(Duration::from_secs(seconds), done, more, Pauses::default());
        assert_eq!(without(30, 10, 20), ", about 60 s left");
        assert_eq!(without(30, 0, 20), "");
    }

    #[test]
    fn long_pauses_do_not_count_as_the_time_of_parts() {
        // Two pauses of 100 s each among 230 s, and three to come: 20 parts at 3 s and 300 s.
        let pauses = Pauses {
            time: Duration::from_secs(200),
            ended: 2,
            current: None,
            to_come: 3,
        };
        let words = left(Duration::from_secs(230), 10, 20, pauses);
        assert_eq!(words, ", about 360 s left");
    }
}
