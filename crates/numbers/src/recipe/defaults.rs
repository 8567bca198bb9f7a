//! The default recipe of each method: on published checkpoints as its paper has it, as far as one
//! optimiser and one budget for all methods allow; on the miniature, with what was seen to learn.

use super::{
    AdafactorRecipe, AdamWRecipe, AdapterRecipe, Budget, DeltaRecipe, LadderRecipe,
    LastBlocksRecipe, LoraRecipe, Method, Objective, OptimizerRecipe, ParameterScaling, Placement,
    PreambleRecipe, PrefixForm, PrefixPlaces, PrefixRecipe, PromptInit, PromptNetworkForm,
    PromptNetworkRecipe, PromptPlaces, PromptRecipe, Recipe, Reduction, Schedule, SecondMoment,
    SubspaceRecipe,
};
use crate::recipe::Map;

/// What default recipes differ by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    /// The bundled miniature.
    Nano,
    /// Any other T5.
    T5,
    /// BERT and its like.
    Encoder,
    /// A decoder-only model.
    DecoderOnly,
}

/// The learning rate on the miniature and on other backbones.
struct Rates {
    nano: f64,
    other: f64,
}

impl Recipe {
    /// The recipe that a method has by default.
    ///
    /// # Panics
    /// [`Method::Untuned`] and [`Method::Elsewhere`] have none.
    pub fn default_for(defaults: Defaults, method: Method) -> Self {
        match defaults {
            Defaults::Encoder => return Recipe::encoder(method),
            Defaults::DecoderOnly => return Recipe::of_decoder_only(method),
            Defaults::Nano | Defaults::T5 => {}
        }
        let nano = defaults == Defaults::Nano;
        // What a miniature of few blocks and narrow states takes in another size.
        let sized = |nano_size: usize, published: usize| if nano { nano_size } else { published };
        let adapters = |placement, reduction| {
            DeltaRecipe::Adapters(AdapterRecipe {
                placement,
                reduction,
            })
        };
        let prefix = |form, places| {
            DeltaRecipe::Prefix(PrefixRecipe {
                length: sized(20, 100),
                form,
                places,
            })
        };
        let network = |form| {
            DeltaRecipe::PromptNetwork(PromptNetworkRecipe {
                form,
                hidden: sized(128, 512),
            })
        };
        let rates = |nano, other| Rates { nano, other };
        let (delta, rates) = match method {
            Method::Untuned => panic!("the untuned backbone is not trained"),
            Method::Elsewhere => panic!("how it was tuned is not known"),
            Method::Prompt if nano => return Recipe::miniature_prompt(),
            Method::Prompt => return Recipe::paper_prompt(),
            Method::Model if nano => return Recipe::miniature_model(),
            Method::Model => return Recipe::paper_model(),
            Method::Lora => {
                let maps = vec![Map::Q, Map::V];
                let (rank, alpha) = (8, 16.0);
                (
                    DeltaRecipe::Lora(LoraRecipe {
                        rank,
                        alpha,
                        maps,
                        ranks: Vec::new(),
                    }),
                    rates(1e-2, 3e-4),
                )
            }
            Method::Bitfit => (DeltaRecipe::AddedBiases, rates(2e-2, 1e-3)),
            Method::Norms => return Recipe::of_weights(nano, DeltaRecipe::NormGains, 2e-2),
            Method::Head => return Recipe::of_weights(nano, DeltaRecipe::OutputHead, 2e-2),
            Method::Last => {
                let blocks = sized(1, 4);
                let delta = DeltaRecipe::LastBlocks(LastBlocksRecipe { blocks });
                return Recipe::of_weights(nano, delta, 5e-3);
            }
            Method::Ia3 => (DeltaRecipe::Scales, rates(3e-2, 3e-3)),
            Method::Prefix => (
                prefix(PrefixForm::Direct, PrefixPlaces::Every),
                rates(5e-2, 1e-2),
            ),
            Method::PrefixMlp => {
                let hidden = sized(128, 512);
                let delta = prefix(PrefixForm::Network { hidden }, PrefixPlaces::Every);
                (delta, rates(3e-3, 3e-4))
            }
            Method::PrefixDecoder => (
                prefix(PrefixForm::Direct, PrefixPlaces::Decoder),
                rates(5e-2, 1e-2),
            ),
            Method::Houlsby => (adapters(Placement::Houlsby, 16), rates(5e-3, 3e-4)),
            Method::Pfeiffer => (adapters(Placement::Pfeiffer, 16), rates(5e-3, 3e-4)),
            Method::Parallel => (adapters(Placement::Parallel, 2), rates(3e-3, 3e-4)),
            Method::PromptDecoder => {
                let delta = DeltaRecipe::PromptPlaces(PromptPlaces::Decoder);
                return Recipe::of_prompt(nano, delta, rates(1.0, 0.3));
            }
            Method::PromptBoth => {
                let delta = DeltaRecipe::PromptPlaces(PromptPlaces::Both);
                return Recipe::of_prompt(nano, delta, rates(0.3, 0.3));
            }
            Method::Ptuning => {
                return Recipe::of_prompt(nano, network(PromptNetworkForm::Mlp), rates(2e-2, 1e-3));
            }
            Method::PtuningLstm => {
                return Recipe::of_prompt(
                    nano,
                    network(PromptNetworkForm::Lstm),
                    rates(1e-2, 1e-3),
                );
            }
            Method::Warp => {
                let delta = DeltaRecipe::PromptAndLabels;
                return Recipe::of_prompt(nano, delta, rates(3e-2, 3e-3));
            }
            Method::Ladder => {
                let reduction = sized(4, 8);
                (
                    DeltaRecipe::Ladder(LadderRecipe { reduction }),
                    rates(1e-2, 3e-3),
                )
            }
            Method::Instruction => {
                let words = "Read the text and answer the question.".to_string();
                return Recipe::of_words(nano, PreambleRecipe::Instruction(words));
            }
            Method::FewShot => return Recipe::of_words(nano, PreambleRecipe::Examples(3)),
            Method::Scratch => return Recipe::of_weights(nano, DeltaRecipe::RandomWeights, 1e-2),
            // The paper's 250 dimensions until a file says how many.
            Method::Intrinsic => (
                DeltaRecipe::Subspace(SubspaceRecipe {
                    length: sized(20, 100),
                    dimension: sized(5, 250),
                    file: None,
                }),
                rates(1e-1, 1e-1),
            ),
        };
        Recipe::of_additions(nano, delta, rates)
    }

