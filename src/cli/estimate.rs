//! `--dry-run`: the plan and what it will cost, before anything is trained.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::datasets::{Datasets, TokenCounts};
use crate::experiment::{ExperimentError, Runner, ToDo, checkpoint_steps};
use crate::plan::Plan;
use promptshift_numbers::recipe::{Limits, Method, Recipe};
use promptshift_numbers::record::Cell;
use promptshift_tensors::backbone::Backbone;
use promptshift_tensors::batch::{encode, inputs};
use promptshift_tensors::layers::Dropout;
use promptshift_tensors::tuning::Tuned;

/// A plan, or several, in words, and what is left to do of them.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Every cell, and what of it is there.
    pub text: String,
    /// What is left.
    pub to_do: ToDo,
    /// About how long that takes here.
    pub time: Duration,
}

impl Estimate {
    /// Adds that of another plan.
    pub fn add(&mut self, other: Estimate) {
        self.text.push_str(&other.text);
        self.to_do.add(other.to_do);
        self.time += other.time;
    }

    /// What is left and how long that takes.
    pub fn total(&self) -> String {
        format!(
            "{}, about {} here (within a factor of two or three)",
            count(&self.to_do),
            in_words(self.time)
        )
    }
}

/// The plan in words, what of it the store has, and an estimate of the time that the rest takes: from the arithmetic
/// that it needs and the rate at which this machine answers some of the source's rows untuned. Training has another
/// rate, and runs side by side are faster than one after another: the estimate is given within a factor.
///
/// # Errors
/// The store can't be read.
pub fn describe(
    plan: &Plan,
    datasets: &Datasets,
    runner: &Runner,
) -> Result<Estimate, ExperimentError> {
    let backbone = runner.backbone();
    let setting = &plan.setting;
    let tokens = datasets.tokens(backbone, &setting.limits);
    let rate = answering_rate(backbone, datasets, &setting.limits);
    let mut text = format!(
        "{} on '{}' with {} ({} parameters)\n",
        setting.transfer(),
        setting.suite,
        setting.model,
        backbone.config.parameters(),
    );
    for note in datasets.notes.iter().chain(&backbone.notes) {
        writeln!(text, "  {note}").expect("strings take text");
    }
    let mut total = Duration::ZERO;
    let mut all = ToDo::default();
    let mut searched = BTreeSet::new();
    for cell in plan.cells() {
        if let (Some(recipe), Some(trials)) = (&cell.recipe, cell.trials)
            && searched.insert(cell.method)
            && runner.found_search(plan, cell.method)?.is_none()
        {
            let flop = trials as f64 * recipe_flop(recipe, backbone, &tokens);
            let time = Duration::from_secs_f64(flop / rate);
            total += time;
            writeln!(
                text,
                "  {}, {trials} trials on source validation: about {}",
                cell.method.title(),
                in_words(time)
            )
            .expect("strings take text");
        }
        let to_do = runner.to_do(plan, &cell)?;
        let training = match &cell.recipe {
            Some(recipe) if !to_do.trainings.is_empty() => recipe_flop(recipe, backbone, &tokens),
            _ => 0.0,
        };
        let evaluations = to_do.evaluations.len() + to_do.evaluations_found.len();
        let share = to_do.evaluations.len() as f64 / evaluations.max(1) as f64;
        let evaluation = forward_flop(backbone, tokens.evaluated_inputs, tokens.evaluated_outputs)
            + k_shot_flop(&cell, backbone, &tokens);
        let training = training + checkpoint_flop(&cell, &to_do, backbone, &tokens);
        let time = Duration::from_secs_f64((training + share * evaluation) / rate);
        total += time;
        let name = match cell.method {
            Method::Untuned => "untuned".to_string(),
            Method::Elsewhere => format!("{}, run {}", cell.title(), cell.seed),
            method => format!("{}, seed {}", method.title(), cell.seed),
        };
        let recipe = match &cell.recipe {
            Some(recipe) => format!(
                ": {} steps of {} examples, learning rate {}",
                recipe.budget.steps,
                recipe.budget.batch_size,
                recipe.optimizer.learning_rate()
            ),
            None => String::new(),
        };
        let time = match (to_do.is_nothing(), to_do.trainings_found.is_empty()) {
            (true, _) => "there".to_owned(),
            (false, false) => format!("trained, about {} of evaluation", in_words(time)),
            (false, true) => format!("about {}", in_words(time)),
        };
        all.add(to_do);
        writeln!(text, "  {name}{recipe}: {time}").expect("strings take text");
    }
    let mut estimate = Estimate {
        text,
        to_do: all,
        time: total,
    };
    let last = estimate.total();
    writeln!(estimate.text, "{last}").expect("strings take text");
    Ok(estimate)
}

