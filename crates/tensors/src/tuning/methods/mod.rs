//! The tuning methods: where a method modifies the backbone, what it trains, and how many parameters that is.
//!
//! A method's name, title and default recipes are in its [entry](promptshift_numbers::recipe::Method); its
//! tensors are defined by an `impl Delta`, which [`delta()`] returns.

mod adapters;
mod delta;
mod ladder;
pub mod lora;
mod model;
mod prefix;
mod prompts;
mod specified;

use promptshift_numbers::recipe::{Defaults, DeltaRecipe, Method, Recipe};

pub use delta::{About, Family};
pub(super) use delta::{Delta, Leaves, Start};
pub use model::model_tuning;
pub use prompts::prompt_tuning;

/// The implementation of a recipe's delta.
pub(super) fn delta(recipe: &DeltaRecipe) -> &dyn Delta {
    match recipe {
        DeltaRecipe::Prompt => &prompts::Prompt,
        DeltaRecipe::Model => &model::Model,
        DeltaRecipe::Lora(recipe) => recipe,
        DeltaRecipe::Vera(recipe) => recipe,
        DeltaRecipe::AddedBiases => &specified::AddedBiases,
        DeltaRecipe::NormGains => &specified::NormGains,
        DeltaRecipe::OutputHead => &specified::OutputHead,
        DeltaRecipe::LastBlocks(recipe) => recipe,
        DeltaRecipe::Scales => &lora::Scales,
        DeltaRecipe::Prefix(recipe) => recipe,
        DeltaRecipe::Adapters(recipe) => recipe,
        DeltaRecipe::PromptPlaces(recipe) => recipe,
        DeltaRecipe::PromptNetwork(recipe) => recipe,
        DeltaRecipe::Subspace(recipe) => recipe,
        DeltaRecipe::PromptAndLabels => &prompts::PromptAndLabels,
        DeltaRecipe::Ladder(recipe) => recipe,
        DeltaRecipe::Preamble(recipe) => recipe,
        DeltaRecipe::RandomWeights => &model::RandomWeights,
    }
}

/// A method's description.
pub fn about(method: Method) -> About {
    let untuned = |what| About {
        name: "no tuning",
        family: Family::None,
        what,
        paper: "—",
        code: None,
    };
    match method {
        Method::Untuned => untuned("nothing: the pre-trained model"),
        Method::Elsewhere => untuned("nothing here: a result tuned elsewhere"),
        tuned => delta(&Recipe::default_for(Defaults::T5, tuned).delta).about(),
    }
}
