//! What a method adds to the backbone or trains in it, as plain data.

use serde::{Deserialize, Serialize};

/// A linear map of a block, by its name in T5's checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// Queries, `[D, H·K]`.
    Q,
    /// Keys, `[D, H·K]`.
    K,
    /// Values, `[D, H·K]`.
    V,
    /// Attention's output, `[H·K, D]`.
    O,
    /// The feed-forward's gate, `[D, F]`, in networks that have one: T5 v1.1's, Llama's `gate_proj`.
    #[serde(rename = "wi_0")]
    Wi0,
    /// The feed-forward's first map, `[D, F]`: `wi` in T5 v1.0, Llama's `up_proj`.
    #[serde(rename = "wi_1")]
    Wi1,
    /// The feed-forward's last map, `[F, D]`: Llama's `down_proj`.
    Wo,
}

impl Map {
    /// Every map.
    pub const ALL: [Map; 7] = [Map::Q, Map::K, Map::V, Map::O, Map::Wi0, Map::Wi1, Map::Wo];
}

/// What is tuned.
///
/// Records of prompt and model tuning do not have this key, since it was added with the other methods: a recipe with
/// only a prompt is [`DeltaRecipe::Prompt`], one without a prompt [`DeltaRecipe::Model`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaRecipe {
    /// The recipe's prompt, before the input.
    #[serde(skip)]
    Prompt,
    /// Every parameter of the model.
    #[serde(skip)]
    Model,
    /// Low-rank updates of linear layers.
    Lora(LoraRecipe),
    /// Scales of random low-rank updates that all linear layers share.
    Vera(VeraRecipe),
    /// The biases; in a backbone without biases, one added to every linear map of the blocks.
    AddedBiases,
    NormGains,
    OutputHead,
    /// The last blocks before the output head, with their final norm.
    LastBlocks(LastBlocksRecipe),
    /// Scales of keys, values and the feed-forward's hidden units.
    Scales,
    /// Keys and values prepended in every attention.
    Prefix(PrefixRecipe),
    /// Bottleneck adapters after or beside sub-layers.
    Adapters(AdapterRecipe),
    /// The recipe's prompt before the decoder's input.
    PromptPlaces(PromptPlaces),
    /// A network that generates the recipe's prompt.
    PromptNetwork(PromptNetworkRecipe),
    /// The recipe's prompt and the output vectors of the tokens in [`label_ids`](super::Recipe::label_ids).
    PromptAndLabels,
    /// A prompt in a subspace of earlier prompts.
    Subspace(SubspaceRecipe),
    /// A small network beside the backbone.
    Ladder(LadderRecipe),
    /// A text before the input; nothing is trained.
    Preamble(PreambleRecipe),
    /// All parameters, from random weights.
    RandomWeights,
}

impl DeltaRecipe {
    /// Whether records leave it out, since the recipe's prompt implies it.
    pub(super) fn is_implied(&self) -> bool {
        matches!(self, DeltaRecipe::Prompt | DeltaRecipe::Model)
    }
}

/// See [`DeltaRecipe::Lora`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraRecipe {
    /// `r`, the rank of the product.
    pub rank: usize,
    /// `α`, from which the product's scale is computed: see [`LoraScaling`].
    pub alpha: f64,
    /// The linear maps to which a product is added, in every attention and feed-forward.
    pub maps: Vec<Map>,
    /// The rank at each linear map of the blocks in turn, 0 for none. It describes a LoRA of another program with
    /// several ranks or on some blocks only; empty if `rank` and `maps` suffice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<usize>,
    /// The product's scale. Records do not have this key if it is LoRA's own.
    #[serde(default, skip_serializing_if = "LoraScaling::is_lora")]
    pub scaling: LoraScaling,
    /// What is trained beside the product. Records do not have this key if nothing is.
    #[serde(default, skip_serializing_if = "LoraForm::is_lora")]
    pub form: LoraForm,
}

/// The scale of LoRA's product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraScaling {
    /// `α/r`.
    #[default]
    Lora,
    /// `α/√r`, with which gradients do not shrink as the rank grows (Kalajdzievski 2023, arXiv 2312.03732).
    Rslora,
}

impl LoraScaling {
    fn is_lora(&self) -> bool {
        *self == LoraScaling::Lora
    }

