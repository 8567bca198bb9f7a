//! The recipe: everything that decides how a method is trained, as plain data.
//!
//! A recipe holds no default of its own beyond the named constructors here; what a run used is
//! written into its [`Record`](crate::record::Record) as resolved.

use serde::{Deserialize, Serialize};

use promptshift_text::domain::Task;

mod defaults;
mod delta;
mod grid;
mod head_form;
mod map;
mod method;
mod tune_on;

pub use defaults::Defaults;
pub use delta::{
    AdapterRecipe, DeltaRecipe, LadderRecipe, LastBlocksRecipe, LoraRecipe, Placement,
    PreambleRecipe, PrefixForm, PrefixPlaces, PrefixRecipe, PromptNetworkForm, PromptNetworkRecipe,
    PromptPlaces, SubspaceRecipe, SubspaceStart,
};
pub use head_form::HeadForm;
pub use map::Map;
pub use method::Method;
pub use tune_on::TuneOn;

/// How the prompt's `P` vectors start (Lester et al. 2021, §3.2 and figure 3b).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptInit {
    /// U[-0.5, 0.5], as the paper says.
    Uniform,
    /// U[0, 0.5), as the reference code does (`flax.linen.initializers.uniform(0.5)`).
    UniformOneSided,
    /// Rows of the input embedding, drawn without replacement from the 5,000 most common ids.
    Vocab,
    /// The mean embedding of each class label's tokens, one position a label; the rest as [`PromptInit::Vocab`].
    Labels,
    /// The embeddings of a text's tokens, one position a token; the rest as [`PromptInit::Vocab`].
    Text(String),
    /// A prompt that was tuned before, of the same length (SPoT, Vu et al. 2022).
    File(PromptStart),
}

/// See [`PromptInit::File`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptStart {
    /// Where it is read from: a prompt in any of the formats.
    pub path: String,
    /// SHA-256 of its vectors, row by row as little-endian f32.
    pub sha256: String,
    /// The domains whose training rows it has seen, where its file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_on: Option<Vec<String>>,
}

/// What training has been through before a recipe's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before<'a> {
    /// Nothing but pre-training.
    Nothing,
    /// The training rows of these domains.
    Domains(&'a [String]),
    /// Nobody knows what.
    Unknown,
}

/// The soft prompt's shape and start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptRecipe {
    /// `P`, the number of prompt vectors.
    pub length: usize,
    /// How they start.
    pub init: PromptInit,
}

/// Adafactor (Shazeer & Stern 2018) with the options of T5X that the paper's recipes set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdafactorRecipe {
    /// The learning rate at the schedule's height.
    pub learning_rate: f64,
    /// Multiply each step by max(1e-3, RMS(parameter)): T5's pre-training and model tuning.
    pub parameter_scaling: ParameterScaling,
    /// Whether matrices keep row and column second moments or a full one (the prompt's case).
    pub second_moment: SecondMoment,
    /// Fraction of the parameter that a step removes, not multiplied by the learning rate (T5X).
    pub weight_decay: f64,
    /// The step that the second moment's decay `1 - t^-0.8` starts counting from; T5X restores
    /// the pre-trained model's step, a fresh optimiser starts at 0.
    pub start_step: usize,
}

/// AdamW (Loshchilov & Hutter 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdamWRecipe {
    /// The learning rate at the schedule's height.
    pub learning_rate: f64,
    /// The share of the first moment that a step keeps, in [0, 1).
    pub beta_1: f64,
    /// The share of the second moment that a step keeps, in [0, 1).
    pub beta_2: f64,
    /// Added to the second moment's root.
    pub epsilon: f64,
    /// Fraction of the parameter that a step removes, multiplied by the learning rate.
    pub weight_decay: f64,
}

/// The optimiser, told apart in records by what it is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptimizerRecipe {
    /// T5's.
    Adafactor(AdafactorRecipe),
    /// That of most other networks.
    AdamW(AdamWRecipe),
}

