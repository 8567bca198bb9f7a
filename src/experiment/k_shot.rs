//! Beside zero-shot: tuning goes on with a few examples of a target, and its test rows are answered
//! again.

use std::ops::ControlFlow;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::run::Run;
use super::{Event, ExperimentError, failed, finished};
use promptshift_numbers::record::k_shot::KShot;
use promptshift_numbers::record::store::Draft;
use promptshift_tensors::train::{Progress, TrainingSet, fit};
use promptshift_tensors::tuning::{self, Tuned};
use promptshift_text::domain::Example;

impl Run<'_> {
    /// Every K of every target, from `start`, which is as training on the source left it. Nothing for a
    /// method that trains nothing.
    pub fn k_shots(
        &self,
        start: &Tuned,
        draft: &Draft,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Vec<KShot>, ExperimentError> {
        let Run {
            cell,
            material,
            backbone,
        } = *self;
        let (Some(tune_on), Some(of_source)) = (&cell.tune_on, &cell.recipe) else {
            return Ok(Vec::new());
        };
        if !of_source.trains() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (sample, test) in material.samples.iter().zip(material.targets()) {
            let drawn = drawn(&sample.examples, cell.seed);
            for &count in &tune_on.examples {
                let recipe = tune_on.recipe(of_source, count);
                let examples: Vec<Example> =
                    drawn[..count].iter().map(|&row| row.clone()).collect();
                let train = TrainingSet::of_target(&examples, &backbone.tokenizer, &cell.limits);
                finished(watch(Event::GoingOn {
                    domain: &test.card.name,
                    examples: count,
                    steps: recipe.budget.steps,
                }))?;
                let tuned = tuning::resumed(start.clone(), &recipe, &backbone.config);
                // Nothing is selected: what comes later is taken to be better.
                let mut snapshots = 0.0;
                let mut later = |_: &Tuned| {
                    snapshots += 1.0;
                    Ok(snapshots)
                };
                let fitted = fit(
                    tuned,
                    &train,
                    &recipe,
                    cell.seed,
                    None,
                    &mut later,
                    &mut |progress| match progress {
                        Progress::Step { .. } => watch(Event::Training(progress)),
                        // No score: `later` only keeps the last step.
                        _ => ControlFlow::Continue(()),
                    },
                )
                .map_err(|error| failed(error, cell))?;
                let tuned = fitted.best.finished();
                let file = format!("{}@{count}-shot", test.card.name);
                found.push(KShot {
                    examples: count,
                    ids: examples.into_iter().map(|example| example.id).collect(),
                    steps: fitted.steps,
                    batch_size: recipe.budget.batch_size,
                    train_seconds: fitted.training.as_secs_f64(),
                    evaluation: self.evaluate(&tuned, test, &file, draft, watch)?,
                });
            }
        }
        Ok(found)
    }
}

/// A target's training rows in the order that a seed draws them, the same for every method.
fn drawn(rows: &[Example], seed: u64) -> Vec<&Example> {
    let mut order: Vec<&Example> = rows.iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}
