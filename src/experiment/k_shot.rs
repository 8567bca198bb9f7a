//! Few-shot tuning, in addition to zero-shot: training continues with a few examples of a target, and its test rows are
//! answered again.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::context::{CellContext, ToAnswer, after};
use super::runner::Runner;
use super::{Event, ExperimentError, Watch, failed};
use crate::datasets::TestSet;
use promptshift_numbers::recipe::Recipe;
use promptshift_numbers::store::{Asked, FewShot, Of};
use promptshift_tensors::train::{self, FitError, Fitting, TrainingSet};
use promptshift_tensors::tuning::{self, Tuned};
use promptshift_text::domain::{Example, fingerprint};

/// Few-shot tuning with K examples of one target.
pub(super) struct Shot<'a> {
    /// The target.
    pub test: &'a TestSet,
    /// The examples, in the order drawn.
    pub examples: Vec<Example>,
    /// Its recipe.
    pub recipe: Recipe,
    /// How the target's rows are answered afterwards.
    pub asked: Asked,
}

impl<'a> CellContext<'a> {
    /// Every K for every target; empty for a method without training.
    pub fn shots(&self, of: &Of) -> Vec<Shot<'a>> {
        let cell = self.cell;
        let (Some(tune_on), Some(of_source)) = (&cell.setting.tune_on, &cell.recipe) else {
            return Vec::new();
        };
        if !of_source.trains() {
            return Vec::new();
        }
        let mut shots = Vec::new();
        for (sample, test) in self
            .datasets
            .few_shot_pools
            .iter()
            .zip(self.datasets.targets())
        {
            let drawn = drawn(&sample.examples, cell.seed);
            for &count in &tune_on.examples {
                let examples: Vec<Example> =
                    drawn[..count].iter().map(|&row| row.clone()).collect();
                let few_shot = FewShot {
                    examples: count,
                    rows_sha256: fingerprint::of_training(&examples),
                    steps: tune_on.steps,
                };
                shots.push(Shot {
                    test,
                    recipe: tune_on.recipe(of_source, count),
                    asked: self.asked(after(of, few_shot), test),
                    examples,
                });
            }
        }
        shots
    }
}

impl Runner<'_> {
    /// Tunes with a few examples, starting from `start` (the result of training on the source), and answers the
    /// target's rows at these indices.
    pub(super) fn tune_k_shot(
        &self,
        context: CellContext,
        shot: Shot,
        start: &Tuned,
        places: &[usize],
        watch: &mut Watch,
    ) -> Result<(), ExperimentError> {
        let (cell, backbone) = (context.cell, context.backbone);
        let recipe = &shot.recipe;
        let limits = &cell.setting.limits;
        let train = TrainingSet::of_target(&shot.examples, &backbone.tokenizer, limits);
        watch(Event::TuningOn {
            domain: &shot.test.card.name,
            examples: shot.examples.len(),
            steps: recipe.budget.steps,
        })?;
        let tuned = tuning::resumed(start.clone(), recipe, &backbone.config);
        let failed = |error: FitError| failed(error, cell);
        let fit = Fitting::new(tuned, &train, recipe, cell.seed, None).map_err(failed)?;
        let mut fit = fit.on(context.further_devices);
        let mut snapshots = 0.0;
        while let Some(event) = fit.next_event().map_err(failed)? {
            match event {
                train::Event::Step { step, loss, update } => {
                    watch(Event::Step { step, loss, update })?;
                }
                train::Event::ValidationDue => {
                    // No step is selected: later steps count as better, so the last one is kept.
                    snapshots += 1.0;
                    fit.validate(|_| Ok(snapshots)).map_err(failed)?;
                }
                // No checkpoints are written.
                train::Event::Resumed { .. } => {}
            }
        }
        let fitted = fit.finish();
        let to_answer = ToAnswer {
            asked: shot.asked,
            rows: &shot.test.rows,
            places,
            few_shot_seconds: Some(fitted.training.as_secs_f64()),
        };
        self.answer(context, &fitted.best.into_inference(), to_answer, watch)
    }
}

/// A target's training rows in an order drawn by a seed, the same for every method.
fn drawn(rows: &[Example], seed: u64) -> Vec<&Example> {
    let mut order: Vec<&Example> = rows.iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
}
