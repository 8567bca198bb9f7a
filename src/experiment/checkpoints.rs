//! Model tuning scored on its way, on source and targets: points of the line that effective robustness
//! is measured against.
//!
//! Training knows nothing of it: it shows its steps to whoever watches and takes no score back. Each
//! checkpoint is at twice the steps of the one before, since scores rise fast at first and the line is
//! to reach down to methods that score less than model tuning ends at.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::evaluate::score_answer;
use super::run::Run;
use super::{Event, ExperimentError, unanswered};
use crate::material::Test;
use promptshift_numbers::recipe::{Limits, Method};
use promptshift_numbers::record::Score;
use promptshift_numbers::record::checkpoint::{Checkpoint, CheckpointScore};
use promptshift_numbers::record::seal::{opened_as, sealed};
use promptshift_numbers::score::Metric;
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::{Encoding, encode};
use promptshift_tensors::eval::predict::Answer;
use promptshift_tensors::memory;
use promptshift_tensors::train::{HaltError, Progress};
use promptshift_tensors::tuning::Tuned;
use promptshift_text::domain::Example;
use promptshift_text::domain::card::Card;
use promptshift_text::domain::draw::drawn;

/// Checkpoints of a training that is long enough.
const COUNT: u32 = 5;

/// At most so many examples of each test split, drawn by their names, the same ones every time: on the
/// miniature all checkpoints of a run cost about as much as two evaluations, elsewhere far less.
const EXAMPLES: usize = 200;

/// Before this step little is learnt, and the point is the untuned model's; a training that is shorter still is looked
/// at half way.
const FIRST: usize = 8;

/// The steps at which a training of so many is looked at: half of them, a quarter, and so on, ascending.
fn places(steps: usize) -> Vec<usize> {
    let first = FIRST.min(steps / 2).max(1);
    let halves = (1..=COUNT).rev().map(|halvings| steps >> halvings);
    halves.filter(|step| *step >= first).collect()
}

/// The file of those that were passed.
const KEPT: &str = "checkpoints.json";

/// Those that the same training passed before it was broken off.
fn passed_before(kept: &Path, of: String) -> Result<Passed, HaltError> {
    let none = |of| Passed {
        of,
        checkpoints: Vec::new(),
    };
    let path = || kept.to_owned();
    let bytes = match fs::read(kept) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(none(of)),
        Err(source) => {
            return Err(HaltError::Io {
                path: path(),
                source,
            });
        }
    };
    let found: Passed = opened_as(&bytes).map_err(|found| HaltError::Malformed {
        path: path(),
        found,
    })?;
    match found.of == of {
        true => Ok(found),
        false => Ok(none(of)),
    }
}

/// The checkpoints of one training.
pub(super) struct Checkpoints<'a> {
    run: Run<'a>,
    steps: Vec<usize>,
    rows: Vec<Rows<'a>>,
    passed: Passed,
    kept: PathBuf,
    error: Option<ExperimentError>,
}

/// The checkpoints that were passed, as they are kept beside what the training goes on from.
#[derive(Serialize, Deserialize)]
struct Passed {
    /// What training they are of.
    of: String,
    checkpoints: Vec<Checkpoint>,
}

/// The examples of one domain that checkpoints are scored on.
struct Rows<'a> {
    card: &'a Card,
    examples: Vec<Example>,
    encodings: Vec<Encoding>,
}

impl<'a> Rows<'a> {
    fn of(test: &'a Test, backbone: &Backbone, limits: &Limits) -> Self {
        let all = &test.rows.examples;
        let names = all.iter().map(|example| example.id.as_str());
        let examples: Vec<Example> = (drawn(names, EXAMPLES).into_iter())
            .map(|place| all[place].clone())
            .collect();
        Rows {
            card: &test.card,
            encodings: encode(&examples, &backbone.tokenizer, limits),
            examples,
        }
    }
}

