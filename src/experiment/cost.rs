//! What the cells of a plan cost: the remaining operations, and how many this machine does per second,
//! measured on a few of the plan's own rows.

use std::iter::Sum;
use std::ops::Add;
use std::thread;
use std::time::{Duration, Instant};

use super::{Runner, ToDo, checkpoint_steps};
use crate::datasets::TokenCounts;
use crate::plan::Plan;
use promptshift_numbers::recipe::{Limits, Method, Recipe};
use promptshift_numbers::record::{Cell, Setting};
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::{Batch, Encoding, encode, inputs};
use promptshift_tensors::layers::Pass;
use promptshift_tensors::network::Config;
use promptshift_tensors::train::{Course, Trainer, optimizer};
use promptshift_tensors::tuning::{Tuned, TuningError};
use promptshift_text::domain::Example;

/// Operations of training and of answering, which run at different speeds: two for each weight and token.
/// Attention scores are not counted; they are small at these lengths.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    training: f64,
    answering: f64,
}

/// Operations per second, as [`Cost`] counts them, of one worker while the others work too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    training: f64,
    answering: f64,
}

impl Cost {
    /// The time for one worker.
    pub fn time(self, speed: Speed) -> Duration {
        Duration::from_secs_f64(self.training / speed.training + self.answering / speed.answering)
    }

    /// Operations of both kinds.
    pub fn operations(self) -> f64 {
        self.training + self.answering
    }

    fn answering(operations: f64) -> Self {
        Cost {
            training: 0.0,
            answering: operations,
        }
    }

    fn times(self, factor: f64) -> Self {
        Cost {
            training: self.training * factor,
            answering: self.answering * factor,
        }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost {
            training: self.training + other.training,
            answering: self.answering + other.answering,
        }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), Add::add)
    }
}

/// The costs of one plan's cells on one backbone.
pub struct Costs<'a> {
    backbone: &'a Backbone,
    tokens: TokenCounts,
}

impl<'a> Costs<'a> {
    /// For a runner's rows within the limits of `setting`.
    pub fn of(runner: &Runner<'a>, setting: &Setting) -> Self {
        let backbone = runner.backbone;
        Costs {
            tokens: runner.datasets.tokens(backbone, &setting.limits),
            backbone,
        }
    }

    /// The remaining cost of a cell, without the search for its recipe.
    pub fn of_cell(&self, cell: &Cell, to_do: &ToDo) -> Cost {
        let training = match &cell.recipe {
            Some(recipe) if !to_do.trainings.is_empty() => {
                self.of_recipe(recipe) + self.of_checkpoints(cell.method, recipe)
            }
            _ => Cost::default(),
        };
        let evaluations = to_do.evaluations.len() + to_do.evaluations_found.len();
        let share = to_do.evaluations.len() as f64 / evaluations.max(1) as f64;
        training + (self.of_test_rows() + self.of_shots(cell)).times(share)
    }

    /// Steps and validations of one training.
    pub fn of_recipe(&self, recipe: &Recipe) -> Cost {
        let (budget, tokens) = (&recipe.budget, &self.tokens);
        let validations = match budget.steps {
            0 => 0,
            steps => 1 + steps.div_ceil(budget.evaluate_every),
        };
        let validation = self.forward(tokens.validation_inputs, tokens.validation_outputs);
        Cost {
            training: budget.steps as f64 * self.of_step(recipe),
            answering: validations as f64 * validation,
        }
    }

    fn of_step(&self, recipe: &Recipe) -> f64 {
        let prompt = recipe.prompt.as_ref().map_or(0.0, |p| p.length as f64);
        let batch = recipe.budget.batch_size as f64;
        let inputs = batch * (self.tokens.train_input + prompt);
        passes(recipe) * self.forward(inputs, batch * self.tokens.train_target)
    }

    /// Model tuning answers all rows and source validation at its checkpoints. Other methods' answers there
    /// are few and not counted.
    fn of_checkpoints(&self, method: Method, recipe: &Recipe) -> Cost {
        if method != Method::Model {
            return Cost::default();
        }
        let tokens = &self.tokens;
        let validation = self.forward(tokens.validation_inputs, tokens.validation_outputs);
        let count = checkpoint_steps(recipe.budget.steps).len() as f64;
        (self.of_test_rows() + Cost::answering(validation)).times(count)
    }