    /// What `α` is divided by.
    fn divisor(self, rank: usize) -> f64 {
        match self {
            LoraScaling::Lora => rank as f64,
            LoraScaling::Rslora => (rank as f64).sqrt(),
        }
    }

    /// The scale of a product with this `α` and rank.
    pub fn scale(self, alpha: f64, rank: usize) -> f64 {
        alpha / self.divisor(rank)
    }

    /// The `α` with which a product of this rank has this scale.
    pub fn alpha(self, scale: f64, rank: usize) -> f64 {
        scale * self.divisor(rank)
    }
}

/// What a LoRA trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraForm {
    /// The product.
    #[default]
    Lora,
    /// DoRA: the product, which changes the directions of a weight's columns, and their magnitudes.
    Dora,
}

impl LoraForm {
    fn is_lora(&self) -> bool {
        *self == LoraForm::Lora
    }
}

impl LoraRecipe {
    /// The rank at the linear map with this index among those of the blocks; 0 for none.
    pub fn rank_at(&self, place: usize, map: Map) -> usize {
        match self.ranks.get(place) {
            Some(&rank) => rank,
            None if self.maps.contains(&map) => self.rank,
            None => 0,
        }
    }

    /// The factor of every product, whatever its rank.
    pub fn scale(&self) -> f64 {
        self.scaling.scale(self.alpha, self.rank)
    }
}

/// See [`DeltaRecipe::Vera`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VeraRecipe {
    /// `r`, the rank of the random projections.
    pub rank: usize,
    /// The linear maps that are changed, in every attention and feed-forward.
    pub maps: Vec<Map>,
    /// The key that the projections are drawn from, whatever the training's seed.
    pub key: u64,
}

/// See [`DeltaRecipe::LastBlocks`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastBlocksRecipe {
    /// How many; all blocks of a stack that has fewer.
    pub blocks: usize,
}

/// See [`DeltaRecipe::Prefix`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrefixRecipe {
    /// `P`, the number of keys and values prepended to an attention's.
    pub length: usize,
    /// What is trained.
    pub form: PrefixForm,
    /// The attentions that have a prefix.
    #[serde(default, skip_serializing_if = "PrefixPlaces::is_every")]
    pub places: PrefixPlaces,
}

/// The attentions that have a prefix. Records do not have this key if all attentions have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrefixPlaces {
    /// Every attention: encoder, decoder and cross-attention. A prefix has no position.
    #[default]
    Every,
    /// The decoder's self-attention. The prefix precedes the start token.
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
    /// The keys and values are parameters.
    Direct,
    /// Vectors `[P, D]` for each kind of attention, and a network that computes its keys and values from them; the
    /// network is discarded when training ends.
    Network {
        /// Hidden units of the network.
        hidden: usize,
    },
}

/// See [`DeltaRecipe::Adapters`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterRecipe {
    /// Where they are inserted.
    pub placement: Placement,
    /// The bottleneck's width is `D / reduction`.
    pub reduction: usize,
}

/// Where adapters are inserted.
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
    /// Before the decoder's start token and before the encoder's input.
    Both,
}

/// See [`DeltaRecipe::PromptNetwork`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptNetworkRecipe {
    /// The kind of network.
    pub form: PromptNetworkForm,
    /// `h`, the number of hidden units.
    pub hidden: usize,
}

/// The kinds of networks that generate a prompt.
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
    /// `P`, the number of prompt vectors.
    pub length: usize,
    /// `d`, the number of tuned coordinates.
    pub dimension: usize,
    /// The subspace; absent until one is given, and required for tuning.
    pub file: Option<SubspaceStart>,
}

/// See [`SubspaceRecipe::file`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubspaceStart {
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The domains that its prompts were trained on, if the file records them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_on: Option<Vec<String>>,
}

/// See [`DeltaRecipe::Ladder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LadderRecipe {
    /// `r`: every width is the backbone's divided by it.
    pub reduction: usize,
}

/// See [`DeltaRecipe::Preamble`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreambleRecipe {
    Instruction(String),
    /// So many examples from the source's training rows, with their answers.
    Examples(usize),
}

#[cfg(test)]
mod tests {
    use super::DeltaRecipe;
    use crate::recipe::{Defaults, Method, Recipe};

    #[test]
    fn prompt_and_model_tuning_are_written_and_read_without_a_key() {
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