    /// The recipe of a method on a BERT: what the method does is as on T5, how it is trained as BERT is
    /// fine-tuned (Devlin et al. 2018, §4.1 and A.3; Mosbach et al. 2021, arXiv 2006.04884): AdamW, a
    /// short rise of the learning rate and a straight fall to 0, batches of 32, the mean loss, gradients
    /// clipped at a norm of 1. Learning rates are those of the methods' papers or of common practice on
    /// encoders of this size. Two are higher: of the rates that were tried in 200 steps of
    /// all-MiniLM-L6-v2 on QQP (`reports/minilm-qqp-to-mrpc`), biases learnt at 0.005 and at none three
    /// times lower or higher, a head alone on frozen states from 0.02 to 0.2. Deviations: no dropout, no
    /// weight decay.
    fn encoder(method: Method) -> Self {
        let like = Recipe::default_for(Defaults::T5, method);
        let rate = match method {
            Method::Model => 5e-5,
            Method::Last => 1e-4,
            Method::Prompt | Method::Prefix => 1e-2,
            Method::Norms => 2e-3,
            Method::Bitfit | Method::Ia3 => 5e-3,
            Method::Head => 2e-2,
            _ => 1e-3,
        };
        let steps = like.budget.steps.min(3_000);
        Recipe {
            prompt: like.prompt.map(|prompt| PromptRecipe {
                length: 20,
                ..prompt
            }),
            delta: like.delta.map(|delta| match delta {
                DeltaRecipe::LastBlocks(_) => {
                    DeltaRecipe::LastBlocks(LastBlocksRecipe { blocks: 2 })
                }
                DeltaRecipe::Prefix(prefix) => DeltaRecipe::Prefix(PrefixRecipe {
                    length: 20,
                    ..prefix
                }),
                other => other,
            }),
            head: None,
            label_ids: Vec::new(),
            optimizer: OptimizerRecipe::AdamW(AdamWRecipe {
                learning_rate: rate,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.0,
            }),
            schedule: Schedule::WarmupDecay {
                warmup: 50,
                share: 1.0,
                floor: 0.0,
            },
            objective: Objective {
                reduction: Reduction::Mean,
                z_loss: 0.0,
                dropout: 0.0,
                clip_norm: Some(1.0),
            },
            budget: Budget {
                steps,
                batch_size: 32,
                evaluate_every: 300,
                patience: None,
            },
        }
    }

