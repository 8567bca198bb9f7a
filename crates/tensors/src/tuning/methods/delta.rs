//! The interface of a tuning method: how it changes a backbone, and its description for lists.

use burn::tensor::Tensor;

use crate::network::{Config, Kind, Network};
use crate::tuning::draw::Draw;
use crate::tuning::inputs::{self, MethodInputs, PromptError};
use crate::tuning::soft_prompt::SoftPrompt;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PromptRecipe, Recipe};

/// A tuning method, with one implementation for each variant of [`DeltaRecipe`].
pub(in crate::tuning) trait Delta {
    /// Its description for lists.
    fn about(&self) -> About;

    /// Whether the method supports this kind of network, or why not: it is not applicable, or it is not
    /// implemented, in which case the reason starts with that.
    fn supports(&self, _: Kind) -> Result<(), &'static str> {
        Ok(())
    }

    /// Whether it tunes output vectors of the label tokens, which requires a source with labels:
    /// [`Recipe::label_ids`].
    fn wants_labels(&self) -> bool {
        false
    }

    /// The sizes in its recipe, each with its description for messages; each must be at least 1.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// The backbone with the recipe's prompt, if any, initialised; nothing requires gradients.
    ///
    /// # Errors
    /// The prompt can't be initialised.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        match &start.recipe.prompt {
            Some(recipe) => with_prompt(backbone, recipe, start.inputs, start.seed),
            None => Ok(Tuned::untuned(backbone)),
        }
    }

    /// Adds the method's own parameters with initial values, not requiring gradients. `tuned` already has the
    /// recipe's prompt and output vectors.
    fn attach(&self, tuned: Tuned, _: &Config, _: &mut Draw) -> Tuned {
        tuned
    }

    /// Whether the parameter at this path in [`Tuned`] is trained. Trained parameters are stored unless
    /// training discards them.
    fn is_trainable(&self, path: &str, config: &Config) -> bool;

    /// The number of trainable parameters, computed from the configuration alone.
    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize;

    /// The number of parameters added to the backbone during training, including frozen ones. Defaults to the
    /// trainable ones, which is correct if none of the backbone's parameters train.
    fn added_parameters(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }

    /// What is saved after training.
    fn leaves(&self) -> Leaves {
        Leaves::Adapter
    }

    /// The number of stored parameters. Defaults to the trainable ones; smaller if training discards some.
    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }
}

/// What is saved after training; a prompt with a new head is saved as an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tuning) enum Leaves {
    /// A soft prompt.
    Prompt,
    /// The trained parameters.
    Adapter,
    /// All weights.
    Model,
}

/// The inputs of [`Delta::start`].
pub(in crate::tuning) struct Start<'a> {
    pub recipe: &'a Recipe,
    pub inputs: &'a MethodInputs,
    pub seed: u64,
}

/// The backbone with an initialised prompt; nothing requires gradients.
pub(super) fn with_prompt(
    backbone: Network,
    recipe: &PromptRecipe,
    words: &MethodInputs,
    seed: u64,
) -> Result<Tuned, PromptError> {
    let vectors = inputs::start(&backbone.embedding(), recipe, words, seed)?;
    let prompt = SoftPrompt::of(Tensor::from_data(vectors, &backbone.device()));
    Ok(Tuned {
        prompt: Some(prompt),
        ..Tuned::untuned(backbone)
    })
}

/// A method's description for lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Its name in messages.
    pub name: &'static str,
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
    /// No training.
    None,
    /// Vectors before the input, or before the keys and values of attention.
    Prompts,
    /// Small networks inside the frozen network.
    Additions,
    /// Some of the backbone's own parameters.
    Specified,
    /// Low-dimensional changes of the weights.
    Reparameterised,
    /// All parameters.
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