impl OptimizerRecipe {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerRecipe::Adafactor(_) => "Adafactor",
            OptimizerRecipe::AdamW(_) => "AdamW",
        }
    }

    /// The learning rate at the schedule's height.
    pub fn learning_rate(&self) -> f64 {
        match self {
            OptimizerRecipe::Adafactor(recipe) => recipe.learning_rate,
            OptimizerRecipe::AdamW(recipe) => recipe.learning_rate,
        }
    }

    /// The same without weight decay.
    pub(crate) fn without_decay(mut self) -> Self {
        match &mut self {
            OptimizerRecipe::Adafactor(recipe) => recipe.weight_decay = 0.0,
            OptimizerRecipe::AdamW(recipe) => recipe.weight_decay = 0.0,
        }
        self
    }

    /// The same with another learning rate.
    pub fn at(mut self, rate: f64) -> Self {
        match &mut self {
            OptimizerRecipe::Adafactor(recipe) => recipe.learning_rate = rate,
            OptimizerRecipe::AdamW(recipe) => recipe.learning_rate = rate,
        }
        self
    }
}

impl From<AdafactorRecipe> for OptimizerRecipe {
    fn from(recipe: AdafactorRecipe) -> Self {
        OptimizerRecipe::Adafactor(recipe)
    }
}

/// See [`AdafactorRecipe::parameter_scaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterScaling {
    /// The learning rate is relative to the parameter's root mean square.
    Relative,
    /// The learning rate is absolute.
    Absolute,
}

/// See [`AdafactorRecipe::second_moment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondMoment {
    /// Row and column means for matrices.
    Factored,
    /// One value a parameter.
    Full,
}

/// The learning rate over the steps, as a share of its height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// 1 throughout (the paper's).
    Constant,
    /// 0 → 1 over `steps`, then 1.
    Warmup {
        /// Steps until the full learning rate.
        steps: usize,
    },
    /// 0 → 1 over `warmup`, 1, then down to `floor` over the last `share` of the steps.
    WarmupDecay {
        /// Steps until the full learning rate.
        warmup: usize,
        /// Share of all steps spent on the way down, in [0, 1].
        share: f64,
        /// The share of the learning rate left at the end, in [0, 1].
        floor: f64,
    },
}

/// How token losses become the number that is differentiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Sum over the batch's target tokens (T5X).
    Sum,
    /// Mean over the batch's target tokens (Transformers).
    Mean,
}

/// The training objective: cross-entropy of the target's tokens, end of sequence included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Sum or mean over target tokens.
    pub reduction: Reduction,
    /// Weight of `(log Z)²` for each token (T5X: 1e-4).
    pub z_loss: f64,
    /// Dropout rate wherever T5 has dropout, in [0, 1).
    pub dropout: f64,
    /// Global norm to which gradients are clipped, if any.
    pub clip_norm: Option<f64>,
}

/// How long training lasts and how its best step is found, on source validation only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Optimiser steps at most.
    pub steps: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Source validation is scored every so many steps; the best step is kept.
    pub evaluate_every: usize,
    /// Evaluations without a better score after which training stops; `None` never stops early.
    pub patience: Option<usize>,
}

impl Budget {
    /// The same with other steps, and with four evaluations at least: fewer are no learning curve, and no search for
    /// the best step.
    pub fn lasting(self, steps: usize) -> Self {
        Budget {
            steps,
            evaluate_every: self.evaluate_every.min(steps.div_ceil(4)),
            ..self
        }
    }
}

/// Longest sequences in tokens, end of sequence included; the prompt is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest input; what is beyond is cut from the end.
    pub input: usize,
    /// Longest training target.
    pub target: usize,
    /// Longest generated answer.
    pub answer: usize,
}

