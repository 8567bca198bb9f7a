//! The methods by name.

use serde::{Deserialize, Serialize};

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The backbone as it was pre-trained: the row every tuned method is held against.
    Untuned,
    /// Prompt tuning (Lester et al. 2021): a soft prompt `[P, D]` before the embedded encoder
    /// input; the backbone is frozen.
    Prompt,
    /// Model tuning, the paper's word for full fine-tuning: every parameter moves.
    Model,
    /// LoRA: thin products beside linear maps.
    Lora,
    /// BitFit: biases; a model that has none, as T5, is given some.
    Bitfit,
    /// The gains of the norms alone.
    Norms,
    /// The output head alone.
    Head,
    /// The last blocks before the output head alone.
    Last,
    /// (IA)³: scales of keys, values and the feed-forward.
    Ia3,
    /// Prefix tuning: keys and values before those of every attention.
    Prefix,
    /// Prefix tuning behind a network that makes the prefixes while they are tuned.
    PrefixMlp,
    /// Prefix tuning of the decoder's self-attention alone, as PEFT has it.
    PrefixDecoder,
    /// Houlsby's adapters: a bottleneck after attention and one after the feed-forward.
    Houlsby,
    /// Pfeiffer's adapters: a bottleneck after the feed-forward.
    Pfeiffer,
    /// The parallel adapter: a bottleneck beside the feed-forward.
    Parallel,
    /// Prompt tuning before the decoder's input.
    PromptDecoder,
    /// Prompt tuning before both inputs.
    PromptBoth,
    /// P-tuning: an MLP makes the prompt.
    Ptuning,
    /// P-tuning: an LSTM makes the prompt.
    PtuningLstm,
    /// WARP: a soft prompt and output vectors of the labels.
    Warp,
    /// Ladder side tuning: a small network beside the frozen one.
    Ladder,
    /// Prompt design: a hand-written instruction before the input; nothing is trained.
    Instruction,
    /// Examples of the source before the input; nothing is trained.
    FewShot,
    /// Model tuning from random weights, a control.
    Scratch,
    /// Intrinsic prompt tuning: coordinates in a subspace of earlier prompts.
    Intrinsic,
    /// A prompt, adapter or whole model that someone tuned: how is not known, and nothing is trained here.
    Elsewhere,
}

impl Method {
    /// Every method, in the order of the report's columns.
    pub const ALL: [Method; 26] = [
        Method::Untuned,
        Method::Prompt,
        Method::Model,
        Method::Lora,
        Method::Bitfit,
        Method::Norms,
        Method::Head,
        Method::Last,
        Method::Ia3,
        Method::Prefix,
        Method::PrefixMlp,
        Method::PrefixDecoder,
        Method::Houlsby,
        Method::Pfeiffer,
        Method::Parallel,
        Method::PromptDecoder,
        Method::PromptBoth,
        Method::Ptuning,
        Method::PtuningLstm,
        Method::Warp,
        Method::Ladder,
        Method::Instruction,
        Method::FewShot,
        Method::Scratch,
        Method::Intrinsic,
        Method::Elsewhere,
    ];

    /// Those that can be asked for by name: all but what was tuned elsewhere, which has no recipe.
    pub fn offered() -> impl Iterator<Item = Method> {
        let is_offered = |method: &Method| *method != Method::Elsewhere;
        Method::ALL.into_iter().filter(is_offered)
    }

    /// The name typed at the command line and written into records.
    pub fn name(self) -> &'static str {
        match self {
            Method::Untuned => "untuned",
            Method::Prompt => "prompt",
            Method::Model => "model",
            Method::Lora => "lora",
            Method::Bitfit => "bitfit",
            Method::Norms => "norms",
            Method::Head => "head",
            Method::Last => "last",
            Method::Ia3 => "ia3",
            Method::Prefix => "prefix",
            Method::PrefixMlp => "prefix-mlp",
            Method::PrefixDecoder => "prefix-decoder",
            Method::Houlsby => "houlsby",
            Method::Pfeiffer => "pfeiffer",
            Method::Parallel => "parallel",
            Method::PromptDecoder => "prompt-decoder",
            Method::PromptBoth => "prompt-both",
            Method::Ptuning => "ptuning",
            Method::PtuningLstm => "ptuning-lstm",
            Method::Warp => "warp",
            Method::Ladder => "ladder",
            Method::Instruction => "instruction",
            Method::FewShot => "few-shot",
            Method::Scratch => "scratch",
            Method::Intrinsic => "intrinsic",
            Method::Elsewhere => "elsewhere",
        }
    }

    /// The name printed in reports.
    pub fn title(self) -> &'static str {
        match self {
            Method::Untuned => "untuned",
            Method::Prompt => "prompt tuning",
            Method::Model => "model tuning",
            Method::Lora => "LoRA",
            Method::Bitfit => "BitFit",
            Method::Norms => "norm gains",
            Method::Head => "output head",
            Method::Last => "last blocks",
            Method::Ia3 => "(IA)³",
            Method::Prefix => "prefix tuning",
            Method::PrefixMlp => "prefix tuning, reparameterised",
            Method::PrefixDecoder => "prefix tuning, decoder",
            Method::Houlsby => "Houlsby adapters",
            Method::Pfeiffer => "Pfeiffer adapters",
            Method::Parallel => "parallel adapters",
            Method::PromptDecoder => "prompt tuning, decoder",
            Method::PromptBoth => "prompt tuning, both inputs",
            Method::Ptuning => "P-tuning",
            Method::PtuningLstm => "P-tuning, LSTM",
            Method::Warp => "WARP",
            Method::Ladder => "ladder side tuning",
            Method::Instruction => "instruction",
            Method::FewShot => "examples in context",
            Method::Scratch => "from random weights",
            Method::Intrinsic => "intrinsic prompt tuning",
            Method::Elsewhere => "tuned elsewhere",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_written_by_its_name_and_stands_in_its_place() {
        for (place, method) in Method::ALL.into_iter().enumerate() {
            let written = serde_json::to_value(method).expect("plain data");
            assert_eq!(written, method.name());
            assert_eq!(method as usize, place, "{}", method.name());
        }
    }
}
