//! Default recipes, from a method's [entry](super::Method) and the way networks of its kind are trained. On published
//! checkpoints they follow the papers, as far as one optimiser and one budget for all methods allow; on the miniature
//! they have values with which training was found to work.

use super::{
    AdafactorRecipe, AdamWRecipe, Budget, DeltaRecipe, Method, Objective, OptimizerRecipe,
    ParameterScaling, PromptRecipe, Recipe, Reduction, Schedule, SecondMoment, StepMemory,
};

/// The kinds of networks that default recipes distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// The bundled miniature.
    Nano,
    /// Any other T5.
    T5,
    /// BERT and similar encoders.
    Encoder,
    /// A decoder-only model.
    DecoderOnly,
}

impl Defaults {
    /// A size for the miniature, which has few blocks and narrow states, or for published checkpoints.
    pub(super) fn sized(self, nano: usize, published: usize) -> usize {
        match self {
            Defaults::Nano => nano,
            Defaults::T5 | Defaults::Encoder | Defaults::DecoderOnly => published,
        }
    }

    /// `P` of prompts and prefixes: 100 on published T5s, as in Lester et al. On decoder-only models it follows
    /// PEFT's examples for causal models, since google-research/prompt-tuning has none.
    pub(super) fn prompt_length(self) -> usize {
        match self {
            Defaults::T5 => 100,
            Defaults::Nano | Defaults::Encoder | Defaults::DecoderOnly => 20,
        }
    }
}

/// The parts of a method's default recipes.
pub(super) struct MethodDefault {
    /// The base recipe.
    pub base: Base,
    /// What it tunes.
    pub delta: fn(Defaults) -> DeltaRecipe,
    /// The learning rates.
    pub rates: Rates,
}

/// The part of a recipe that several methods share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The recipe of prompt tuning, for methods with a soft prompt.
    Prompt,
    /// The recipe of prompt tuning without a prompt and without weight decay. On a T5 that is Adafactor with a full
    /// second moment and an absolute learning rate, since parameters that start at 0 have no size for a relative one;
    /// the papers use AdamW with linear decay.
    Additions,
    /// The recipe of model tuning. On a T5 the learning rate is relative to each weight.
    Weights,
    /// No training: words before the input.
    Words,
}

/// The learning rate by kind of network.
///
/// On encoders the rates are those of the methods' papers or of common practice at this size. Two are higher: in 200
/// steps of all-MiniLM-L6-v2 on QQP (`reports/minilm-qqp-to-mrpc`), biases learned at 0.005 but not at rates three
/// times lower or higher, and a head on frozen states learned from 0.02 to 0.2. On decoder-only models the rates of
/// prompt and model tuning are those that learned within tens of steps of 8 examples (SmolLM2-135M on SQuAD); the
/// other rates are those of the methods' papers.
pub(super) struct Rates {
    pub nano: f64,
    pub t5: f64,
    pub encoder: f64,
    pub decoder_only: f64,
}

impl Rates {
    fn on(&self, defaults: Defaults) -> f64 {
        match defaults {
            Defaults::Nano => self.nano,
            Defaults::T5 => self.t5,
            Defaults::Encoder => self.encoder,
            Defaults::DecoderOnly => self.decoder_only,
        }
    }
}

impl Recipe {
    /// The default recipe of a method.
    ///
    /// # Panics
    /// [`Method::Untuned`] and [`Method::Elsewhere`] have no recipe.
    pub fn default_for(defaults: Defaults, method: Method) -> Self {
        let MethodDefault { base, delta, rates } = method
            .default()
            .expect("untuned and elsewhere have no recipe");
        let like = match (defaults, base) {
            (Defaults::Nano, Base::Weights) => Recipe::miniature_model(),
            (Defaults::Nano, _) => Recipe::miniature_prompt(),
            (Defaults::T5, Base::Weights) => Recipe::paper_model(),
            (Defaults::T5, _) => Recipe::paper_prompt(),
            (Defaults::Encoder, _) => Recipe::encoder(),
            (Defaults::DecoderOnly, _) => Recipe::decoder_only(),
        };
        let optimizer = match base {
            Base::Additions => like.optimizer.without_decay(),
            Base::Prompt | Base::Weights | Base::Words => like.optimizer,
        };
        Recipe {
            prompt: (base == Base::Prompt).then(|| PromptRecipe::sampled(defaults.prompt_length())),
            delta: delta(defaults),
            optimizer: optimizer.at(rates.on(defaults)),
            budget: match base {
                Base::Words => Budget {
                    steps: 0,
                    ..like.budget
                },
                Base::Prompt | Base::Additions | Base::Weights => like.budget,
            },
            ..like
        }
    }