    fn of_test_rows(&self) -> Cost {
        let tokens = &self.tokens;
        Cost::answering(self.forward(tokens.evaluated_inputs, tokens.evaluated_outputs))
    }

    /// Steps with a few examples of each target, and answering it again. A target's inputs are assumed to be
    /// as long as the source's.
    fn of_shots(&self, cell: &Cell) -> Cost {
        let (Some(tune_on), Some(recipe)) = (&cell.setting.tune_on, &cell.recipe) else {
            return Cost::default();
        };
        if !recipe.trains() {
            return Cost::default();
        }
        let targets = cell.setting.targets.len() as f64;
        let answers = self.of_test_rows().times(targets / (targets + 1.0));
        let of_count = |&count: &usize| {
            let recipe = tune_on.recipe(recipe, count);
            let training = targets * recipe.budget.steps as f64 * self.of_step(&recipe);
            Cost {
                training,
                ..Cost::default()
            } + answers
        };
        tune_on.examples.iter().map(of_count).sum()
    }

    fn forward(&self, inputs: f64, outputs: f64) -> f64 {
        forward(&self.backbone.config, inputs, outputs)
    }
}

/// The cost of a step in forward passes: the backward pass costs one for the states and, if the weights are
/// trained, another for them.
fn passes(recipe: &Recipe) -> f64 {
    match recipe.is_model_tuning() {
        true => 3.0,
        false => 2.0,
    }
}

/// The length of a training relative to others on the same rows and model, in arbitrary units.
pub fn relative_length(recipe: &Recipe) -> f64 {
    passes(recipe) * (recipe.budget.steps * recipe.budget.batch_size) as f64
}

/// Operations of a training step on so many input tokens, those of a prompt included, and target tokens: two for each
/// weight and token in each pass through the network, without attention's scores and the optimiser.
pub fn step_operations(config: &Config, recipe: &Recipe, inputs: f64, outputs: f64) -> f64 {
    passes(recipe) * forward(config, inputs, outputs)
}

fn forward(config: &Config, inputs: f64, outputs: f64) -> f64 {
    let [input, output] = config.weights_per_token();
    2.0 * (inputs * input as f64 + outputs * output as f64)
}

/// The batch of a measured step is truncated to about this many operations: a few seconds on a CPU.
const STEP_OPERATIONS: f64 = 2e11;

/// Rows that are answered to measure the speed.
const ANSWERED: usize = 64;

/// A small part of a plan's work, to be timed.
#[derive(Clone)]
struct Sample {
    backbone: Backbone,
    training: Option<(Recipe, Tuned, Batch)>,
    answered: Vec<Encoding>,
    limits: Limits,
}