/// One method's whole recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenRecipe")]
pub struct Recipe {
    /// The soft prompt, of methods that have one.
    pub prompt: Option<PromptRecipe>,
    /// What is tuned. Records of prompt and model tuning have no such key.
    #[serde(skip_serializing_if = "DeltaRecipe::is_implied")]
    pub delta: DeltaRecipe,
    /// The tokens that the source's labels are written with, and the end of sequence, for methods that
    /// tune output vectors of theirs; filled in when the source is known. Other records have no such key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label_ids: Vec<u32>,
    /// The head that is put on a network without one, and trained with whatever else is; absent where
    /// the network writes its answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadForm>,
    /// The optimiser.
    pub optimizer: OptimizerRecipe,
    /// The learning rate's course.
    pub schedule: Schedule,
    /// The loss.
    pub objective: Objective,
    /// Steps, batch, selection.
    pub budget: Budget,
}

/// A recipe as records have it.
#[derive(Deserialize)]
#[serde(rename = "Recipe")]
struct WrittenRecipe {
    prompt: Option<PromptRecipe>,
    delta: Option<DeltaRecipe>,
    #[serde(default)]
    label_ids: Vec<u32>,
    head: Option<HeadForm>,
    optimizer: OptimizerRecipe,
    schedule: Schedule,
    objective: Objective,
    budget: Budget,
}

impl From<WrittenRecipe> for Recipe {
    fn from(written: WrittenRecipe) -> Self {
        let WrittenRecipe {
            prompt,
            delta,
            label_ids,
            head,
            optimizer,
            schedule,
            objective,
            budget,
        } = written;
        let delta = match (delta, &prompt) {
            (Some(delta), _) => delta,
            (None, Some(_)) => DeltaRecipe::Prompt,
            (None, None) => DeltaRecipe::Model,
        };
        Recipe {
            prompt,
            delta,
            label_ids,
            head,
            optimizer,
            schedule,
            objective,
            budget,
        }
    }
}

impl Limits {
    /// The longest input of every task, where a network has positions for it.
    pub const INPUT: usize = 512;

    /// T5's lengths (t5/models/gin/sequence_lengths: SQuAD 512 and 97, GLUE 512 and 84, SuperGLUE
    /// 512 and 62); the miniature's passages and answers are shorter than these.
    pub fn default_for(task: Task) -> Self {
        Limits {
            input: Limits::INPUT,
            target: match task {
                Task::ExtractiveQa => 97,
                Task::Paraphrase | Task::Sentiment | Task::Toxicity => 84,
                Task::YesNoQa
                | Task::Entailment
                | Task::CauseOrEffect
                | Task::AnswerJudging
                | Task::ClozeQa
                | Task::WordSense
                | Task::Coreference => 62,
            },
            answer: 32,
        }
    }
}

impl Recipe {
    /// Whether everything that the network has is trained, and nothing besides.
    pub fn is_model_tuning(&self) -> bool {
        self.delta == DeltaRecipe::Model
    }

    /// `P` of its soft prompt, 0 without one.
    pub fn prompt_length(&self) -> usize {
        match &self.delta {
            DeltaRecipe::Subspace(subspace) => subspace.length,
            _ => self.prompt.as_ref().map_or(0, |prompt| prompt.length),
        }
    }

    /// What the prompt or the subspace that it starts from has seen.
    pub fn before(&self) -> Before<'_> {
        let tuned_on = match (&self.prompt, &self.delta) {
            (_, DeltaRecipe::Subspace(subspace)) => {
                (subspace.file.as_ref()).map(|start| &start.tuned_on)
            }
            (Some(prompt), _) => match &prompt.init {
                PromptInit::File(start) => Some(&start.tuned_on),
                _ => None,
            },
            (None, _) => None,
        };
        match tuned_on {
            None => Before::Nothing,
            Some(None) => Before::Unknown,
            Some(Some(domains)) => Before::Domains(domains),
        }
    }

    /// Whether there is anything to train.
    pub fn trains(&self) -> bool {
        !matches!(self.delta, DeltaRecipe::Preamble(_))
    }
}