impl<'a> Checkpoints<'a> {
    /// Those of a cell, of which some may have been passed before its training was broken off: they are
    /// in `begun`, by the training's name. There are none but of model tuning.
    ///
    /// # Errors
    /// What was kept of them can't be read.
    pub(super) fn of(run: Run<'a>, begun: &Path, of: String) -> Result<Self, HaltError> {
        let Run {
            cell,
            material,
            backbone,
        } = run;
        let steps = match (&cell.recipe, cell.method) {
            (Some(recipe), Method::Model) => places(recipe.budget.steps),
            _ => Vec::new(),
        };
        let kept = begun.join(KEPT);
        let tests = material.tests.iter().filter(|_| !steps.is_empty());
        Ok(Checkpoints {
            run,
            rows: tests
                .map(|test| Rows::of(test, backbone, &cell.limits))
                .collect(),
            steps,
            passed: passed_before(&kept, of)?,
            kept,
            error: None,
        })
    }

    /// Scores the model if the step that was taken is one of the checkpoints.
    pub(super) fn see(&mut self, event: &Event) {
        if let Event::Training(Progress::Step { step, tuned, .. }) = event
            && self.steps.contains(step)
            && self.passed.checkpoints.iter().all(|one| one.step != *step)
        {
            // A training's peak is its own.
            let scored = memory::apart(|| self.score(*step, &tuned.off_tape()));
            let kept = scored.and_then(|checkpoint| {
                self.passed.checkpoints.push(checkpoint);
                Ok(self.keep()?)
            });
            if let Err(error) = kept {
                self.error.get_or_insert(error);
            }
        }
    }

    fn keep(&self) -> Result<(), HaltError> {
        let io = |source| HaltError::Io {
            path: self.kept.clone(),
            source,
        };
        let json = sealed(&self.passed);
        let partial = self.kept.with_extension("partial");
        fs::create_dir_all(self.kept.parent().unwrap_or(Path::new(""))).map_err(io)?;
        fs::write(&partial, json).map_err(io)?;
        fs::rename(&partial, &self.kept).map_err(io)
    }

    /// Those that were passed, in the order of their steps.
    ///
    /// # Errors
    /// They could not be kept, or the model gave no numbers at one.
    pub(super) fn passed(self) -> Result<Vec<Checkpoint>, ExperimentError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.passed.checkpoints),
        }
    }

    fn score(&self, step: usize, tuned: &Tuned) -> Result<Checkpoint, ExperimentError> {
        let metric = Metric::main(self.run.source().card.task);
        let started = Instant::now();
        let scores = (self.rows.iter())
            .map(|rows| {
                Ok(CheckpointScore {
                    domain: rows.card.name.clone(),
                    examples: rows.examples.len(),
                    score: metric.value(&self.scores(tuned, rows)?),
                })
            })
            .collect::<Result<_, ExperimentError>>()?;
        Ok(Checkpoint {
            step,
            metric: metric.name().to_owned(),
            scores,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn scores(&self, tuned: &Tuned, rows: &Rows) -> Result<Vec<Score>, ExperimentError> {
        let asker = self.run.asker();
        let go_on = &mut |_| ControlFlow::Continue(());
        let answers = asker.answers(tuned, rows.card, &rows.encodings, go_on);
        let answers = answers.map_err(|error| unanswered(error, self.run.cell, &rows.card.name))?;
        let score = |(example, answer): (&Example, Answer)| {
            score_answer(&answer.text, &example.gold, asker.source, rows.card)
        };
        Ok(rows.examples.iter().zip(answers).map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_at_halves_of_the_steps() {
        assert_eq!(places(400), [12, 25, 50, 100, 200]);
        assert_eq!(places(30_000), [937, 1_875, 3_750, 7_500, 15_000]);
        assert_eq!(places(40), [10, 20]);
        assert_eq!(places(8), [4]);
        assert!(places(1).is_empty() && places(0).is_empty());
    }
}
