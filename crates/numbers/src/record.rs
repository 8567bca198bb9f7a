//! The record of one cell (a method with a seed on one transfer): everything that the report
//! prints, with where it came from. Written once, atomically, and never overwritten: see [`folder`].

pub mod ablation;
pub mod checkpoint;
pub mod difference;
pub mod elsewhere;
pub mod ensemble;
pub mod folder;
pub mod k_shot;
pub mod leakage;
pub mod memory;
mod packed;
pub mod redaction;
pub mod seal;
pub mod search;
mod setting;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::recipe::{Method, Recipe};
use promptshift_text::domain::{Split, Task};

pub use elsewhere::TunedElsewhere;
pub use setting::Setting;

/// The version of the record's schema.
pub const RECORD_VERSION: u32 = 1;

/// One method, trained with one seed on the source, scored on source and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// What was asked for.
    pub cell: Cell,
    /// Where every number comes from.
    pub provenance: Provenance,
    /// What has to be said about the choice of rows: files that serve as more than one split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What has to be said of the model: what its files hold that is not known here, where its inputs end.
    /// Empty in records from before it was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_notes: Vec<String>,
    /// What the rows are like: source training, source validation, then the evaluated splits. Empty
    /// in records from before they were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(rename = "hygiene")]
    pub leakage: Vec<leakage::Leakage>,
    /// How training went; absent for the untuned backbone and for what was tuned elsewhere.
    pub training: Option<Training>,
    /// The search that chose the recipe; absent where it was taken as it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<search::Search>,
    /// Source first, then targets in the order asked for.
    pub evaluations: Vec<Evaluation>,
    /// Target by target and K by K, what came of tuning on with K examples. Empty where the cell asks
    /// for none, and for what trains nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub k_shots: Vec<k_shot::KShot>,
    /// Source validation, as the kept step answers it: what temperatures are fitted on. Absent for
    /// the untuned backbone, and in records from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationAnswers>,
    /// Where answers come from that were computed apart from the training: another command, another machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<Provenance>,
    /// Whether the texts of rows and answers are in it.
    #[serde(default, skip_serializing_if = "Texts::are_kept")]
    pub texts: Texts,
}

/// What a record holds of the texts of its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Texts {
    /// Answers, predictions and some excerpts.
    #[default]
    Kept,
    /// Hashes of answers and predictions ([`redaction`]).
    Hashed,
}

impl Texts {
    fn are_kept(&self) -> bool {
        *self == Texts::Kept
    }
}

/// The predictions on source validation of the step that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationAnswers {
    /// Examples answered.
    pub examples: usize,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
}

/// The identity of a record: two runs with equal cells give equal records, apart from clocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// What all cells of a study share.
    #[serde(flatten)]
    pub setting: Setting,
    /// What is tuned.
    pub method: Method,
    /// The seed of initialisation, order of examples and dropout.
    pub seed: u64,
    /// Trials of the search that chose the recipe; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<usize>,
    /// The recipe as resolved; absent for the untuned backbone and for what was tuned elsewhere.
    pub recipe: Option<Recipe>,
    /// What was tuned elsewhere and is only evaluated here; absent of everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<TunedElsewhere>,
}