    /// How a BERT is fine-tuned (Devlin et al. 2018, §4.1 and A.3; Mosbach et al. 2021, arXiv 2006.04884): AdamW, a
    /// short warm-up and linear decay to 0, batches of 32, the mean loss, gradients clipped to a norm of 1.
    /// Deviations: no dropout, no weight decay.
    fn encoder() -> Self {
        Recipe {
            schedule: Schedule::WarmupDecay {
                warmup: 50,
                share: 1.0,
                floor: 0.0,
            },
            budget: Budget {
                steps: 3_000,
                batch_size: 32,
                evaluate_every: 300,
                patience: None,
            },
            ..Recipe::decoder_only()
        }
    }

    /// How a decoder-only model is tuned: AdamW without dropout on the mean loss of the answer's tokens.
    fn decoder_only() -> Self {
        Recipe {
            prompt: None,
            delta: DeltaRecipe::Model,
            head: None,
            label_ids: Vec::new(),
            optimizer: OptimizerRecipe::AdamW(AdamWRecipe {
                learning_rate: 3e-5,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.0,
            }),
            schedule: Schedule::Constant,
            objective: Objective {
                reduction: Reduction::Mean,
                z_loss: 0.0,
                dropout: 0.0,
                clip_norm: Some(1.0),
            },
            budget: Budget {
                steps: 1_000,
                batch_size: 8,
                evaluate_every: 100,
                patience: None,
            },
            memory: StepMemory::default(),
        }
    }

    /// Lester et al. 2021: 100 vectors, Adafactor at a constant 0.3 without parameter scaling, 30,000 steps of 32
    /// examples (paper §3; `prompt_tuning/configs/models/t5_1_1_prompt.gin`). Dropout as in T5X fine-tuning (0.1).
    /// Deviation: the second moment starts fresh, whereas T5X restores the step.
    pub fn paper_prompt() -> Self {
        Recipe {
            prompt: Some(PromptRecipe::sampled(100)),
            delta: DeltaRecipe::Prompt,
            head: None,
            label_ids: Vec::new(),
            optimizer: OptimizerRecipe::Adafactor(AdafactorRecipe {
                learning_rate: 0.3,
                parameter_scaling: ParameterScaling::Absolute,
                second_moment: SecondMoment::Full,
                weight_decay: 1e-5,
                start_step: 0,
            }),
            schedule: Schedule::Constant,
            objective: Objective {
                reduction: Reduction::Sum,
                z_loss: 1e-4,
                dropout: 0.1,
                clip_norm: None,
            },
            budget: Budget {
                steps: 30_000,
                batch_size: 32,
                evaluate_every: 1_000,
                patience: None,
            },
            memory: StepMemory::default(),
        }
    }

    /// T5's own fine-tuning, the paper's baseline: Adafactor at a constant 0.001 relative to each parameter (T5's
    /// `constant_0_001`), 128 examples of 512 tokens per step.
    pub fn paper_model() -> Self {
        Recipe {
            prompt: None,
            delta: DeltaRecipe::Model,
            optimizer: OptimizerRecipe::Adafactor(AdafactorRecipe {
                learning_rate: 1e-3,
                parameter_scaling: ParameterScaling::Relative,
                second_moment: SecondMoment::Factored,
                weight_decay: 0.0,
                start_step: 0,
            }),
            budget: Budget {
                batch_size: 128,
                ..Recipe::paper_prompt().budget
            },
            ..Recipe::paper_prompt()
        }
    }

    /// Prompt tuning of the bundled miniature: the paper's recipe at a small scale, with a decaying learning rate,
    /// since a run has hundreds of steps rather than tens of thousands.
    pub fn miniature_prompt() -> Self {
        Recipe {
            prompt: Some(PromptRecipe::sampled(20)),
            schedule: Schedule::WarmupDecay {
                warmup: 10,
                share: 0.5,
                floor: 0.05,
            },
            objective: Objective {
                dropout: 0.0,
                ..Recipe::paper_prompt().objective
            },
            budget: Budget {
                steps: 160,
                batch_size: 16,
                evaluate_every: 40,
                patience: None,
            },
            ..Recipe::paper_prompt()
        }
    }

    /// Model tuning of the bundled miniature: T5's recipe, with a learning rate for hundreds of steps.
    pub fn miniature_model() -> Self {
        let prompt = Recipe::miniature_prompt();
        Recipe {
            prompt: None,
            delta: DeltaRecipe::Model,
            optimizer: Recipe::paper_model().optimizer.at(5e-3),
            ..prompt
        }
    }
}
