//! The straight line: open the source → tune → predict on source and targets → score → record.

mod checkpoints;
pub mod ensemble;
mod k_shot;
mod search;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use burn::module::Module;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::backbone::Backbone;
use crate::batch::{Encoding, encode};
use crate::domain::card::Card;
use crate::domain::wording::Wording;
use crate::domain::{Example, Gold, Split};
use crate::domain::{label, traits};
use crate::eval::ask::Asker;
use crate::eval::predict::Answer;
use crate::eval::score::{self, Metric, score};
use crate::excerpt;
use crate::material::{Material, Part, Pool, Source, Test};
use crate::memory::peak_of;
use crate::plan::Plan;
use crate::provenance::{self, Origin};
use crate::recipe::{DeltaRecipe, PreambleRecipe, PromptInit, Recipe};
use crate::record::hygiene::Hygiene;
use crate::record::search::Search;
use crate::record::store::{Draft, Store, StoreError, StoredRecord, folder_name};
use crate::record::{
    Cell, Evaluation, Prediction, Provenance, RECORD_VERSION, Record, Score, Texts, Training,
    Traits, ValidationAnswers,
};
use crate::train::{FitError, Fitted, HaltError, Halts, Progress, TrainingSet, fit};
use crate::tuning::{self, Labels, Tuned, TuningError};
use checkpoints::Checkpoints;

