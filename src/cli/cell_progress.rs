//! Reports the progress of cells to the user.

use super::interrupt;
use super::progress::{Bar, Verbosity};
use super::run_log::RunLog;
use super::workers::message::Job;
use crate::experiment::{Event, Interrupted, checkpoint_steps};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_numbers::score::Metric;

/// Reports one event after another.
pub struct CellProgress {
    verbosity: Verbosity,
    setting: String,
    cells: usize,
    at: usize,
    steps: usize,
    name: String,
    work: Option<Bar>,
    log: Option<RunLog>,
}

impl CellProgress {
    pub fn new(verbosity: Verbosity, cells: usize) -> Self {
        CellProgress {
            verbosity,
            setting: String::new(),
            cells,
            at: 0,
            steps: 0,
            name: String::new(),
            work: None,
            log: None,
        }
    }

    /// Logs the events as well.
    pub fn logging(self, log: Option<RunLog>) -> Self {
        CellProgress { log, ..self }
    }

    /// Progress of one of many jobs; `setting` names its setting if there are several.
    pub fn of_job(verbosity: Verbosity, job: &Job, setting: &str) -> Self {
        CellProgress {
            at: job.number - 1,
            setting: setting.to_owned(),
            ..CellProgress::new(verbosity, job.of)
        }
    }

    /// A watcher that reports every event, and stops the work after a signal.
    pub fn watch(&mut self) -> impl FnMut(Event) -> Result<(), Interrupted> {
        |event| {
            self.tell(event);
            interrupt::check()
        }
    }

    /// Names the cell that later messages are about.
    pub fn name(&mut self, cell: &Cell) {
        self.at += 1;
        let cell_name = match cell.method {
            Method::Untuned => "untuned".to_owned(),
            Method::Elsewhere => format!("{}, run {}", cell.title(), cell.seed),
            method => format!("{}, seed {}", method.title(), cell.seed),
        };
        self.name = format!("[{}/{}] {}{cell_name}", self.at, self.cells, self.prefix());
    }

    /// The setting, before the name of what is computed in it.
    fn prefix(&self) -> String {
        match self.setting.as_str() {
            "" => String::new(),
            setting => format!("{setting}: "),
        }
    }

    /// Starts reporting on a cell.
    pub fn start(&mut self, cell: &Cell) {
        self.end();
        self.name(cell);
        self.steps = cell.recipe.as_ref().map_or(0, |r| r.budget.steps);
        if let Some(log) = &mut self.log {
            log.start(cell);
        }
    }

    pub fn tell(&mut self, event: Event) {
        RunLog::tell(&mut self.log, &event, self.verbosity);
        match event {
            Event::Found(stored) => {
                self.at += 1;
                self.verbosity
                    .say(&format!("{} has a record already", stored.folder.display()));
            }
            Event::Trying { cell, number } => {
                self.end();
                let recipe = cell.recipe.as_ref();
                self.name = format!(
                    "[trial {number}/{}] {}{}, learning rate {}",
                    cell.trials.unwrap_or(number),
                    self.prefix(),
                    cell.method.title(),
                    recipe.map_or(0.0, |recipe| recipe.optimizer.learning_rate())
                );
                self.steps = recipe.map_or(0, |recipe| recipe.budget.steps);
                self.work = Some(self.verbosity.bar(&self.name, self.steps));
            }
            Event::Resumed { step } => {
                self.verbosity
                    .say(&format!("{} resumes from step {step}", self.name));
            }
            Event::Step { step, loss, .. } => {
                let (verbosity, name, steps) = (self.verbosity, &self.name, self.steps);
                let work = self.work.get_or_insert_with(|| verbosity.bar(name, steps));
                work.at(step, &format!("loss {loss:.3}"));
            }
            Event::Validated(point) => {
                self.verbosity.say(&format!(
                    "{} step {}: source validation {:.1} %",
                    self.name,
                    point.step,
                    100.0 * point.validation_score
                ));
            }
            Event::TuningOn {
                domain,
                examples,
                steps,
            } => {
                self.end();
                let what = format!("{}, {examples} examples of {domain}", self.name);
                self.work = Some(self.verbosity.bar(&what, steps));
            }
            Event::Checkpoint {
                step,
                domain,
                done,
                total,
            } => match &mut self.work {
                // A pause of the training.
                Some(work) if work.what() == self.name => {
                    let later = checkpoint_steps(self.steps)
                        .into_iter()
                        .filter(|place| *place > step);
                    let note = format!("checkpoint: {domain} {done}/{total}");
                    work.pause(step, &note, later.count());
                }
                _ => {
                    let what = format!("{}, step {step} on {domain}", self.name);
                    self.answering(what, done, total);
                }
            },
            Event::Predicting {
                domain,
                done,
                total,
            } => self.answering(format!("{} on {domain}", self.name), done, total),
            Event::SetAside { error, now } => {
                self.end();
                self.verbosity.say(&format!(
                    "{}: the checkpoint to resume from is damaged, so training starts over: {error} (moved to {})",
                    self.name,
                    now.display()
                ));
            }
            Event::Waiting(error) => {
                self.end();
                (self.verbosity).say(&format!("{}: waiting: {error}", self.name));
            }
            Event::StillWaiting => {}
            Event::Failed(reason) => {
                self.end();
                self.verbosity
                    .say(&format!("{}: failed: {reason}", self.name));
            }
            Event::Recorded(stored) => {
                self.end();
                let scores: Vec<String> = stored
                    .record
                    .evaluations
                    .iter()
                    .map(|evaluation| {
                        let metric = Metric::main(evaluation.task);
                        let value = evaluation.metrics[metric.name()];
                        format!("{} {:.1}", evaluation.domain, 100.0 * value)
                    })
                    .collect();
                self.verbosity
                    .say(&format!("{}: {}", self.name, scores.join(", ")));
            }
        }
    }

    fn answering(&mut self, what: String, done: usize, total: usize) {
        if done == total {
            self.end();
            return;
        }
        if self.work.as_ref().is_none_or(|work| work.what() != what) {
            self.end();
            self.work = Some(self.verbosity.bar(&what, total));
        }
        if let Some(work) = &mut self.work {
            work.at(done, "");
        }
    }

    pub fn end(&mut self) {
        if let Some(work) = self.work.take() {
            work.end();
        }
    }
}
