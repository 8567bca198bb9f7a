//! The recipe: everything that decides how a method is trained, as plain data.
//!
//! Default values are in the named constructors only. A run's [`Record`](crate::record::Record) contains the resolved
//! recipe.

use std::num::NonZeroUsize;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use promptshift_text::domain::Task;

mod defaults;
mod delta;
mod method;
mod optimizer;

pub use defaults::Defaults;
pub use delta::{
    AdapterRecipe, DeltaRecipe, LadderRecipe, LastBlocksRecipe, LoraForm, LoraRecipe, LoraScaling,
    Map, Placement, PreambleRecipe, PrefixForm, PrefixPlaces, PrefixRecipe, PromptNetworkForm,
    PromptNetworkRecipe, PromptPlaces, SubspaceRecipe, SubspaceStart, VeraRecipe,
};
pub use method::Method;
pub use optimizer::{
    AdafactorRecipe, AdamWRecipe, OptimizerRecipe, ParameterScaling, Schedule, SecondMoment,
};

/// How the prompt's `P` vectors are initialised (Lester et al. 2021, §3.2 and figure 3b).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptInit {
    /// U[-0.5, 0.5], as in the paper.
    Uniform,
    /// U[0, 0.5), as in the reference code (`flax.linen.initializers.uniform(0.5)`).
    UniformOneSided,
    /// Rows of the input embedding, drawn without replacement from the 5,000 most common ids.
    Vocab,
    /// The mean embedding of each class label's tokens, one position per label; the rest as in [`PromptInit::Vocab`].
    Labels,
    /// The embeddings of a text's tokens, one position per token; the rest as in [`PromptInit::Vocab`].
    Text(String),
    /// A prompt that was tuned before, of the same length (SPoT, Vu et al. 2022).
    File(PromptStart),
}

/// See [`PromptInit::File`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptStart {
    /// The file, in any of the supported formats.
    pub path: String,
    /// SHA-256 of its vectors as little-endian f32, row by row.
    pub sha256: String,
    /// The domains that it was trained on, if the file records them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_on: Option<Vec<String>>,
}

/// What the initial values of a training were trained on before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before<'a> {
    /// Nothing but pre-training.
    Nothing,
    /// The training rows of these domains.
    Domains(&'a [String]),
    /// Unknown data.
    Unknown,
}

/// The soft prompt's length and initialisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptRecipe {
    /// `P`, the number of prompt vectors.
    pub length: usize,
    /// Their initialisation.
    pub init: PromptInit,
}

impl PromptRecipe {
    /// A prompt of `length` vectors that starts as embeddings of sampled words.
    pub fn sampled(length: usize) -> Self {
        let init = PromptInit::Vocab;
        PromptRecipe { length, init }
    }
}

/// How token losses are reduced to the loss of a batch.
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

/// How long training lasts and how its best step is chosen, on source validation only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The greatest number of optimiser steps.
    pub steps: usize,
    /// Examples per step.
    pub batch_size: usize,
    /// Steps between evaluations on source validation; the best of these steps is kept.
    pub evaluate_every: usize,
    /// Evaluations without a better score after which training stops; `None` never stops early.
    pub patience: Option<usize>,
}

impl Budget {
    /// The same budget with another number of steps and at least four evaluations: with fewer there is no learning
    /// curve, and the best step cannot be searched for.
    pub fn lasting(self, steps: usize) -> Self {
        Budget {
            steps,
            evaluate_every: self.evaluate_every.min(steps.div_ceil(4)),
            ..self
        }
    }
}

/// How a training step is divided, to save memory or to use several devices. The loss and its gradients stay what they
/// are but for rounding; with micro-batches and replicas, dropout takes other masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepMemory {
    /// Replicas of the model that share a batch equally: its gradients are the sum of theirs. Results do not depend on
    /// how many devices they are on.
    #[serde(default = "one_replica", skip_serializing_if = "is_one_replica")]
    pub replicas: NonZeroUsize,
    /// Examples that a replica computes at a time, at most: the gradients of its share of a batch are the sum of
    /// theirs. `None` computes a share at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// What the backward pass computes again.
    #[serde(default)]
    pub gradient_checkpointing: GradientCheckpointing,
}

fn one_replica() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn is_one_replica(replicas: &NonZeroUsize) -> bool {
    *replicas == NonZeroUsize::MIN
}

impl Default for StepMemory {
    fn default() -> Self {
        StepMemory {
            replicas: one_replica(),
            micro_batch: None,
            gradient_checkpointing: GradientCheckpointing::Off,
        }
    }
}

impl StepMemory {
    fn is_default(&self) -> bool {
        *self == StepMemory::default()
    }
}

/// How weights that are not trained are held in memory. What is trained is f32 in either case, and so are norms, biases,
/// position tables, and all computation outside products with these matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrozenWeights {
    /// 4 bytes a number, as read.
    #[default]
    F32,
    /// 2 bytes a number, rounded to 8 significant bits. Methods that train such a matrix start from the rounded numbers.
    Bf16,
}

impl FrozenWeights {
    /// `f32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            FrozenWeights::F32 => "f32",
            FrozenWeights::Bf16 => "bf16",
        }
    }

    /// Whether they are as read.
    pub fn is_default(&self) -> bool {
        *self == FrozenWeights::default()
    }
}

impl FromStr for FrozenWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(FrozenWeights::F32),
            "bf16" => Ok(FrozenWeights::Bf16),
            _ => Err(format!("wanted f32 or bf16, found '{text}'")),
        }
    }
}

