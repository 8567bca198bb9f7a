//! Model tuning scored on its way, on source and targets: points of the line that effective robustness
//! is measured against.
//!
//! Training knows nothing of it: it shows its steps to whoever watches and takes no score back. Each
//! checkpoint is at twice the steps of the one before, since scores rise fast at first and the line is
//! to reach down to methods that score less than model tuning ends at.

use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::Module;

use super::{Event, asker, score_answer};
use crate::backbone::Backbone;
use crate::batch::{Encoding, encode};
use crate::domain::Example;
use crate::domain::card::Card;
use crate::domain::draw::drawn;
use crate::eval::score::Metric;
use crate::material::{Material, Source, Test};
use crate::memory;
use crate::recipe::{Limits, Method};
use crate::record::checkpoint::{Checkpoint, CheckpointScore};
use crate::record::{Cell, Score};
use crate::train::Progress;
use crate::tuning::Tuned;

/// Checkpoints of a training that is long enough.
const COUNT: u32 = 5;

/// At most so many examples of each test split, drawn by their names, the same ones every time: on the
/// miniature all checkpoints of a run cost about as much as two evaluations, elsewhere far less.
const EXAMPLES: usize = 200;

/// The steps at which a training of so many is looked at: half of them, a quarter, and so on, ascending.
fn places(steps: usize) -> Vec<usize> {
    let halves = (1..=COUNT).rev().map(|halvings| steps >> halvings);
    let mut places: Vec<usize> = halves.filter(|step| *step > 0).collect();
    places.dedup();
    places
}

/// The checkpoints of one training.
pub(super) struct Checkpoints<'a> {
    cell: &'a Cell,
    source: &'a Source,
    backbone: &'a Backbone,
    steps: Vec<usize>,
    rows: Vec<Rows<'a>>,
    passed: Vec<Checkpoint>,
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
    /// Those of a cell, none of which is passed yet; there are none but of model tuning.
    pub(super) fn of(cell: &'a Cell, material: &'a Material, backbone: &'a Backbone) -> Self {
        let steps = match (&cell.recipe, cell.method) {
            (Some(recipe), Method::Model) => places(recipe.budget.steps),
            _ => Vec::new(),
        };
        let tests = material.tests.iter().filter(|_| !steps.is_empty());
        Checkpoints {
            cell,
            source: &material.source,
            backbone,
            rows: tests
                .map(|test| Rows::of(test, backbone, &cell.limits))
                .collect(),
            steps,
            passed: Vec::new(),
        }
    }

    /// Scores the model if the step that was taken is one of the checkpoints.
    pub(super) fn see(&mut self, event: &Event) {
        if let Event::Training(Progress::Step { step, tuned, .. }) = event
            && self.steps.contains(step)
        {
            // A training's peak is its own.
            let checkpoint = memory::apart(|| self.score(*step, &tuned.valid()));
            self.passed.push(checkpoint);
        }
    }

    /// Those that were passed, in the order of their steps.
    pub(super) fn passed(self) -> Vec<Checkpoint> {
        self.passed
    }

    fn score(&self, step: usize, tuned: &Tuned) -> Checkpoint {
        let metric = Metric::main(self.source.card.task);
        let started = Instant::now();
        let scores = (self.rows.iter())
            .map(|rows| CheckpointScore {
                domain: rows.card.name.clone(),
                examples: rows.examples.len(),
                score: metric.value(&self.scores(tuned, rows)),
            })
            .collect();
        Checkpoint {
            step,
            metric: metric.name().to_owned(),
            scores,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    fn scores(&self, tuned: &Tuned, rows: &Rows) -> Vec<Score> {
        let asker = asker(self.cell, self.source, self.backbone);
        let go_on = &mut |_| ControlFlow::Continue(());
        let answers = match asker.answers(tuned, rows.card, &rows.encodings, go_on) {
            ControlFlow::Continue(answers) => answers,
            ControlFlow::Break(()) => unreachable!("nothing breaks it off"),
        };
        (rows.examples.iter().zip(answers))
            .map(|(example, answer)| {
                score_answer(&answer.text, &example.gold, &self.source.card, rows.card)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_at_halves_of_the_steps() {
        assert_eq!(places(400), [12, 25, 50, 100, 200]);
        assert_eq!(places(30_000), [937, 1_875, 3_750, 7_500, 15_000]);
        assert_eq!(places(8), [1, 2, 4]);
        assert_eq!(places(3), [1]);
        assert!(places(1).is_empty() && places(0).is_empty());
    }
}