/// An experiment that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A method can't be put on the backbone.
    #[error(transparent)]
    Tuning(#[from] TuningError),
    /// The task needs a head that there is none of.
    #[error(transparent)]
    Head(#[from] tuning::NoHead),
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
    /// What a training goes on from can't be written or read.
    #[error(transparent)]
    Halt(#[from] HaltError),
    /// The watcher broke it off.
    #[error("interrupted")]
    Interrupted,
    /// A record can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run that was to be done elsewhere.
    #[error("{name}: wanted its record or why it failed, found neither")]
    Lost {
        /// The folder of the run's record.
        name: String,
    },
}

/// What a watcher of the experiment is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A complete record of this cell was found; it is not run again.
    Found(&'a StoredRecord),
    /// A trial of the search for a method's recipe starts.
    Trying {
        /// The cell, with the trial's recipe.
        cell: &'a Cell,
        /// Which trial, from 1.
        number: usize,
    },
    /// A cell starts.
    Started(&'a Cell),
    /// Training goes on.
    Training(Progress<'a>),
    /// Tuning goes on with a few examples of a target.
    GoingOn {
        /// The target.
        domain: &'a str,
        /// `K`.
        examples: usize,
        /// Steps that will be taken.
        steps: usize,
    },
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
    /// A cell's training failed; the plan goes on without it.
    Failed(&'a ExperimentError),
}

/// What a plan came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The records of the cells that ended, in the plan's order.
    pub records: Vec<StoredRecord>,
    /// Why the others have none, in words.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Whether every cell has its record.
    ///
    /// # Errors
    /// Some failed.
    pub fn complete(&self) -> Result<(), SomeFailed> {
        match self.failed.len() {
            0 => Ok(()),
            count => Err(SomeFailed {
                count,
                runs: count + self.records.len(),
                reasons: self.failed.join("; "),
            }),
        }
    }
}

/// What is left to say when a plan has been gone through and some of its runs failed.
#[derive(Debug, thiserror::Error)]
#[error("{count} of {runs} runs failed, and reports show them as failed: {reasons}")]
pub struct SomeFailed {
    count: usize,
    runs: usize,
    reasons: String,
}

/// Fills in what recipes leave open until the source and the tokenizer are known: the tokens of the
/// words for the source's classes.
pub fn resolve(plan: &mut Plan, material: &Material, backbone: &Backbone) {
    let words = plan.wording.words(&material.source.card).into_iter();
    let mut ids: Vec<u32> = (words.flatten())
        .flat_map(|word| backbone.tokenizer.encode(word))
        .collect();
    if !ids.is_empty() {
        ids.push(backbone.tokenizer.end());
    }
    ids.sort_unstable();
    ids.dedup();
    for recipe in plan.recipes.values_mut() {
        if tuning::wants_labels(recipe) {
            recipe.label_ids.clone_from(&ids);
        }
    }
}

/// Whether every method of the plan can be put on the backbone, before any time is spent.
///
/// # Errors
/// One can't.
pub fn check(plan: &Plan, material: &Material, backbone: &Backbone) -> Result<(), TuningError> {
    for recipe in plan.recipes.values() {
        tuning::fits(recipe, &backbone.config)?;
        let words = words(recipe, &plan.wording, &material.source, backbone, 0)?;
        tuning::check_labels(recipe, &words, backbone.config.vocabulary())?;
        let vectors = match recipe.delta {
            Some(DeltaRecipe::Preamble(_)) => words.preamble.len(),
            _ => recipe.prompt_length(),
        };
        tuning::reaches(vectors, &plan.limits, &backbone.config)?;
        if let Some(prompt) = &recipe.prompt {
            tuning::check(prompt, &words, backbone.config.vocabulary())?;
        }
    }
    Ok(())
}

/// Where cells are run: on which rows and backbone, and into which folder.
pub struct Lab<'a> {
    material: &'a Material,
    backbone: &'a Backbone,
    store: &'a Store,
    origin: Origin,
    hygiene: OnceCell<Vec<Hygiene>>,
}

/// A cell with the search that its recipe was found by.
pub type Searched = (Cell, Option<Search>);

impl<'a> Lab<'a> {
    /// A lab for cells with the same limits; records say that they come from `origin`.
    pub fn new(
        material: &'a Material,
        backbone: &'a Backbone,
        store: &'a Store,
        origin: Origin,
    ) -> Self {
        Lab {
            material,
            backbone,
            store,
            origin,
            hygiene: OnceCell::new(),
        }
    }

    /// Runs every cell of the plan that has no record yet. A cell whose training fails is kept as
    /// failed, and the plan goes on with the others.
    ///
    /// # Errors
    /// `watch` breaks it off, or a record can't be written or read; cells that are done stay done.
    pub fn run(
        &self,
        plan: &Plan,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Outcome, ExperimentError> {
        self.run_cells(self.searched(plan, watch)?, watch)
    }

    /// As [`run`](Self::run), of some cells.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_cells(
        &self,
        cells: Vec<Searched>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Outcome, ExperimentError> {
        let mut outcome = Outcome::default();
        for (cell, search) in cells {
            if let Some(found) = self.found(&cell)? {
                finished(watch(Event::Found(&found)))?;
                outcome.records.push(found);
                continue;
            }
            finished(watch(Event::Started(&cell)))?;
            match self.run_cell(cell, search, watch) {
                Ok(stored) => {
                    finished(watch(Event::Recorded(&stored)))?;
                    outcome.records.push(stored);
                }
                Err(error @ ExperimentError::Fit { .. }) => {
                    finished(watch(Event::Failed(&error)))?;
                    outcome.failed.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    /// What cells came to that were run elsewhere: their records, and the reasons of those that failed,
    /// by [`folder_name`].
    ///
    /// # Errors
    /// A record can't be read, or a cell has neither record nor reason.
    pub fn gather(
        &self,
        cells: &[Searched],
        failed: &BTreeMap<String, String>,
    ) -> Result<Outcome, ExperimentError> {
        let mut outcome = Outcome::default();
        for (cell, _) in cells {
            let name = folder_name(cell);
            match (self.found(cell)?, failed.get(&name)) {
                (Some(found), _) => outcome.records.push(found),
                (None, Some(reason)) => outcome.failed.push(reason.clone()),
                (None, None) => return Err(ExperimentError::Lost { name }),
            }
        }
        Ok(outcome)
    }

    /// The cell's record, if it has one, of the same inputs.
    ///
    /// # Errors
    /// It can't be read, or is of other inputs.
    pub fn found(&self, cell: &Cell) -> Result<Option<StoredRecord>, ExperimentError> {
        let found = self.store.existing(cell)?;
        if let Some(found) = &found {
            found.check_inputs(&provenance::collect(self.origin.clone()))?;
        }
        Ok(found)
    }

    /// The plan's cells, each with the recipe that the search for its method's found.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn searched(
        &self,
        plan: &Plan,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Vec<Searched>, ExperimentError> {
        let mut searches = BTreeMap::new();
        for method in plan.searched_methods() {
            searches.insert(method, self.search(plan, method, watch)?);
        }
        let searched = |mut cell: Cell| {
            let search = searches.get(&cell.method).cloned();
            if let (Some(recipe), Some(search)) = (&mut cell.recipe, &search) {
                let chosen = search.trials[search.chosen].learning_rate;
                recipe.optimizer = recipe.optimizer.clone().at(chosen);
            }
            (cell, search)
        };
        Ok(plan.cells().into_iter().map(searched).collect())
    }

    /// Tunes one cell, evaluates it and records it.
    fn run_cell(
        &self,
        cell: Cell,
        search: Option<Search>,
        watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<StoredRecord, ExperimentError> {
        let (material, backbone) = (self.material, self.backbone);
        let source = &material.source;
        let provenance = provenance::collect(self.origin.clone());
        let draft = self.store.begin(&cell)?;
        let of = identity(&cell, &provenance);
        let mut checkpoints =
            Checkpoints::of(&cell, material, backbone, &draft.begun(), of.clone())?;
        let mut halts = Halts::new(draft.begun(), of);
        let halts = &mut halts;
        let tuned = tune(
            &cell,
            source,
            backbone,
            &provenance,
            &draft,
            halts,
            &mut |event| {
                checkpoints.see(&event);
                watch(event)
            },
        );
        let passed = checkpoints.passed()?;
        let (trained, training, validation) = match tuned {
            Err(error @ ExperimentError::Fit { .. }) => {
                draft.fail(&error.to_string(), &provenance)?;
                return Err(error);
            }
            tuned => tuned?,
        };
        let tuned = trained.clone().finished();
        let evaluations = material
            .tests
            .iter()
            .map(|test| {
                let name = &test.card.name;
                evaluate(&tuned, test, name, &cell, source, backbone, &draft, watch)
            })
            .collect::<Result<_, _>>()?;
        let k_shots = match k_shot::k_shots(&trained, &cell, material, backbone, &draft, watch) {
            Err(error @ ExperimentError::Fit { .. }) => {
                draft.fail(&error.to_string(), &provenance)?;
                return Err(error);
            }
            k_shots => k_shots?,
        };
        let limits = cell.limits;
        Ok(draft.finish(&Record {
            version: RECORD_VERSION,
            cell,
            provenance,
            notes: material.notes.clone(),
            hygiene: (self.hygiene)
                .get_or_init(|| material.hygiene(backbone, &limits))
                .clone(),
            training: training.map(|training| Training {
                checkpoints: passed,
                ..training
            }),
            search,
            evaluations,
            k_shots,
            validation,
            texts: Texts::Kept,
        })?)
    }
}

/// What was not broken off.
fn finished<T>(flow: ControlFlow<(), T>) -> Result<T, ExperimentError> {
    match flow {
        ControlFlow::Continue(value) => Ok(value),
        ControlFlow::Break(()) => Err(ExperimentError::Interrupted),
    }
}

/// Training of a cell that ended early.
fn failed(error: FitError, cell: &Cell) -> ExperimentError {
    match error {
        FitError::Interrupted => ExperimentError::Interrupted,
        FitError::Halt(error) => error.into(),
        source => ExperimentError::Fit {
            method: cell.method.title(),
            seed: cell.seed,
            source,
        },
    }
}

/// Applies the cell's method to the backbone and trains it on the source alone. What it returns is as
/// training left it: [`Tuned::finished`] is what answers.
fn tune(
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    provenance: &Provenance,
    draft: &Draft,
    halts: &mut Halts,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(Tuned, Option<Training>, Option<ValidationAnswers>), ExperimentError> {
    let Some(recipe) = &cell.recipe else {
        let (task, classes) = (source.card.task, source.card.labels.len());
        let score_by = cell.wording.score_by;
        let head = tuning::head_form(&backbone.config, task, classes, score_by)?;
        return Ok((Tuned::untuned_on(backbone, head, cell.seed), None, None));
    };
    let words = words(recipe, &cell.wording, source, backbone, cell.seed)?;
    let tuned = tuning::apply(backbone, recipe, &words, cell.seed)?;
    let trainable_parameters = tuned.trainable_parameters();
    let total_parameters = tuned.num_params();
    let train = training_set(source, cell, backbone);
    let (fitted, peak_bytes) =
        peak_of(|| fit_on_source(tuned, &train, source, backbone, cell, Some(halts), watch));
    let (fitted, kept) = fitted.map_err(|error| failed(error, cell))?;
    let best = fitted.best;
    let answering = best.clone().finished();
    let saved = answering.save(cell, &backbone.config, provenance, draft.path())?;
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
        peak_parts: fitted.peak,
        movement: fitted.movement,
        checkpoints: Vec::new(),
        saved,
    };
    let validation = kept.write(source, draft)?;
    Ok((best, Some(training), Some(validation)))
}

/// What a training is, and its result depends on.
fn identity(cell: &Cell, provenance: &Provenance) -> String {
    let of = serde_json::json!({
        "cell": cell,
        "version": provenance.version,
        "revision": provenance.revision,
        "device": provenance.device,
        "model_sha256": provenance.model_sha256,
        "tokenizer_sha256": provenance.tokenizer_sha256,
        "data_sha256": provenance.data_sha256,
    });
    provenance::sha256(of.to_string().as_bytes())
}

/// The source's training rows, mixed as the cell says where there are several sources.
fn training_set(source: &Source, cell: &Cell, backbone: &Backbone) -> TrainingSet {
    let mixing = cell.mixing.unwrap_or_default();
    TrainingSet::of_sources(
        &source.train.members(),
        mixing,
        &backbone.tokenizer,
        &cell.limits,
    )
}

/// Answers to all of a pool, domain by domain.
fn answers(
    asker: &Asker,
    tuned: &Tuned,
    pool: &Pool,
    encodings: &[Encoding],
    watch: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<(), Vec<Answer>> {
    let mut answers = Vec::with_capacity(encodings.len());
    for part in &pool.parts {
        let before = answers.len();
        answers.extend(asker.answers(
            tuned,
            &part.card,
            &encodings[part.rows.clone()],
            &mut |done| watch(before + done),
        )?);
    }
    ControlFlow::Continue(answers)
}

/// What answers to all of a pool are worth.
fn predictions(pool: &Pool, answers: &[Answer], source: &Card, asked: &Card) -> Vec<Prediction> {
    let of_part = |part: &Part| {
        let member = (pool.parts.len() > 1).then(|| part.card.name.clone());
        let pairs = pool.examples[part.rows.clone()]
            .iter()
            .zip(&answers[part.rows.clone()]);
        pairs
            .map(|(example, answer)| {
                let mut prediction = prediction(example, answer, source, asked);
                if let Some(traits) = &mut prediction.traits {
                    traits.domain.clone_from(&member);
                }
                prediction
            })
            .collect::<Vec<_>>()
    };
    pool.parts.iter().flat_map(of_part).collect()
}

/// The answers to source validation of the best step so far.
#[derive(Default)]
struct Kept {
    score: Option<f64>,
    answers: Vec<Answer>,
}

impl Kept {
    /// Keeps the answers if [`fit`] keeps their step: the highest score, the earlier of equals.
    fn offer(&mut self, score: f64, answers: Vec<Answer>) {
        if self.score.is_none_or(|best| score > best) {
            *self = Kept {
                score: Some(score),
                answers,
            };
        }
    }

    fn write(&self, source: &Source, draft: &Draft) -> Result<ValidationAnswers, StoreError> {
        let card = &source.card;
        let predictions = predictions(&source.validation, &self.answers, card, card);
        // No domain's name has an @.
        let name = format!("{}@validation", source.card.name);
        let file = draft.write_predictions(&name, &predictions)?;
        Ok(ValidationAnswers {
            examples: predictions.len(),
            predictions: file.file,
            predictions_sha256: file.sha256,
        })
    }
}

/// Trains on the source's training rows, choosing the step by its validation rows, whose answers at
/// that step are kept.
fn fit_on_source(
    tuned: Tuned,
    train: &TrainingSet,
    source: &Source,
    backbone: &Backbone,
    cell: &Cell,
    halts: Option<&mut Halts>,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<(Fitted, Kept), FitError> {
    let recipe = cell.recipe.as_ref().expect("what is trained has a recipe");
    let metric = Metric::main(source.card.task);
    let validation = &source.validation.examples;
    let asker = asker(cell, source, backbone);
    let encodings = encode(validation, &backbone.tokenizer, &cell.limits);
    let mut kept = Kept::default();
    let mut validate = |tuned: &Tuned| {
        let go_on = &mut |_| ControlFlow::Continue(());
        let answers = answers(&asker, tuned, &source.validation, &encodings, go_on)?;
        let scores: Vec<Score> = validation
            .iter()
            .zip(&answers)
            .map(|(example, answer)| score(&answer.text, &example.gold, &source.card.labels))
            .collect();
        let score = metric.value(&scores);
        kept.offer(score, answers);
        ControlFlow::Continue(score)
    };
    let fitted = fit(
        tuned,
        train,
        recipe,
        cell.seed,
        halts,
        &mut validate,
        &mut |progress| watch(Event::Training(progress)),
    )?;
    Ok((fitted, kept))
}

/// Token ids of the labels and texts that a recipe speaks of, and the prompt that it starts from.
fn words(
    recipe: &Recipe,
    wording: &Wording,
    source: &Source,
    backbone: &Backbone,
    seed: u64,
) -> Result<Labels, TuningError> {
    let encode = |text: &String| backbone.tokenizer.encode(text);
    let init = recipe.prompt.as_ref().map(|prompt| &prompt.init);
    Ok(Labels {
        vectors: match init {
            Some(PromptInit::File(start)) => Some(tuning::started(start, backbone)?),
            _ => None,
        },
        subspace: match &recipe.delta {
            Some(DeltaRecipe::Subspace(subspace)) => {
                Some(tuning::subspace::found(subspace, backbone)?)
            }
            _ => None,
        },
        domain: source.card.name.clone(),
        labels: (0..source.card.labels.len())
            .map(|class| {
                backbone
                    .tokenizer
                    .encode(wording.target(&source.card, class))
            })
            .collect(),
        text: match init {
            Some(PromptInit::Text(text)) => encode(text),
            _ => Vec::new(),
        },
        preamble: match &recipe.delta {
            Some(DeltaRecipe::Preamble(PreambleRecipe::Instruction(text))) => encode(text),
            Some(DeltaRecipe::Preamble(PreambleRecipe::Examples(count))) => {
                let examples = &source.train.examples;
                match backbone.tokenizer.continues() {
                    true => encode(&examples_gone_on_with(examples, *count, seed)),
                    false => encode(&examples_in_context(examples, *count, seed)),
                }
            }
            _ => Vec::new(),
        },
    })
}

/// Some training rows, drawn without replacement.
fn drawn(rows: &[Example], count: usize, seed: u64) -> impl Iterator<Item = &Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let drawn = index::sample(&mut rng, rows.len(), count.min(rows.len()));
    drawn.into_iter().map(|row| &rows[row])
}

/// Some training rows with their answers, behind one another.
fn examples_in_context(rows: &[Example], count: usize, seed: u64) -> String {
    let texts = drawn(rows, count, seed).map(|row| format!("{} answer: {}", row.input, row.target));
    texts.collect::<Vec<_>>().join(" ")
}

/// The same as a text that is gone on with: inputs end where their answers begin, and an empty line
/// stands between rows.
fn examples_gone_on_with(rows: &[Example], count: usize, seed: u64) -> String {
    drawn(rows, count, seed)
        .map(|row| format!("{} {}\n\n", row.input, row.target))
        .collect()
}

/// How a cell asks its model.
fn asker<'a>(cell: &'a Cell, source: &'a Source, backbone: &'a Backbone) -> Asker<'a> {
    Asker {
        source: &source.card,
        wording: &cell.wording,
        tokenizer: &backbone.tokenizer,
        limits: &cell.limits,
    }
}

/// Answers one domain's test rows, scores them and writes the predictions as `name`.
#[expect(clippy::too_many_arguments, reason = "what a cell is run with")]
fn evaluate(
    tuned: &Tuned,
    test: &Test,
    name: &str,
    cell: &Cell,
    source: &Source,
    backbone: &Backbone,
    draft: &Draft,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Evaluation, ExperimentError> {
    let examples = &test.rows.examples;
    let domain = &test.card.name;
    let started = Instant::now();
    let (found, peak_bytes) = peak_of(|| {
        let asker = asker(cell, source, backbone);
        let encodings = encode(examples, &backbone.tokenizer, &cell.limits);
        answers(&asker, tuned, &test.rows, &encodings, &mut |done| {
            watch(Event::Predicting {
                domain,
                done,
                total: examples.len(),
            })
        })
    });
    let found = finished(found)?;
    let seconds = started.elapsed().as_secs_f64();
    let predictions = predictions(&test.rows, &found, &source.card, &test.card);
    let scores: Vec<Score> = predictions.iter().map(|p| p.score).collect();
    let file = draft.write_predictions(name, &predictions)?;
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
        excerpts: excerpt::of(examples),
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
            Gold::Label(label) | Gold::Option { label, .. } => vec![target.labels[*label].clone()],
            Gold::Referent { text, .. } => vec![text.clone()],
        },
        prediction: answer.text.clone(),
        log_prob: answer.log_prob,
        class_log_probs: answer.class_log_probs.clone(),
        input_tokens: answer.input_tokens,
        output_tokens: answer.token_ids.len(),
        cut: answer.cut,
        traits: Some(Traits {
            domain: None,
            question_word: traits::question_word(&example.input).map(str::to_owned),
            answer_position: traits::answer_position(example),
        }),
    }
}

/// A model tuned on one labelled domain says its labels; they are read as the target's.
pub fn score_answer(text: &str, gold: &Gold, source: &Card, target: &Card) -> Score {
    let text = label::rewrite(text, &source.labels, &target.labels);
    score(&text, gold, &target.labels)
}