impl Cell {
    /// What reports and messages call it: the method, and of what was tuned elsewhere its name as well.
    pub fn title(&self) -> String {
        match &self.elsewhere {
            Some(given) => given.title(),
            None => self.method.title().to_owned(),
        }
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// promptshift's version.
    pub version: String,
    /// The git revision that it was built from, with `-dirty` where the tree had changes.
    pub revision: String,
    /// The command that asked for it.
    pub command: String,
    /// SHA-256 of each data file read, by `domain/split`, and of users' cards, by `domain/card`.
    pub data_sha256: BTreeMap<String, String>,
    /// SHA-256 of the backbone's weights file.
    pub model_sha256: String,
    /// SHA-256 of the backbone's tokenizer file.
    pub tokenizer_sha256: String,
    /// `cpu`, `cuda:0`, ...
    pub device: String,
    /// The processor's name.
    pub processor: String,
    /// The GPU's name; absent where none was used or nothing tells, and in records from before it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// The machine's name; absent in records from before it was kept, and in [redacted](redaction) ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Threads used.
    pub threads: usize,
    /// How many runs went on side by side on the machine, this one among them, each with threads of its
    /// own: what times and rates were measured beside.
    #[serde(default = "alone")]
    pub side_by_side: usize,
    /// Versions of what the numbers depend on: burn, rustc, tokenizers.
    pub software: BTreeMap<String, String>,
    /// Start of the cell, seconds since 1970.
    pub started_unix_seconds: u64,
}

impl Provenance {
    /// What times and memory depend on, in words: two runs whose words differ do not compare in them.
    pub fn hardware(&self) -> String {
        let Provenance {
            device,
            processor,
            gpu,
            ..
        } = self;
        match gpu {
            // Which of several equal ones is all the same.
            Some(gpu) => format!("{gpu} with {processor}"),
            None => format!("{processor} ({device})"),
        }
    }
}

/// Before cells were run side by side, none was.
fn alone() -> usize {
    1
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// All steps were taken.
    Budget,
    /// Source validation stopped getting better.
    Patience,
}

/// How training went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Numbers that the optimiser may move.
    pub trainable_parameters: usize,
    /// All numbers of backbone and prompt.
    pub total_parameters: usize,
    /// Rows in the training set.
    pub examples: usize,
    /// Training inputs that were longer than the limit.
    pub cut_inputs: usize,
    /// Steps taken.
    pub steps: usize,
    /// The step whose parameters were kept, by source validation.
    pub best_step: usize,
    /// Why it ended.
    pub stop: Stop,
    /// The learning curve.
    pub curve: Vec<CurvePoint>,
    /// Input and target tokens seen, padding and prompt not counted.
    pub tokens: u64,
    /// Seconds spent in training steps (validation not counted).
    pub train_seconds: f64,
    /// Seconds spent scoring source validation.
    pub validation_seconds: f64,
    /// The highest number of bytes allocated on the host during training.
    pub peak_bytes: u64,
    /// What they were. Absent where tensors lie on a device with memory of its own, and in records
    /// from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_parts: Option<memory::PeakParts>,
    /// How far what was trained moved; absent where that is no finite number, and in records from before
    /// it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub movement: Option<Movement>,
    /// Scores at earlier steps, ascending; in records from before every method's were kept, of model tuning alone or
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<checkpoint::Checkpoint>,
    /// What tuning left behind: the prompt or the whole model.
    pub saved: SavedDelta,
    /// Its name in the store. Absent in records from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<String>,
}

/// How far training moved what it trains: Euclidean norms over the numbers of all trainable tensors
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// Of the numbers before the first step.
    pub start_norm: f64,
    /// Of the numbers after the last step, whichever step was kept.
    pub end_norm: f64,
    /// Of the difference between the two.
    pub change_norm: f64,
}

impl Movement {
    /// The change as a share of the start; `None` of a start of zeros.
    pub fn relative(&self) -> Option<f64> {
        (self.start_norm > 0.0).then(|| self.change_norm / self.start_norm)
    }
}

/// The file that holds what was tuned. It may be deleted to save space: reports do not need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDelta {
    /// Its name, relative to the record.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// One point of the learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps taken so far.
    pub step: usize,
    /// Mean training loss a target token since the previous point; absent at step 0.
    pub train_loss: Option<f64>,
    /// The main metric on source validation, in [0, 1].
    pub validation_score: f64,
}

/// Source or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The domain that was trained on.
    Source,
    /// A domain that was not.
    Target,
}