/// What a backward pass computes again rather than keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientCheckpointing {
    /// Nothing.
    #[default]
    Off,
    /// Every block, from its input (Chen et al. 2016, arXiv 1604.06174).
    Blocks,
}

/// Longest sequences in tokens, end of sequence included; the prompt is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Longest input; longer ones are truncated at the end.
    pub input: usize,
    /// Longest training target.
    pub target: usize,
    /// Longest generated answer.
    pub answer: usize,
}

/// The form of a head's answers. Answers and targets are token ids, as for a decoder; the "tokens" are classes or
/// positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadForm {
    /// One of so many classes, from the first token's state: `[class]`.
    Classes(usize),
    /// One of so many classes, by the word that represents it at a mask token: `[class]`.
    Words(usize),
    /// A span of the input, both ends included: `[first, last]`. Only positions in the second segment count, without
    /// its separator.
    Span,
}

impl HeadForm {
    /// Logits per row.
    pub fn outputs(self) -> usize {
        match self {
            HeadForm::Classes(classes) | HeadForm::Words(classes) => classes,
            HeadForm::Span => 2,
        }
    }

    /// Number of parameters on states of width `D`.
    pub fn parameters(self, width: usize) -> usize {
        (width + 1) * self.outputs()
    }
}

/// A method's recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenRecipe")]
pub struct Recipe {
    /// The soft prompt, for methods that have one.
    pub prompt: Option<PromptRecipe>,
    /// What is tuned. Records of prompt and model tuning do not have this key.
    #[serde(skip_serializing_if = "DeltaRecipe::is_implied")]
    pub delta: DeltaRecipe,
    /// The tokens of the source's labels and the end of sequence, for methods that tune their output vectors; filled
    /// in once the source is known. Other records do not have this key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label_ids: Vec<u32>,
    /// The head added to a network without one and trained together with everything else; absent if the network
    /// generates its answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadForm>,
    /// The optimiser.
    pub optimizer: OptimizerRecipe,
    /// The learning-rate schedule.
    pub schedule: Schedule,
    /// The training objective.
    pub objective: Objective,
    /// Steps, batch size and selection of a step.
    pub budget: Budget,
    /// How a step is divided. Records of recipes that don't divide it have no such key.
    #[serde(skip_serializing_if = "StepMemory::is_default")]
    pub memory: StepMemory,
}

/// A recipe as written in records.
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
    #[serde(default)]
    memory: StepMemory,
}

impl From<WrittenRecipe> for Recipe {
    fn from(written: WrittenRecipe) -> Self {
        let delta = match (written.delta, &written.prompt) {
            (Some(delta), _) => delta,
            (None, Some(_)) => DeltaRecipe::Prompt,
            (None, None) => DeltaRecipe::Model,
        };
        Recipe {
            prompt: written.prompt,
            delta,
            label_ids: written.label_ids,
            head: written.head,
            optimizer: written.optimizer,
            schedule: written.schedule,
            objective: written.objective,
            budget: written.budget,
            memory: written.memory,
        }
    }
}

/// Few-shot tuning: what was tuned on the source is tuned further on K examples of a target's training split, at the
/// method's learning rate, held constant, with a fresh optimiser. The last step is kept; nothing is validated or
/// selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuneOn {
    /// The values of K, ascending, none of them 0.
    pub examples: Vec<usize>,
    /// Optimiser steps for each K.
    pub steps: usize,
}

impl TuneOn {
    /// The default number of steps.
    pub const STEPS: usize = 50;

    /// The recipe for K examples, from the method's recipe on the source.
    pub fn recipe(&self, of_source: &Recipe, examples: usize) -> Recipe {
        Recipe {
            schedule: Schedule::Constant,
            budget: Budget {
                steps: self.steps,
                batch_size: of_source.budget.batch_size.min(examples),
                evaluate_every: self.steps,
                patience: None,
            },
            ..of_source.clone()
        }
    }
}

impl Limits {
    /// The longest input of every task, if the network has that many positions.
    pub const INPUT: usize = 512;

    /// The lengths of T5 (t5/models/gin/sequence_lengths: SQuAD 512 and 97, GLUE 512 and 84, SuperGLUE 512 and 62);
    /// the miniature's passages and answers are shorter than these.
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
    /// Whether all parameters of the network are trained and none are added.
    pub fn is_model_tuning(&self) -> bool {
        self.delta == DeltaRecipe::Model
    }

    /// `P`, the length of the soft prompt; 0 without one.
    pub fn prompt_length(&self) -> usize {
        match &self.delta {
            DeltaRecipe::Subspace(subspace) => subspace.length,
            _ => self.prompt.as_ref().map_or(0, |prompt| prompt.length),
        }
    }

    /// What the initial prompt or subspace was trained on before.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_replica_is_not_written_and_none_are_refused() {
        let alone = StepMemory {
            micro_batch: Some(4),
            ..StepMemory::default()
        };
        // What identifies trainings from before there were replicas.
        let written = r#"{"micro_batch":4,"gradient_checkpointing":"off"}"#;
        assert_eq!(serde_json::to_string(&alone).expect("plain data"), written);
        let two = StepMemory {
            replicas: NonZeroUsize::new(2).expect("not 0"),
            ..alone
        };
        for memory in [alone, two] {
            let written = serde_json::to_string(&memory).expect("plain data");
            let read: StepMemory = serde_json::from_str(&written).expect("just written");
            assert_eq!(read, memory);
        }
        let none = serde_json::from_str::<StepMemory>(r#"{"replicas":0}"#);
        assert!(none.is_err(), "{none:?}");
    }
}