    /// The recipe that a method has on a decoder-only model: what is tuned as on other models, in the
    /// sizes of GPT-2's reference for prompts (google-research/prompt-tuning has none; PEFT's causal
    /// examples have 20 vectors), by AdamW without dropout on the mean loss of the answer's tokens.
    ///
    /// The learning rates are what was seen to learn within tens of steps of 8 examples (SmolLM2-135M
    /// on SQuAD) for prompt and model tuning, and the methods' papers' elsewhere.
    fn of_decoder_only(method: Method) -> Self {
        let other = Recipe::default_for(Defaults::T5, method);
        let learning_rate = match method {
            Method::Prompt | Method::Prefix => 1e-2,
            Method::Model | Method::Last | Method::Head | Method::Scratch => 3e-5,
            Method::Lora | Method::Bitfit | Method::Norms | Method::Ptuning => 1e-3,
            Method::Ia3 => 5e-3,
            _ => 3e-4,
        };
        let steps = if other.trains() { 1_000 } else { 0 };
        let delta = other.delta.map(|delta| match delta {
            DeltaRecipe::Prefix(prefix) => DeltaRecipe::Prefix(PrefixRecipe {
                length: 20,
                ..prefix
            }),
            DeltaRecipe::Preamble(PreambleRecipe::Instruction(_)) => {
                let words = "Answer the question with a few words of the context.\n";
                DeltaRecipe::Preamble(PreambleRecipe::Instruction(words.to_string()))
            }
            other => other,
        });
        Recipe {
            prompt: other.prompt.map(|prompt| PromptRecipe {
                length: 20,
                ..prompt
            }),
            delta,
            head: None,
            label_ids: Vec::new(),
            optimizer: OptimizerRecipe::AdamW(AdamWRecipe {
                learning_rate,
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
                steps,
                batch_size: 8,
                evaluate_every: 100,
                patience: None,
            },
        }
    }

    /// The recipe of parameters that are added to the model: the loop of prompt tuning, Adafactor with
    /// an absolute learning rate (what starts at 0 has no size to be relative to) and a whole second
    /// moment. The papers use AdamW, linearly decaying.
    fn of_additions(nano: bool, delta: DeltaRecipe, rates: Rates) -> Self {
        let (base, learning_rate) = match nano {
            true => (Recipe::miniature_prompt(), rates.nano),
            false => (Recipe::paper_prompt(), rates.other),
        };
        Recipe {
            prompt: None,
            delta: Some(delta),
            optimizer: base.optimizer.without_decay().at(learning_rate),
            ..base
        }
    }

    /// The recipe of words before the input: no step is taken.
    fn of_words(nano: bool, words: PreambleRecipe) -> Self {
        let base = match nano {
            true => Recipe::miniature_prompt(),
            false => Recipe::paper_prompt(),
        };
        Recipe {
            prompt: None,
            delta: Some(DeltaRecipe::Preamble(words)),
            budget: Budget {
                steps: 0,
                ..base.budget
            },
            ..base
        }
    }

    /// The recipe of a soft prompt with something else about it.
    fn of_prompt(nano: bool, delta: DeltaRecipe, rates: Rates) -> Self {
        let (base, learning_rate) = match nano {
            true => (Recipe::miniature_prompt(), rates.nano),
            false => (Recipe::paper_prompt(), rates.other),
        };
        Recipe {
            delta: Some(delta),
            optimizer: base.optimizer.at(learning_rate),
            ..base
        }
    }

    /// The recipe of some of the model's own weights: that of model tuning with another learning
    /// rate, relative to each weight, on the miniature.
    fn of_weights(nano: bool, delta: DeltaRecipe, learning_rate: f64) -> Self {
        let delta = Some(delta);
        if !nano {
            return Recipe {
                delta,
                ..Recipe::paper_model()
            };
        }
        let base = Recipe::miniature_model();
        Recipe {
            delta,
            optimizer: base.optimizer.at(learning_rate),
            ..base
        }
    }

    /// Lester et al. 2021: 100 vectors, Adafactor at a constant 0.3 without parameter scaling, 30,000
    /// steps of 32 examples (paper §3; `prompt_tuning/configs/models/t5_1_1_prompt.gin`). Dropout as
    /// T5X fine-tunes (0.1); the second moment starts fresh, where T5X restores the step.
    pub fn paper_prompt() -> Self {
        Recipe {
            prompt: Some(PromptRecipe {
                length: 100,
                init: PromptInit::Vocab,
            }),
            delta: None,
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
        }
    }

    /// T5's own fine-tuning, the paper's baseline: Adafactor at a constant 0.001 relative to each
    /// parameter (T5's `constant_0_001`), 128 examples of 512 tokens a step.
    pub fn paper_model() -> Self {
        Recipe {
            prompt: None,
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

    /// Prompt tuning of the bundled miniature: the paper's in small, with a learning rate that
    /// falls, since a run has hundreds of steps rather than tens of thousands.
    pub fn miniature_prompt() -> Self {
        Recipe {
            prompt: Some(PromptRecipe {
                length: 20,
                init: PromptInit::Vocab,
            }),
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
                steps: 400,
                batch_size: 16,
                evaluate_every: 80,
                patience: None,
            },
            ..Recipe::paper_prompt()
        }
    }

    /// Model tuning of the bundled miniature: T5's, with a learning rate that suits hundreds of
    /// steps.
    pub fn miniature_model() -> Self {
        let prompt = Recipe::miniature_prompt();
        Recipe {
            prompt: None,
            optimizer: Recipe::paper_model().optimizer.at(5e-3),
            ..prompt
        }
    }
}
