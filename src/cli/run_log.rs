//! `--log-to DIR`: the training curves and scores of a study's runs as TensorBoard event files, one subfolder for each
//! run. It changes no result.

use std::io;
use std::path::{Path, PathBuf};

use super::progress::Verbosity;
use crate::experiment::Event;
use crate::tensorboard::{EventFile, Scalar, has_others, last_step};
use promptshift_numbers::record::Cell;
use promptshift_numbers::record::folder::{StoredRecord, folder_name};
use promptshift_text::hash::sha256;

const LOSS: &str = "train/loss";

/// Writes the events of one run after another.
#[derive(Debug)]
pub struct RunLog {
    folder: PathBuf,
    /// The run in training: its name and writer. `None` between runs, and during few-shot tuning.
    run: Option<(PathBuf, String)>,
    file: Option<EventFile>,
}

impl RunLog {
    /// The log of the runs of a part of a study.
    pub fn of(folder: PathBuf) -> Self {
        RunLog {
            folder,
            run: None,
            file: None,
        }
    }

    /// The next events are about this cell.
    pub fn start(&mut self, cell: &Cell) {
        self.begin(cell, PathBuf::from(folder_name(cell)));
    }

    fn begin(&mut self, cell: &Cell, name: PathBuf) {
        self.run = Some((name, writer(cell)));
        self.file = None;
    }

    /// The folder of a run. If another study's run of this name was logged here, its curve stays.
    fn place(&self, name: &Path, writer: &str) -> io::Result<PathBuf> {
        let folder = self.folder.join(name);
        Ok(match has_others(&folder, writer)? {
            false => folder,
            true => self.folder.join(format!("{}-{writer}", name.display())),
        })
    }

    /// Logs an event. A failure ends the log, not the study.
    pub fn tell(log: &mut Option<Self>, event: &Event, verbosity: Verbosity) {
        if let Some(own) = log
            && let Err(error) = own.write(event)
        {
            verbosity.say(&format!(
                "warning: --log-to {}: {error}; no further curves are written by this process",
                own.folder.display()
            ));
            *log = None;
        }
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Trying { cell, .. } => {
                let rate = (cell.recipe.as_ref()).map_or(0.0, |r| r.optimizer.learning_rate());
                let search = format!("search-{}", cell.method.name());
                self.begin(cell, PathBuf::from(search).join(format!("rate-{rate}")));
                Ok(())
            }
            Event::Resumed { step } => self.open(step + 1),
            Event::SetAside { .. } => {
                self.file = None;
                Ok(())
            }
            Event::TuningOn { .. } => {
                (self.run, self.file) = (None, None);
                Ok(())
            }
            Event::Step { step, loss, update } => {
                let mut scalars = vec![
                    scalar(LOSS, *loss),
                    scalar("train/learning_rate", update.learning_rate),
                ];
                let norm = update.gradient_norm;
                scalars.extend(norm.map(|norm| scalar("train/gradient_norm", norm)));
                self.append(*step, scalars)
            }
            Event::Validated(point) => {
                self.append(point.step, vec![validation(point.validation_score)])
            }
            Event::Found(stored) | Event::Recorded(stored) => self.finish(stored),
            _ => Ok(()),
        }
    }

    /// Continues the run's log before this step.
    fn open(&mut self, step: usize) -> io::Result<()> {
        if let Some((name, writer)) = &self.run {
            let folder = self.place(name, writer)?;
            self.file = Some(EventFile::continued(&folder, writer, step)?);
        }
        Ok(())
    }

    fn append(&mut self, step: usize, scalars: Vec<Scalar>) -> io::Result<()> {
        if self.file.is_none() {
            self.open(step)?;
        }
        match &mut self.file {
            Some(file) => file.append(step, scalars),
            None => Ok(()),
        }
    }

    /// Writes the scores of a complete record. If the training was not logged to its end, since it was found in the
    /// store, its curve is written as the record has it.
    fn finish(&mut self, stored: &StoredRecord) -> io::Result<()> {
        let (record, cell) = (&stored.record, &stored.record.cell);
        let writer = writer(cell);
        let folder = self.place(Path::new(&folder_name(cell)), &writer)?;
        let mut kept = 0;
        if let Some(training) = &record.training {
            kept = training.best_step;
            if last_step(&folder, &writer, LOSS)? != Some(training.steps) && training.steps > 0 {
                let mut file = EventFile::continued(&folder, &writer, 0)?;
                for point in &training.curve {
                    let loss = point.train_loss.map(|loss| scalar(LOSS, loss));
                    let score = validation(point.validation_score);
                    file.append(point.step, loss.into_iter().chain([score]).collect())?;
                }
            }
        }
        let scores = record.evaluations.iter().flat_map(|evaluation| {
            let domain = &evaluation.domain;
            (evaluation.metrics.iter())
                .map(move |(metric, value)| scalar(&format!("test/{domain}/{metric}"), *value))
        });
        // Those of an earlier call are replaced.
        EventFile::continued(&folder, &format!("scores-{writer}"), 0)?
            .append(kept, scores.collect())
    }
}

fn scalar(tag: &str, value: f64) -> Scalar {
    (tag.to_owned(), value)
}

fn validation(score: f64) -> Scalar {
    scalar("validation/score", score)
}

/// A short hash of what a run's curve depends on, as far as a study's flags say: another study's curve of the same name
/// is not continued.
fn writer(cell: &Cell) -> String {
    let setting = &cell.setting;
    let of = (
        (&setting.source, &setting.model, &setting.suite),
        (
            setting.frozen_weights,
            setting.train_rows,
            setting.validation_rows,
            &setting.wording,
        ),
        (&cell.recipe, cell.seed),
    );
    let json = serde_json::to_vec(&of).expect("plain data");
    sha256(&json)[..8].to_owned()
}
