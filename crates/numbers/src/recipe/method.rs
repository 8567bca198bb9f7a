//! The methods: one entry each, with its name, its title and its default recipe on every kind of network.
//!
//! What a method does to tensors is its `impl Delta` in the tensors crate, one file for each method.

use serde::{Deserialize, Serialize};

use super::defaults::{Base, Defaults, MethodDefault, Rates};
use super::{
    AdapterRecipe, DeltaRecipe, LadderRecipe, LastBlocksRecipe, LoraForm, LoraRecipe, LoraScaling,
    Map, Placement, PreambleRecipe, PrefixForm, PrefixPlaces, PrefixRecipe, PromptNetworkForm,
    PromptNetworkRecipe, PromptPlaces, SubspaceRecipe, VeraRecipe,
};

/// Declares the methods. An entry has the variant with its documentation, the name on the command line and in
/// records, the title in reports, and the default recipe, or `None` without one.
macro_rules! methods {
    ($($(#[$documentation:meta])* $method:ident: $name:literal, $title:literal, $default:expr;)*) => {
        /// A tuning method, or what it is compared with in a report.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Method {
            $($(#[$documentation])* $method,)*
        }

        impl Method {
            /// Every method, in the order of the report's columns.
            pub const ALL: [Method; [$($name),*].len()] = [$(Method::$method),*];

            /// The name on the command line and in records.
            pub fn name(self) -> &'static str {
                match self {
                    $(Method::$method => $name,)*
                }
            }

            /// The name in reports.
            pub fn title(self) -> &'static str {
                match self {
                    $(Method::$method => $title,)*
                }
            }

            /// The parts of its default recipes; `None` for a method without a recipe.
            pub(super) fn default(self) -> Option<MethodDefault> {
                match self {
                    $(Method::$method => $default,)*
                }
            }
        }
    };
}

methods! {
    /// The pre-trained backbone without tuning: the baseline of every method.
    Untuned: "untuned", "untuned", None;

    /// Prompt tuning (Lester et al. 2021): a soft prompt `[P, D]` before the embedded encoder input; the backbone
    /// is frozen.
    Prompt: "prompt", "prompt tuning", tuned(
        Base::Prompt,
        |_| DeltaRecipe::Prompt,
        Rates { nano: 0.3, t5: 0.3, encoder: 1e-2, decoder_only: 1e-2 },
    );

    /// Model tuning, the paper's term for full fine-tuning: every parameter is trained.
    Model: "model", "model tuning", tuned(
        Base::Weights,
        |_| DeltaRecipe::Model,
        Rates { nano: 5e-3, t5: 1e-3, encoder: 5e-5, decoder_only: 3e-5 },
    );

    /// LoRA: low-rank updates of linear layers.
    Lora: "lora", "LoRA", tuned(
        Base::Additions,
        |_| lora(LoraForm::Lora),
        Rates { nano: 1e-2, t5: 3e-4, encoder: 1e-3, decoder_only: 1e-3 },
    );

    /// DoRA: LoRA of the directions of a weight's columns, and their magnitudes.
    Dora: "dora", "DoRA", tuned(
        Base::Additions,
        |_| lora(LoraForm::Dora),
        Rates { nano: 1e-2, t5: 3e-4, encoder: 1e-3, decoder_only: 1e-3 },
    );

    /// VeRA: scales of random low-rank updates that all linear layers share.
    Vera: "vera", "VeRA", tuned(
        Base::Additions,
        |on| DeltaRecipe::Vera(VeraRecipe {
            rank: on.sized(64, 256),
            maps: vec![Map::Q, Map::V],
            key: 0,
        }),
        Rates { nano: 3e-2, t5: 3e-3, encoder: 1e-2, decoder_only: 4e-3 },
    );

    /// BitFit: biases; they are added to a model without any, such as T5.
    Bitfit: "bitfit", "BitFit", tuned(
        Base::Additions,
        |_| DeltaRecipe::AddedBiases,
        Rates { nano: 2e-2, t5: 1e-3, encoder: 5e-3, decoder_only: 1e-3 },
    );

    /// The gains of the norms only.
    Norms: "norms", "norm gains", tuned(
        Base::Weights,
        |_| DeltaRecipe::NormGains,
        Rates { nano: 2e-2, t5: 1e-3, encoder: 2e-3, decoder_only: 1e-3 },
    );

    /// The output head only.
    Head: "head", "output head", tuned(
        Base::Weights,
        |_| DeltaRecipe::OutputHead,
        Rates { nano: 2e-2, t5: 1e-3, encoder: 2e-2, decoder_only: 3e-5 },
    );

    /// The last blocks before the output head only.
    Last: "last", "last blocks", tuned(
        Base::Weights,
        |on| DeltaRecipe::LastBlocks(LastBlocksRecipe {
            blocks: match on {
                Defaults::Nano => 1,
                Defaults::Encoder => 2,
                Defaults::T5 | Defaults::DecoderOnly => 4,
            },
        }),
        Rates { nano: 5e-3, t5: 1e-3, encoder: 1e-4, decoder_only: 3e-5 },
    );

    /// (IA)³: scales of keys, values and the feed-forward.
    Ia3: "ia3", "(IA)³", tuned(
        Base::Additions,
        |_| DeltaRecipe::Scales,
        Rates { nano: 3e-2, t5: 3e-3, encoder: 5e-3, decoder_only: 5e-3 },
    );

    /// Prefix tuning: keys and values prepended in every attention.
    Prefix: "prefix", "prefix tuning", tuned(
        Base::Additions,
        |on| prefix(on, PrefixForm::Direct, PrefixPlaces::Every),
        Rates { nano: 5e-2, t5: 1e-2, encoder: 1e-2, decoder_only: 1e-2 },
    );

    /// Prefix tuning with prefixes that a network computes during training.
    PrefixMlp: "prefix-mlp", "prefix tuning, reparameterised", tuned(
        Base::Additions,
        |on| prefix(on, PrefixForm::Network { hidden: hidden(on) }, PrefixPlaces::Every),
        Rates { nano: 3e-3, t5: 3e-4, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Prefix tuning of the decoder's self-attention only, as in PEFT.
    PrefixDecoder: "prefix-decoder", "prefix tuning, decoder", tuned(
        Base::Additions,
        |on| prefix(on, PrefixForm::Direct, PrefixPlaces::Decoder),
        Rates { nano: 5e-2, t5: 1e-2, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Houlsby's adapters: a bottleneck after attention and one after the feed-forward.
    Houlsby: "houlsby", "Houlsby adapters", tuned(
        Base::Additions,
        |_| adapters(Placement::Houlsby, 16),
        Rates { nano: 5e-3, t5: 3e-4, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Pfeiffer's adapters: a bottleneck after the feed-forward.
    Pfeiffer: "pfeiffer", "Pfeiffer adapters", tuned(
        Base::Additions,
        |_| adapters(Placement::Pfeiffer, 16),
        Rates { nano: 5e-3, t5: 3e-4, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// The parallel adapter: a bottleneck beside the feed-forward.
    Parallel: "parallel", "parallel adapters", tuned(
        Base::Additions,
        |_| adapters(Placement::Parallel, 2),
        Rates { nano: 3e-3, t5: 3e-4, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Prompt tuning before the decoder's input.
    PromptDecoder: "prompt-decoder", "prompt tuning, decoder", tuned(
        Base::Prompt,
        |_| DeltaRecipe::PromptPlaces(PromptPlaces::Decoder),
        Rates { nano: 1.0, t5: 0.3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Prompt tuning before both inputs.
    PromptBoth: "prompt-both", "prompt tuning, both inputs", tuned(
        Base::Prompt,
        |_| DeltaRecipe::PromptPlaces(PromptPlaces::Both),
        Rates { nano: 0.3, t5: 0.3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// P-tuning: an MLP computes the prompt.
    Ptuning: "ptuning", "P-tuning", tuned(
        Base::Prompt,
        |on| prompt_network(on, PromptNetworkForm::Mlp),
        Rates { nano: 2e-2, t5: 1e-3, encoder: 1e-3, decoder_only: 1e-3 },
    );

    /// P-tuning: an LSTM computes the prompt.
    PtuningLstm: "ptuning-lstm", "P-tuning, LSTM", tuned(
        Base::Prompt,
        |on| prompt_network(on, PromptNetworkForm::Lstm),
        Rates { nano: 1e-2, t5: 1e-3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// WARP: a soft prompt and output vectors of the labels.
    Warp: "warp", "WARP", tuned(
        Base::Prompt,
        |_| DeltaRecipe::PromptAndLabels,
        Rates { nano: 3e-2, t5: 3e-3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Ladder side tuning: a small network beside the frozen one.
    Ladder: "ladder", "ladder side tuning", tuned(
        Base::Additions,
        |on| DeltaRecipe::Ladder(LadderRecipe { reduction: on.sized(4, 8) }),
        Rates { nano: 1e-2, t5: 3e-3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Prompt design: a hand-written instruction before the input; nothing is trained.
    Instruction: "instruction", "instruction", tuned(
        Base::Words,
        |on| DeltaRecipe::Preamble(PreambleRecipe::Instruction(
            match on {
                Defaults::DecoderOnly => "Answer the question with a few words of the context.\n",
                Defaults::Nano | Defaults::T5 | Defaults::Encoder => {
                    "Read the text and answer the question."
                }
            }
            .to_string(),
        )),
        Rates { nano: 0.3, t5: 0.3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Examples of the source before the input; nothing is trained.
    FewShot: "few-shot", "examples in context", tuned(
        Base::Words,
        |_| DeltaRecipe::Preamble(PreambleRecipe::Examples(3)),
        Rates { nano: 0.3, t5: 0.3, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// Model tuning from random weights, a control.
    Scratch: "scratch", "from random weights", tuned(
        Base::Weights,
        |_| DeltaRecipe::RandomWeights,
        Rates { nano: 1e-2, t5: 1e-3, encoder: 1e-3, decoder_only: 3e-5 },
    );

    /// Intrinsic prompt tuning: coordinates in a subspace of earlier prompts. It has 250 dimensions as in the paper,
    /// or as many as the given file.
    Intrinsic: "intrinsic", "intrinsic prompt tuning", tuned(
        Base::Additions,
        |on| DeltaRecipe::Subspace(SubspaceRecipe {
            length: on.sized(20, 100),
            dimension: on.sized(5, 250),
            file: None,
        }),
        Rates { nano: 1e-1, t5: 1e-1, encoder: 1e-3, decoder_only: 3e-4 },
    );

    /// A prompt, adapter or whole model tuned by another program in an unknown way; nothing is trained here.
    Elsewhere: "elsewhere", "tuned elsewhere", None;
}

impl Method {
    /// The methods that can be requested by name: all except [`Method::Elsewhere`], which has no recipe.
    pub fn offered() -> impl Iterator<Item = Method> {
        let is_offered = |method: &Method| *method != Method::Elsewhere;
        Method::ALL.into_iter().filter(is_offered)
    }
}

#[allow(clippy::unnecessary_wraps, reason = "an entry has either this or None")]
fn tuned(base: Base, delta: fn(Defaults) -> DeltaRecipe, rates: Rates) -> Option<MethodDefault> {
    Some(MethodDefault { base, delta, rates })
}

fn lora(form: LoraForm) -> DeltaRecipe {
    DeltaRecipe::Lora(LoraRecipe {
        rank: 8,
        alpha: 16.0,
        maps: vec![Map::Q, Map::V],
        ranks: Vec::new(),
        scaling: LoraScaling::Lora,
        form,
    })
}

fn adapters(placement: Placement, reduction: usize) -> DeltaRecipe {
    DeltaRecipe::Adapters(AdapterRecipe {
        placement,
        reduction,
    })
}

fn prefix(on: Defaults, form: PrefixForm, places: PrefixPlaces) -> DeltaRecipe {
    DeltaRecipe::Prefix(PrefixRecipe {
        length: on.prompt_length(),
        form,
        places,
    })
}

fn prompt_network(on: Defaults, form: PromptNetworkForm) -> DeltaRecipe {
    DeltaRecipe::PromptNetwork(PromptNetworkRecipe {
        form,
        hidden: hidden(on),
    })
}

/// Hidden units of the networks that compute prompts and prefixes.
fn hidden(on: Defaults) -> usize {
    on.sized(128, 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_serialised_by_its_name_and_is_at_its_index() {
        for (place, method) in Method::ALL.into_iter().enumerate() {
            let written = serde_json::to_value(method).expect("plain data");
            assert_eq!(written, method.name());
            assert_eq!(method as usize, place, "{}", method.name());
        }
    }
}
