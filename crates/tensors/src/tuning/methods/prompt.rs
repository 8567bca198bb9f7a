//! Prompt tuning (Lester, Al-Rfou & Constant 2021, "The Power of Scale for Parameter-Efficient
//! Prompt Tuning", arXiv 2104.08691): `P` vectors before the embedded input of a frozen model.
//!
//! Reference code: google-research/prompt-tuning, `prompt_tuning/prompts.py` (initialisation) and
//! `prompt_tuning/train/prompts.py` (where it is inserted).

use burn::module::Module;
use burn::tensor::Tensor;

use super::{About, Delta, Family};
use crate::network::{Config, Network};
use crate::tuning::inputs::{self, MethodInputs, PromptError};
use crate::tuning::soft_prompt::SoftPrompt;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PromptRecipe, Recipe};

pub(super) struct Prompt;

impl Delta for Prompt {
    fn about(&self) -> About {
        About {
            family: Family::Prompts,
            what: "a soft prompt before the input",
            paper: "Lester et al. 2021, arXiv 2104.08691",
            code: Some("google-research/prompt-tuning"),
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        recipe.prompt_length() * config.width()
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}

/// Freezes the backbone and puts a new soft prompt before its input.
///
/// # Errors
/// The prompt can't be initialised: see [`PromptError`].
pub fn prompt_tuning(
    backbone: Network,
    recipe: &PromptRecipe,
    words: &MethodInputs,
    seed: u64,
) -> Result<Tuned, PromptError> {
    let tuned = with_start(backbone, recipe, words, seed)?;
    Ok(Tuned {
        prompt: tuned.prompt.map(Module::train),
        ..tuned
    })
}

/// The backbone with an initialised prompt; nothing requires gradients.
pub(super) fn with_start(
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
