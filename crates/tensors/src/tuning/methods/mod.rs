//! The tuning methods, one file each: where a method enters the backbone, what it trains, and how many parameters
//! that is.
//!
//! A method's name, title and default recipes are its [entry](promptshift_numbers::recipe::Method) among the methods;
//! what it does to tensors is an `impl Delta`, which [`delta`] finds.

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
    /// What is known of it, for lists.
    fn about(&self) -> About;

    /// Whether the method can be put on a network of this kind, or why not: it makes no sense there, or it
    /// is not written for it, which the reason then begins with.
    fn supports(&self, _: Kind) -> Result<(), &'static str> {
        Ok(())
    }

    /// Whether it tunes output vectors of the tokens of the source's labels, which the source must
    /// have then: [`Recipe::label_ids`].
    fn wants_labels(&self) -> bool {
        false
    }

    /// The sizes that its recipe names, each with its description for messages: all must be at least 1.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// The backbone with the recipe's prompt, if it has one, in its starting values; nothing is on the tape.
    ///
    /// # Errors
    /// The prompt can't be made.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        match &start.recipe.prompt {
            Some(recipe) => prompt::with_start(backbone, recipe, start.inputs, start.seed),
            None => Ok(Tuned::untuned(backbone)),
        }
    }

    /// Adds the method's own parameters in their starting values, off the tape; the recipe's prompt and output
    /// vectors are there.
    fn attach(&self, tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        tuned
    }

    /// Whether training moves the parameter of this path in [`Tuned`]; after training, whether it
    /// is stored.
    fn is_trainable(&self, path: &str, config: &Config) -> bool;

    /// How many parameters training moves, without any weights at hand.
    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize;

    /// How many parameters are added to the backbone's own while it trains, frozen ones included; as many as move
    /// where none of the backbone's do.
    fn added_parameters(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }

    /// Whether the result has a file format of its own: it is neither a soft prompt like any other nor whole weights.
    fn leaves_adapter(&self) -> bool {
        true
    }

    /// How many parameters are stored; as many as move where none are thrown away.
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

/// What is known of a method.
pub fn about(method: Method) -> About {
    let untuned = |what| About {
        family: Family::None,
        what,
        paper: "—",
        code: None,
    };
    match method {
        Method::Untuned => untuned("nothing: the model as it was pre-trained"),
        Method::Elsewhere => untuned("what was tuned elsewhere: nothing is trained here"),
        tuned => delta(&Recipe::default_for(Defaults::T5, tuned).delta).about(),
    }
}

/// What is known of a method, for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// What it is a kind of.
    pub family: Family,
    /// What is tuned, in a line.
    pub what: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// The code that it follows, where there is some.
    pub code: Option<&'static str>,
}

/// Kinds of methods (after Ding et al. 2022, arXiv 2203.06904).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Nothing is trained.
    None,
    /// Vectors before the input or before attention's keys and values.
    Prompts,
    /// Small networks within the frozen one.
    Additions,
    /// Some of the parameters that are there.
    Specified,
    /// Changes of the weights in fewer dimensions.
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