/// What is there and what is left, in words.
pub fn count(to_do: &ToDo) -> String {
    format!(
        "{} found, {} to do; {} found, {} to do",
        of(to_do.trainings_found.len(), "training"),
        to_do.trainings.len(),
        of(to_do.evaluations_found.len(), "evaluation"),
        to_do.evaluations.len()
    )
}

fn of(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Steps and validations of one training. The backward pass costs as much as the forward for the
/// states and, where the weights move, as much again for them.
fn recipe_flop(recipe: &Recipe, backbone: &Backbone, tokens: &TokenCounts) -> f64 {
    let budget = &recipe.budget;
    let passes = if recipe.is_model_tuning() { 3.0 } else { 2.0 };
    let prompt = recipe.prompt.as_ref().map_or(0.0, |p| p.length as f64);
    let batch = budget.batch_size as f64;
    let step = forward_flop(
        backbone,
        batch * (tokens.train_input + prompt),
        batch * tokens.train_target,
    );
    let validations = 1 + budget.steps.div_ceil(budget.evaluate_every);
    let validation = forward_flop(
        backbone,
        tokens.validation_inputs,
        tokens.validation_outputs,
    );
    budget.steps as f64 * passes * step + validations as f64 * validation
}

/// What is answered at the checkpoints of a training that is to be done: of model tuning all rows and source
/// validation. That of other methods is small beside their steps.
fn checkpoint_flop(cell: &Cell, to_do: &ToDo, backbone: &Backbone, tokens: &TokenCounts) -> f64 {
    let steps = match &cell.recipe {
        Some(recipe) if cell.method == Method::Model && !to_do.trainings.is_empty() => {
            recipe.budget.steps
        }
        _ => return 0.0,
    };
    checkpoint_steps(steps).len() as f64
        * forward_flop(
            backbone,
            tokens.evaluated_inputs + tokens.validation_inputs,
            tokens.evaluated_outputs + tokens.validation_outputs,
        )
}

/// Steps with a few examples of each target, and its answers again; the target's inputs are taken to be as
/// long as the source's.
fn k_shot_flop(cell: &Cell, backbone: &Backbone, tokens: &TokenCounts) -> f64 {
    let (Some(tune_on), Some(recipe)) = (&cell.setting.tune_on, &cell.recipe) else {
        return 0.0;
    };
    if !recipe.trains() {
        return 0.0;
    }
    let targets = cell.setting.targets.len() as f64;
    let share = targets / (targets + 1.0);
    let answers = forward_flop(
        backbone,
        share * tokens.evaluated_inputs,
        share * tokens.evaluated_outputs,
    );
    let of_count = |&count: &usize| {
        let unvalidated = TokenCounts {
            validation_inputs: 0.0,
            validation_outputs: 0.0,
            ..*tokens
        };
        targets * recipe_flop(&tune_on.recipe(recipe, count), backbone, &unvalidated) + answers
    };
    tune_on.examples.iter().map(of_count).sum()
}

/// Two operations a weight and token (attention's own products are small beside them at these
/// lengths).
fn forward_flop(backbone: &Backbone, inputs: f64, outputs: f64) -> f64 {
    let [input, output] = backbone.config.weights_per_token();
    2.0 * (inputs * input as f64 + outputs * output as f64)
}

/// Operations a second, by [`forward_flop`]'s count, while the untuned backbone reads a batch of the source's
/// validation rows and, where it has an output of its own, answers them.
fn answering_rate(backbone: &Backbone, datasets: &Datasets, limits: &Limits) -> f64 {
    const ROWS: usize = 16;
    const TIMES: usize = 3;
    let tokenizer = &backbone.tokenizer;
    let rows = &datasets.source.validation.examples;
    let encodings = encode(&rows[..rows.len().min(ROWS)], tokenizer, limits);
    let tokens = inputs(&encodings.iter().collect::<Vec<_>>(), tokenizer.pad());
    let untuned = Tuned::untuned(backbone.model.clone());
    let read: usize = encodings.iter().map(|encoding| encoding.input.len()).sum();
    let rate = || {
        let started = Instant::now();
        let encoded = untuned.encode(&tokens, &mut Dropout::off());
        let written: usize = match untuned.answers() {
            true => (untuned.backbone)
                .generate(&encoded, tokenizer.ends(), limits.answer)
                .iter()
                .map(|answer| answer.ids.len())
                .sum(),
            false => 0,
        };
        // Computing may lag behind on a GPU; an error would come again where it matters.
        let _ = backbone.model.device().sync();
        forward_flop(backbone, read as f64, written as f64) / started.elapsed().as_secs_f64()
    };
    (0..TIMES).map(|_| rate()).fold(0.0, f64::max)
}

/// A time in its unit: `12 s`, `7 min`, `1.5 h`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}
