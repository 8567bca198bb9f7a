//! The tuning methods, one file each: where a method enters the backbone, what it trains, and how many parameters that
//! is.
//!
//! A method's name, title and default recipes are in its [entry](promptshift_numbers::recipe::Method); what it does to
//! tensors is an `impl Delta`, which [`delta`] returns.

mod adapters;
mod bitfit;
mod head;
mod ia3;
mod ladder;
mod last;
pub mod lora;
mod model;
mod norms;
mod preamble;
mod prefix;
mod prompt;
mod prompt_places;
mod ptuning;
mod scratch;
mod subspace;
mod warp;

use super::draw::Draw;
use super::inputs::{MethodInputs, PromptError};
use super::tuned::Tuned;
use crate::network::{Config, Kind, Network};
use promptshift_numbers::recipe::{Defaults, DeltaRecipe, Method, Recipe};

pub use model::model_tuning;
pub use prompt::prompt_tuning;

/// A tuning method: one implementation for each variant of [`DeltaRecipe`].
pub(super) trait Delta {
    /// Its description for lists.
    fn about(&self) -> About;

    /// Whether the method supports this kind of network, or why not: it makes no sense there, or it is not implemented,
    /// which the reason then begins with.
    fn supports(&self, _: Kind) -> Result<(), &'static str> {
        Ok(())
    }

    /// Whether it tunes output vectors of the label tokens, which requires labels of the source: [`Recipe::label_ids`].
    fn wants_labels(&self) -> bool {
        false
    }

    /// The sizes in its recipe, each with its description for messages; all must be at least 1.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// The backbone with the recipe's prompt, if it has one, initialised; nothing requires gradients.
    ///
    /// # Errors
    /// The prompt can't be initialised.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        match &start.recipe.prompt {
            Some(recipe) => prompt::with_start(backbone, recipe, start.inputs, start.seed),
            None => Ok(Tuned::untuned(backbone)),
        }
    }

    /// Adds the method's own parameters with initial values, not requiring gradients. The recipe's prompt and output
    /// vectors are already there.
    fn attach(&self, tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        tuned
    }

    /// Whether the parameter at this path in [`Tuned`] is trained and, unless training discards it, stored.
    fn is_trainable(&self, path: &str, config: &Config) -> bool;

    /// The number of trainable parameters, computed without weights.
    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize;

    /// The number of parameters added to the backbone during training, frozen ones included. The default, the trainable
    /// ones, holds if none of the backbone's own are trained.
    fn added_parameters(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }

    /// Whether the result is saved as an adapter: it is neither a plain soft prompt nor whole weights.
    fn leaves_adapter(&self) -> bool {
        true
    }

    /// The number of stored parameters. Defaults to the trainable ones; smaller if training discards some.
    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }
}

/// What a method starts from.
pub(super) struct Start<'a> {
    pub recipe: &'a Recipe,
    pub inputs: &'a MethodInputs,
    pub seed: u64,
}

/// The implementation of a recipe's delta.
pub(super) fn delta(recipe: &DeltaRecipe) -> &dyn Delta {
    match recipe {
        DeltaRecipe::Prompt => &prompt::Prompt,
        DeltaRecipe::Model => &model::Model,
        DeltaRecipe::Lora(recipe) => recipe,
        DeltaRecipe::AddedBiases => &bitfit::AddedBiases,
        DeltaRecipe::NormGains => &norms::NormGains,
        DeltaRecipe::OutputHead => &head::OutputHead,
        DeltaRecipe::LastBlocks(recipe) => recipe,
        DeltaRecipe::Scales => &ia3::Scales,
        DeltaRecipe::Prefix(recipe) => recipe,
        DeltaRecipe::Adapters(recipe) => recipe,
        DeltaRecipe::PromptPlaces(recipe) => recipe,
        DeltaRecipe::PromptNetwork(recipe) => recipe,
        DeltaRecipe::Subspace(recipe) => recipe,
        DeltaRecipe::PromptAndLabels => &warp::PromptAndLabels,
        DeltaRecipe::Ladder(recipe) => recipe,
        DeltaRecipe::Preamble(recipe) => recipe,
        DeltaRecipe::RandomWeights => &scratch::RandomWeights,
    }
}

/// A method's description.
pub fn about(method: Method) -> About {
    let untuned = |what| About {
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

/// A method's description for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its family.
    pub family: Family,
    /// What is tuned, in one line.
    pub what: &'static str,
    /// The paper.
    pub paper: &'static str,
    /// The reference code, if any.
    pub code: Option<&'static str>,
}

/// Families of methods (after Ding et al. 2022, arXiv 2203.06904).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Nothing is trained.
    None,
    /// Vectors before the input or before attention's keys and values.
    Prompts,
    /// Small networks within the frozen one.
    Additions,
    /// Some of the backbone's own parameters.
    Specified,
    /// Low-dimensional changes of the weights.
    Reparameterised,
    /// Everything.
    All,
}

impl Family {
    /// Its name in lists.
    pub fn name(self) -> &'static str {
        match self {
            Family::None => "none",
            Family::Prompts => "prompts",
            Family::Additions => "additions",
            Family::Specified => "specified",
            Family::Reparameterised => "reparameterised",
            Family::All => "all",
        }
    }
}