/// Scores on one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The domain's name.
    pub domain: String,
    /// Source or target.
    pub role: Role,
    /// What is asked.
    pub task: Task,
    /// The split that was scored.
    pub split: Split,
    /// Examples scored.
    pub examples: usize,
    /// Inputs that were longer than the limit.
    pub cut_inputs: usize,
    /// Metric → value in [0, 1]: the two of its task (`f1` and `exact_match`, `accuracy` and `f1`,
    /// `accuracy` and `macro_f1`).
    pub metrics: BTreeMap<String, f64>,
    /// The expected main metric of a random fact of the passage, or of the constant answer that is
    /// most common in source training; absent where neither is defined.
    pub floor: Option<f64>,
    /// Seconds from tokens to text, for all examples.
    pub seconds: f64,
    /// Tokens generated, end of sequence included.
    pub generated_tokens: u64,
    /// The highest number of bytes allocated on the host during the evaluation.
    pub peak_bytes: u64,
    /// The predictions' file (JSON lines of [`Prediction`]), relative to the record.
    pub predictions: String,
    /// Its SHA-256.
    pub predictions_sha256: String,
    /// What the model was given for a handful of the examples, drawn without looking at any answer,
    /// so that a report can show some. Empty in records from before they were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excerpts: Vec<Excerpt>,
}

/// The text of one example, shortened where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The example.
    pub id: String,
    /// Its input; ` … ` stands for what was left out.
    pub input: String,
}

/// One example's prediction and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The example.
    pub id: String,
    /// Its passage: the cluster in the statistics.
    pub passage: String,
    /// The generated text; the class's label where classes were ranked, or where a verbalizer's
    /// word for it was written.
    pub prediction: String,
    /// The right answers, or the one right label's string, or a pronoun's candidate.
    pub answers: Vec<String>,
    /// What it is worth.
    pub score: Score,
    /// Sum of the generated tokens' log-probabilities (natural), end of sequence included; where
    /// classes were ranked, the logarithm of the class's share among all classes.
    pub log_prob: f64,
    /// Where classes were ranked, the logarithm of each one's share, in the order of the domain's
    /// labels; shares of the source's classes that are read as one of these are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_log_probs: Option<Vec<f64>>,
    /// Input tokens, end of sequence included, after the cut; a soft prompt's vectors not counted.
    pub input_tokens: usize,
    /// Generated tokens, end of sequence included; where classes were ranked, those of the
    /// predicted class's word.
    pub output_tokens: usize,
    /// Whether the input was longer than the limit.
    pub cut: bool,
    /// What the example is like; absent in predictions from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Traits>,
}

/// What an example is like: groups that a report breaks scores down by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traits {
    /// Its domain, in a source of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its group, if its domain's card names a column of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The first question word of its question, or `other`; absent where nothing is asked in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_word: Option<String>,
    /// Where in the whole input, before any cut, the first right answer ends, as a share of its
    /// bytes in (0, 1]; absent where no answer is stated in the passage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_position: Option<f64>,
}

/// What one prediction is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// Extractive question answering, each in [0, 1].
    Span {
        /// Equal to a gold answer after normalisation.
        exact_match: f64,
        /// Word overlap with the best gold answer.
        f1: f64,
    },
    /// Classification by generated label.
    Label {
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, counted wrong.
        predicted: Option<usize>,
    },
    /// One of several answers to a question, judged by generated label (MultiRC).
    Option {
        /// The question.
        question: u64,
        /// The right class.
        gold: usize,
        /// The class whose string was generated; `None` for any other string, counted wrong.
        predicted: Option<usize>,
    },
}

impl Score {
    /// Whether it is right: equal to a right answer after normalisation, or the right label.
    pub fn is_right(&self) -> bool {
        match *self {
            Score::Span { exact_match, .. } => exact_match == 1.0,
            Score::Label { gold, predicted }
            | Score::Option {
                gold, predicted, ..
            } => predicted == Some(gold),
        }
    }
}
