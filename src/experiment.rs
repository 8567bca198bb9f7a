//! The straight line: open the source → tune → predict on source and targets → score → record.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::Module;

use crate::backbone::Backbone;
use crate::batch::encode;
use crate::domain::card::Card;
use crate::domain::catalogue::{Catalogue, CatalogueError};
use crate::domain::label;
use crate::domain::suite::{DomainError, Rows, Suite};
use crate::domain::{Example, Gold, Split, Task};
use crate::eval::predict::{Answer, predict};
use crate::eval::score::{self, Metric, score};
use crate::memory::peak_of;
use crate::plan::Plan;
use crate::provenance::{self, Origin};
use crate::recipe::{Limits, PromptInit, Recipe};
use crate::record::store::{Draft, Store, StoreError, StoredRecord};
use crate::record::{
    Cell, Evaluation, Prediction, Provenance, RECORD_VERSION, Record, Role, Score, Training,
};
use crate::train::{FitError, Fitted, Progress, TrainingSet, fit};
use crate::tuning::{self, Labels, PromptError, Tuned, model_tuning, prompt_tuning};

/// An experiment that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A domain is not there.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A domain's rows can't be read.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A prompt can't be made.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Training failed.
    #[error("{method} with seed {seed}: {source}")]
    Fit {
        /// What was tuned.
        method: &'static str,
        /// With which seed.
        seed: u64,
        /// Why.
        source: FitError,
    },
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted,
    /// A record can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a watcher of the experiment is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A complete record of this cell was found; it is not run again.
    Found(&'a StoredRecord),
    /// A cell starts.
    Started(&'a Cell),
    /// Training goes on.
    Training(Progress<'a>),
    /// So many of a domain's examples are answered.
    Predicting {
        /// The domain.
        domain: &'a str,
        /// Examples answered.
        done: usize,
        /// Examples in all.
        total: usize,
    },
    /// A cell's record is written.
    Recorded(&'a StoredRecord),
}

/// The rows of one plan, read and checked before anything is trained.
pub struct Material {
    source: Source,
    /// Source first.
    tests: Vec<Test>,
    /// What the report has to say about the choice of rows.
    pub notes: Vec<String>,
}

/// What training may look at.
struct Source {
    card: Card,
    train: Rows,
    validation: Rows,
}

/// Rows that are only ever scored.
struct Test {
    card: Card,
    role: Role,
    rows: Rows,
}

impl Material {
    /// Reads the rows of a plan.
    ///
    /// # Errors
    /// A domain is unknown, absent or damaged.
    pub fn read(plan: &Plan, catalogue: &Catalogue) -> Result<Self, ExperimentError> {
        let suite: &Suite = &plan.suite;
        let resolved = catalogue.resolve(&plan.transfer, suite)?;
        let card = resolved.source.clone();
        let splits = suite.source(&card)?;
        let source = Source {
            train: suite.load(&card, &splits.train, plan.train_rows)?,
            validation: suite.load(&card, &splits.validation, plan.eval_rows)?,
            card,
        };
        let mut tests = vec![Test {
            card: source.card.clone(),
            role: Role::Source,
            rows: suite.load(&source.card, &splits.test, plan.eval_rows)?,
        }];
        for card in resolved.targets {
            let portion = suite.target(card)?;
            tests.push(Test {
                card: card.clone(),
                role: Role::Target,
                rows: suite.load(card, &portion, plan.eval_rows)?,
            });
        }
        let notes = [&source.train, &source.validation]
            .into_iter()
            .map(|rows| (&source.card, rows))
            .chain(tests.iter().map(|test| (&test.card, &test.rows)))
            .filter_map(|(card, rows)| Some(format!("{}: {}", card.name, rows.note.as_ref()?)))
            .collect();
        Ok(Material {
            source,
            tests,
            notes,
        })
    }

    /// How many tokens training and evaluation will see.
    pub fn tokens(&self, backbone: &Backbone, limits: &Limits) -> TokenCounts {
        let count = |rows: &Rows| {
            let encodings = encode(&rows.examples, &backbone.tokenizer, limits);
            let sums = encodings
                .iter()
                .fold((0, 0), |(inputs, targets), encoding| {
                    (
                        inputs + encoding.input.len(),
                        targets + encoding.target.len(),
                    )
                });
            (sums.0 as f64, sums.1 as f64)
        };
        let train = count(&self.source.train);
        let rows = self.source.train.examples.len() as f64;
        let validation = count(&self.source.validation);
        let evaluated = self.tests.iter().map(|test| count(&test.rows));
        let evaluated = evaluated.fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        TokenCounts {
            train_input: train.0 / rows,
            train_target: train.1 / rows,
            evaluated_inputs: evaluated.0,
            evaluated_outputs: evaluated.1,
            validation_inputs: validation.0,
            validation_outputs: validation.1,
        }
    }

    /// SHA-256 of every file read, by `domain/split`.
    pub fn hashes(&self) -> BTreeMap<String, String> {
        let name = &self.source.card.name;
        let source = [
            (
                format!("{name}/{}", Split::Train),
                self.source.train.sha256.clone(),
            ),
            (
                format!("{name}/{}", Split::Validation),
                self.source.validation.sha256.clone(),
            ),
        ];
        let tests = self.tests.iter().map(|test| {
            (
                format!("{}/{}", test.card.name, Split::Test),
                test.rows.sha256.clone(),
            )
        });
        source.into_iter().chain(tests).collect()
    }
}

/// Whether every prompt of the plan can be made, before any time is spent.
///
/// # Errors
/// One can't.
pub fn check(plan: &Plan, material: &Material, backbone: &Backbone) -> Result<(), PromptError> {
    for prompt in plan
        .recipes
        .values()
        .filter_map(|recipe| recipe.prompt.as_ref())
    {
        let words = words(&prompt.init, &material.source.card, backbone);
        tuning::check(prompt, &words, backbone.config.vocab_size)?;
    }
    Ok(())
}

/// How many tokens a plan's training and evaluation see.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenCounts {
    /// Mean training input.
    pub train_input: f64,
    /// Mean training target.
    pub train_target: f64,
    /// Inputs of all test rows.
    pub evaluated_inputs: f64,
    /// Targets of all test rows.
    pub evaluated_outputs: f64,
    /// Inputs of the source's validation rows.
    pub validation_inputs: f64,
    /// Targets of the source's validation rows.
    pub validation_outputs: f64,
}

/// Runs every cell of the plan that has no record yet; returns all of them, in the plan's order.
///
/// # Errors
/// The first cell that fails or is broken off by `watch`; cells that are done stay done.
pub fn run(
    plan: &Plan,
    material: &Material,
    backbone: &Backbone,
    store: &Store,
    origin: &Origin,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Vec<StoredRecord>, ExperimentError> {
    let mut records = Vec::new();
    for cell in plan.cells() {
        if let Some(found) = store.existing(&cell)? {
            found.check_inputs(&provenance::collect(origin.clone()))?;
            finished(watch(Event::Found(&found)))?;
            records.push(found);
            continue;
        }
        finished(watch(Event::Started(&cell)))?;
        let provenance = provenance::collect(origin.clone());
        let draft = store.begin(&cell)?;
        let (tuned, training) = tune(
            &cell,
            &material.source,
            backbone,
            &provenance,
            &draft,
            watch,
        )?;
        let evaluations = material
            .tests
            .iter()
            .map(|test| {
                evaluate(
                    &tuned,
                    test,
                    &cell,
                    &material.source,
                    backbone,
                    &draft,
                    watch,
                )
            })
            .collect::<Result<_, _>>()?;
        let stored = draft.finish(&Record {
            version: RECORD_VERSION,
            cell,
            provenance,
            notes: material.notes.clone(),
            training,
            evaluations,
        })?;
        finished(watch(Event::Recorded(&stored)))?;
        records.push(stored);
    }
    Ok(records)
}

/// What was not broken off.
fn finished<T>(flow: ControlFlow<(), T>) -> Result<T, ExperimentError> {
    match flow {
        ControlFlow::Continue(value) => Ok(value),
        ControlFlow::Break(()) => Err(ExperimentError::Interrupted),
    }
}

/// Applies the cell's method to the backbone and trains it on the source alone.
fn tune(
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    provenance: &Provenance,
    draft: &Draft,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(Tuned, Option<Training>), ExperimentError> {
    let model = backbone.model.clone();
    let Some(recipe) = &cell.recipe else {
        return Ok((Tuned::untuned(model), None));
    };
    let tuned = match &recipe.prompt {
        Some(prompt) => {
            let words = words(&prompt.init, &source.card, backbone);
            prompt_tuning(model, prompt, &words, cell.seed)?
        }
        None => model_tuning(model),
    };
    let trainable_parameters = tuned.trainable_parameters();
    let total_parameters = tuned.num_params();
    let train = TrainingSet::of_source(&source.train.examples, &backbone.tokenizer, &cell.limits);
    let (fitted, peak_bytes) =
        peak_of(|| fit_on_source(tuned, &train, source, backbone, cell, recipe, watch));
    let fitted = fitted.map_err(|error| match error {
        FitError::Interrupted => ExperimentError::Interrupted,
        source => ExperimentError::Fit {
            method: cell.method.title(),
            seed: cell.seed,
            source,
        },
    })?;
    let saved = fitted.best.save(cell, provenance, draft.path())?;
    let training = Training {
        trainable_parameters,
        total_parameters,
        examples: train.encodings().len(),
        cut_inputs: train.cut_inputs(),
        steps: fitted.steps,
        best_step: fitted.best_step,
        stop: fitted.stop,
        curve: fitted.curve,
        tokens: fitted.tokens,
        train_seconds: fitted.training.as_secs_f64(),
        validation_seconds: fitted.validation.as_secs_f64(),
        peak_bytes,
        saved,
    };
    Ok((fitted.best, Some(training)))
}

/// Trains on the source's training rows, choosing the step by its validation rows.
fn fit_on_source(
    tuned: Tuned,
    train: &TrainingSet,
    source: &Source,
    backbone: &Backbone,
    cell: &Cell,
    recipe: &Recipe,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let metric = Metric::main(source.card.task);
    let validation = &source.validation.examples;
    let encodings = encode(validation, &backbone.tokenizer, &cell.limits);
    let mut validate = |tuned: &Tuned| {
        let go_on = &mut |_| ControlFlow::Continue(());
        let answers = predict(tuned, &encodings, &backbone.tokenizer, &cell.limits, go_on)?;
        let scores: Vec<Score> = validation
            .iter()
            .zip(&answers)
            .map(|(example, answer)| score(&answer.text, &example.gold, &source.card.labels))
            .collect();
        ControlFlow::Continue(metric.value(&scores))
    };
    fit(
        tuned,
        train,
        recipe,
        cell.seed,
        &mut validate,
        &mut |progress| watch(Event::Training(progress)),
    )
}

/// Token ids of the labels or the text that a prompt may start from.
fn words(init: &PromptInit, card: &Card, backbone: &Backbone) -> Labels {
    let encode = |text: &String| backbone.tokenizer.encode(text);
    Labels {
        domain: card.name.clone(),
        labels: card.labels.iter().map(encode).collect(),
        text: match init {
            PromptInit::Text(text) => encode(text),
            _ => Vec::new(),
        },
    }
}

/// Answers one domain's test rows, scores them and writes the predictions.
fn evaluate(
    tuned: &Tuned,
    test: &Test,
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    draft: &Draft,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Evaluation, ExperimentError> {
    let examples = &test.rows.examples;
    let domain = &test.card.name;
    let started = Instant::now();
    let (answers, peak_bytes) = peak_of(|| {
        predict(
            tuned,
            &encode(examples, &backbone.tokenizer, &cell.limits),
            &backbone.tokenizer,
            &cell.limits,
            &mut |done| {
                watch(Event::Predicting {
                    domain,
                    done,
                    total: examples.len(),
                })
            },
        )
    });
    let answers = finished(answers)?;
    let seconds = started.elapsed().as_secs_f64();
    let predictions: Vec<Prediction> = examples
        .iter()
        .zip(answers)
        .map(|(example, answer)| prediction(example, &answer, &source.card, &test.card))
        .collect();
    let scores: Vec<Score> = predictions.iter().map(|p| p.score).collect();
    let file = draft.write_predictions(domain, &predictions)?;
    Ok(Evaluation {
        domain: domain.clone(),
        role: test.role,
        task: test.card.task,
        split: Split::Test,
        examples: predictions.len(),
        cut_inputs: predictions.iter().filter(|p| p.cut).count(),
        metrics: score::metrics(test.card.task, &scores),
        floor: score::floor(&source.train.examples, examples),
        seconds,
        generated_tokens: predictions.iter().map(|p| p.output_tokens as u64).sum(),
        peak_bytes,
        predictions: file.file,
        predictions_sha256: file.sha256,
    })
}

/// One answer and what it is worth.
pub fn prediction(example: &Example, answer: &Answer, source: &Card, target: &Card) -> Prediction {
    Prediction {
        id: example.id.clone(),
        passage: example.passage.clone(),
        score: score_answer(&answer.text, &example.gold, source, target),
        answers: match &example.gold {
            Gold::Answers(golds) => golds.clone(),
            Gold::Label(label) => vec![target.labels[*label].clone()],
        },
        prediction: answer.text.clone(),
        log_prob: answer.log_prob,
        input_tokens: answer.input_tokens,
        output_tokens: answer.token_ids.len(),
        cut: answer.cut,
    }
}

/// A model tuned on one paraphrase domain says its labels; they are read as the target's.
pub fn score_answer(text: &str, gold: &Gold, source: &Card, target: &Card) -> Score {
    match target.task {
        Task::ExtractiveQa => score(text, gold, &target.labels),
        Task::Paraphrase => {
            let text = label::rewrite(text, &source.labels, &target.labels);
            score(&text, gold, &target.labels)
        }
    }
}