impl Runner<'_> {
    /// The mean speed of `workers` that compute the plan's cells concurrently. Each takes a step of the
    /// plan's first training and answers some validation rows, all at the same time.
    ///
    /// # Errors
    /// The method does not support the backbone.
    pub fn speed(&self, plan: &Plan, workers: usize) -> Result<Speed, TuningError> {
        let sample = self.sample(plan)?;
        let speeds: Vec<Speed> = match workers {
            0 | 1 => vec![sample.speed()],
            _ => thread::scope(|scope| {
                let threads = (rayon::current_num_threads() / workers).max(1);
                let started: Vec<_> = (0..workers)
                    .map(|_| {
                        let sample = sample.apart();
                        scope.spawn(move || sample.speed_on(threads))
                    })
                    .collect();
                let ended = started.into_iter().map(|worker| worker.join());
                ended.flatten().collect()
            }),
        };
        let mean = |of: fn(&Speed) -> f64| speeds.iter().map(of).sum::<f64>() / speeds.len() as f64;
        Ok(Speed {
            training: mean(|speed| speed.training),
            answering: mean(|speed| speed.answering),
        })
    }

    fn sample(&self, plan: &Plan) -> Result<Sample, TuningError> {
        let limits = plan.setting.limits;
        let tokenizer = &self.backbone.tokenizer;
        let encoded = |rows: &[Example], count: usize| {
            encode(&rows[..rows.len().min(count)], tokenizer, &limits)
        };
        let source = &self.datasets.source;
        let cells = plan.cells();
        let trained = cells.iter().find_map(|cell| {
            let recipe = cell.recipe.as_ref().filter(|recipe| recipe.trains())?;
            Some((cell, recipe))
        });
        let training = match trained {
            None => None,
            Some((cell, recipe)) => {
                let mut rows = encoded(&source.train.examples, recipe.budget.batch_size);
                let mut left = STEP_OPERATIONS;
                let affordable = rows.iter().take_while(|row| {
                    let afforded = left > 0.0;
                    left -= 3.0 * forward(&self.backbone.config, row.input.len() as f64, 0.0);
                    afforded
                });
                rows.truncate(affordable.count());
                let batch = Batch::of(&rows.iter().collect::<Vec<_>>(), tokenizer.pad());
                Some((recipe.clone(), self.context(cell).applied(recipe)?, batch))
            }
        };
        Ok(Sample {
            backbone: self.backbone.clone(),
            training,
            answered: encoded(&source.validation.examples, ANSWERED),
            limits,
        })
    }
}

impl Sample {
    /// A copy for another thread.
    fn apart(&self) -> Self {
        let mut sample = self.clone();
        if let Some((_, tuned, _)) = &mut sample.training {
            *tuned = tuned.replica(&self.backbone.model.device());
        }
        sample
    }

    /// The speed with this many threads.
    fn speed_on(self, threads: usize) -> Speed {
        match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => pool.install(|| self.speed()),
            Err(_) => self.speed(),
        }
    }

    fn speed(self) -> Speed {
        let answering = self.answering_speed();
        Speed {
            training: (self.training.as_ref())
                .map_or(answering, |training| self.training_speed(training)),
            answering,
        }
    }

    fn training_speed(&self, (recipe, tuned, batch): &(Recipe, Tuned, Batch)) -> f64 {
        let course = Course {
            learning_rate: 0.0,
            schedule: recipe.schedule,
            steps: recipe.budget.steps,
        };
        let optimizer = optimizer(&recipe.optimizer);
        let mut trainer = Trainer::new(
            tuned.clone(),
            optimizer,
            course,
            recipe.objective.clone(),
            0,
        );
        let prompt = recipe.prompt.as_ref().map_or(0, |prompt| prompt.length);
        let inputs = batch.inputs.count() + batch.inputs.batch() * prompt;
        let targets = batch.targets.count() as f64;
        let operations = step_operations(&self.backbone.config, recipe, inputs as f64, targets);
        self.second_time(|| {
            // A loss that is not finite is reported by the training itself.
            let _ = trainer.step(batch);
            operations
        })
    }

    fn answering_speed(&self) -> f64 {
        let tokenizer = &self.backbone.tokenizer;
        let tokens = inputs(&self.answered.iter().collect::<Vec<_>>(), tokenizer.pad());
        let untuned = Tuned::untuned(self.backbone.model.clone());
        self.second_time(|| {
            let encoded = untuned.encode(&tokens, &mut Pass::evaluation());
            let written: usize = match untuned.answers() {
                true => (untuned.backbone)
                    .generate(&encoded, tokenizer.ends(), self.limits.answer)
                    .iter()
                    .map(|answer| answer.ids.len())
                    .sum(),
                false => 0,
            };
            forward(&self.backbone.config, tokens.count() as f64, written as f64)
        })
    }

    /// Operations per second of `work`, which returns its operations. An untimed first run allocates buffers.
    fn second_time(&self, mut work: impl FnMut() -> f64) -> f64 {
        work();
        let started = Instant::now();
        let operations = work();
        // A GPU computes asynchronously. An error here would be reported again by the actual work.
        let _ = self.backbone.model.device().sync();
        operations / started.elapsed().as_secs_f64()
    }
}
