//! What a method adds to the backbone or sets free in it, as plain data.

use serde::{Deserialize, Serialize};

use crate::recipe::Map;

/// What is tuned.
///
/// Records of prompt and of model tuning have no such key, as they had none before there were other methods: a recipe
/// with a prompt alone is [`DeltaRecipe::Prompt`], one without either [`DeltaRecipe::Model`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaRecipe {
    /// The recipe's prompt, before the input.
    #[serde(skip)]
    Prompt,
    /// Every parameter of the model.
    #[serde(skip)]
    Model,
    /// Thin products beside linear maps.
    Lora(LoraRecipe),
    /// The biases; where the backbone has none, an added one for every linear map of the blocks.
    AddedBiases,
    /// The gains of the norms.
    NormGains,
    /// The output head.
    OutputHead,
    /// The last blocks before the output head, with their final norm.
    LastBlocks(LastBlocksRecipe),
    /// Scales of keys, values and the feed-forward's hidden units.
    Scales,
    /// Keys and values before those of every attention.
    Prefix(PrefixRecipe),
    /// Bottlenecks after sub-layers or beside them.
    Adapters(AdapterRecipe),
    /// The recipe's prompt elsewhere than before the encoder's input.
    PromptPlaces(PromptPlaces),
    /// A network that makes the recipe's prompt.
    PromptNetwork(PromptNetworkRecipe),
    /// The recipe's prompt, and output vectors of the tokens of [`label_ids`](super::Recipe::label_ids).
    PromptAndLabels,
    /// A prompt in a subspace of earlier prompts.
    Subspace(SubspaceRecipe),
    /// A small network beside the backbone.
    Ladder(LadderRecipe),
    /// Words before the input; nothing is trained.
    Preamble(PreambleRecipe),
    /// Everything, from random weights.
    RandomWeights,
}

impl DeltaRecipe {
    /// Whether records have no key of it: the recipe's prompt says which it is.
    pub(super) fn is_implied(&self) -> bool {
        matches!(self, DeltaRecipe::Prompt | DeltaRecipe::Model)
    }
}

/// See [`DeltaRecipe::Lora`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraRecipe {
    /// `r`, the width between the two thin maps.
    pub rank: usize,
    /// `α`: the product is multiplied by `α/r`.
    pub alpha: f64,
    /// The linear maps that have one, in every attention and feed-forward.
    pub maps: Vec<Map>,
    /// The rank beside each linear map of the blocks in turn, 0 where there is none: of a LoRA that another program
    /// trained beside some blocks alone, or with several ranks. Empty where `rank` and `maps` say all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<usize>,
}

impl LoraRecipe {
    /// The rank beside the linear map at this place among those of the blocks; 0 where there is none.
    pub fn rank_at(&self, place: usize, map: Map) -> usize {
        match self.ranks.get(place) {
            Some(&rank) => rank,
            None if self.maps.contains(&map) => self.rank,
            None => 0,
        }
    }

    /// By what every product is multiplied, whatever its rank: `α/r`.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}

/// See [`DeltaRecipe::LastBlocks`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastBlocksRecipe {
    /// How many; all of the stack's where it has no more.
    pub blocks: usize,
}

/// See [`DeltaRecipe::Prefix`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixRecipe {
    /// `P`, the keys and values before those of an attention.
    pub length: usize,
    /// What is trained.
    pub form: PrefixForm,
    /// The attentions that have one.
    #[serde(default, skip_serializing_if = "PrefixPlaces::is_every")]
    pub places: PrefixPlaces,
}

/// The attentions that have a prefix. Records of prefixes everywhere have no such key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrefixPlaces {
    /// Every one: the encoder's, the decoder's, the decoder's to the encoder. A prefix has no
    /// position.
    #[default]
    Every,
    /// The decoder's to itself. A prefix stands before the start token.
    Decoder,
}

impl PrefixPlaces {
    fn is_every(&self) -> bool {
        *self == PrefixPlaces::Every
    }
}

/// How prefixes are parameterised in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrefixForm {
    /// Keys and values themselves.
    Direct,
    /// Vectors `[P, D]` of each kind of attention, and a network that makes all its keys and values
    /// of them; thrown away when training ends.
    Network {
        /// The network's hidden units.
        hidden: usize,
    },
}

/// See [`DeltaRecipe::Adapters`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterRecipe {
    /// Where they stand.
    pub placement: Placement,
    /// The bottleneck is `D / reduction` wide.
    pub reduction: usize,
}

/// Where adapters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// After self-attention and after the feed-forward.
    Houlsby,
    /// After the feed-forward.
    Pfeiffer,
    /// Beside the feed-forward.
    Parallel,
}

/// See [`DeltaRecipe::PromptPlaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPlaces {
    /// Before the decoder's start token.
    Decoder,
    /// There, and before the encoder's input.
    Both,
}

/// See [`DeltaRecipe::PromptNetwork`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptNetworkRecipe {
    /// What it is.
    pub form: PromptNetworkForm,
    /// `h`, its hidden units.
    pub hidden: usize,
}

/// A network that makes a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptNetworkForm {
    /// Three linear maps.
    Mlp,
    /// A bidirectional LSTM of two layers and two linear maps.
    Lstm,
}

/// See [`DeltaRecipe::Subspace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubspaceRecipe {
    /// `P`, the vectors of its prompts.
    pub length: usize,
    /// `d`, the coordinates that are tuned.
    pub dimension: usize,
    /// The subspace; none until one is named, and nothing can be tuned before.
    pub file: Option<SubspaceStart>,
}

/// See [`SubspaceRecipe::file`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubspaceStart {
    /// Where it is read from.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The domains whose training rows its prompts have seen, where the file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_on: Option<Vec<String>>,
}

/// See [`DeltaRecipe::Ladder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LadderRecipe {
    /// `r`: every width is the backbone's over it.
    pub reduction: usize,
}

/// See [`DeltaRecipe::Preamble`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreambleRecipe {
    /// These words.
    Instruction(String),
    /// So many examples of the source's training rows, with their answers.
    Examples(usize),
}

#[cfg(test)]
mod tests {
    use super::DeltaRecipe;
    use crate::recipe::{Defaults, Method, Recipe};

    #[test]
    fn prompt_and_model_tuning_have_no_key_and_are_read_without_one() {
        for method in [Method::Prompt, Method::Model, Method::Lora] {
            let recipe = Recipe::default_for(Defaults::T5, method);
            let written = serde_json::to_value(&recipe).expect("plain data");
            let has_key = written.get("delta").is_some();
            assert_eq!(has_key, method == Method::Lora, "{}", method.name());
            let read: Recipe = serde_json::from_value(written).expect("a recipe");
            assert_eq!(read, recipe);
        }
        for named in ["Prompt", "Model", "prompt", "model"] {
            assert!(serde_json::from_str::<DeltaRecipe>(&format!("\"{named}\"")).is_err());
        }
    }
}
