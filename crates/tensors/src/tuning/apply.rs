//! Applies a recipe's method to a backbone: checks that it is supported, sets which parameters train, and
//! counts them.

use super::answer_head::{self, LabelVectors};
use super::draw::Draw;
use super::inputs::{MethodInputs, PromptError};
use super::methods::{self, Start};
use super::tuned::Tuned;
use crate::backbone::Backbone;
use crate::network::{Config, Kind};
use crate::parameters;
use promptshift_numbers::recipe::Recipe;

/// Why a method can't be applied to a backbone.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// Its prompt can't be initialised.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// It is not applicable to this kind of network, or not implemented for it.
    #[error("{what} on {kind}: {why}; see promptshift list methods --model")]
    Unfit {
        /// The method.
        what: &'static str,
        /// The kind of network.
        kind: Kind,
        /// The reason.
        why: &'static str,
    },
    /// The network has no positions left for an input.
    #[error(
        "{vectors} vectors and outputs of up to {output} tokens: the model has {positions} positions, \
         which leaves none for an input; wanted a shorter prompt, or a model with more positions"
    )]
    TooLong {
        /// The number of the prompt's vectors.
        vectors: usize,
        /// The maximum output length.
        output: usize,
        /// The number of the network's positions.
        positions: usize,
    },
}

/// Checks that a recipe's method supports this kind of network.
///
/// # Errors
/// [`TuningError::Unfit`] if it does not.
pub fn supports(recipe: &Recipe, kind: Kind) -> Result<(), TuningError> {
    let delta = methods::delta(&recipe.delta);
    delta.supports(kind).map_err(|why| TuningError::Unfit {
        what: delta.about().name,
        kind,
        why,
    })
}

/// Whether a recipe's method tunes output vectors of the source's labels, so that the source must have
/// labels.
pub fn wants_labels(recipe: &Recipe) -> bool {
    methods::delta(&recipe.delta).wants_labels()
}

/// Checks that the recipe's output vectors can be made for a head of `vocabulary` tokens.
///
/// # Errors
/// It has no label tokens, or tokens that the head does not have.
pub fn check_labels(
    recipe: &Recipe,
    inputs: &MethodInputs,
    vocabulary: usize,
) -> Result<(), PromptError> {
    if !wants_labels(recipe) {
        return Ok(());
    }
    if recipe.label_ids.is_empty() {
        return Err(PromptError::NoLabelVectors(inputs.domain.clone()));
    }
    let mut ids = recipe.label_ids.iter();
    match ids.find(|&&id| id as usize >= vocabulary) {
        None => Ok(()),
        Some(&id) => Err(PromptError::NoToken { id, vocabulary }),
    }
}

/// Applies a recipe's method to a backbone: the parameters that it trains require gradients, all others are
/// frozen.
///
/// # Errors
/// The recipe's prompt can't be initialised, or its method does not support this kind of network.
pub fn apply(
    backbone: &Backbone,
    recipe: &Recipe,
    inputs: &MethodInputs,
    seed: u64,
) -> Result<Tuned, TuningError> {
    let tuned = attach(backbone, recipe, inputs, seed)?;
    Ok(resumed(tuned, recipe, &backbone.config))
}

/// Makes the parameters that a recipe trains require gradients, to start or resume training. `tuned` must be
/// as training leaves it, before [`Tuned::into_inference`].
pub fn resumed(tuned: Tuned, recipe: &Recipe, config: &Config) -> Tuned {
    parameters::train(tuned, |path| is_trainable(recipe, path, config))
}

/// The backbone with a recipe's prompt and delta initialised; nothing requires gradients.
pub(super) fn attach(
    backbone: &Backbone,
    recipe: &Recipe,
    inputs: &MethodInputs,
    seed: u64,
) -> Result<Tuned, TuningError> {
    supports(recipe, backbone.config.kind())?;
    let mut draw = Draw::new(seed, backbone.model.device());
    let config = &backbone.config;
    let delta = methods::delta(&recipe.delta);
    let model = answer_head::with_head(backbone.model.clone(), recipe.head, config, &mut draw);
    let start = Start {
        recipe,
        inputs,
        seed,
    };
    let mut tuned = delta.start(model, start)?;
    if wants_labels(recipe) {
        check_labels(recipe, inputs, config.vocabulary())?;
        tuned.label_vectors = LabelVectors::of_head(&backbone.model, &recipe.label_ids);
    }
    Ok(delta.attach(tuned, config, &mut draw))
}

/// Whether a recipe trains the parameter at this path in [`Tuned`].
pub(super) fn is_trainable(recipe: &Recipe, path: &str, config: &Config) -> bool {
    let is_of_head = recipe.head.is_some() && answer_head::is_of_head(path);
    is_of_head || methods::delta(&recipe.delta).is_trainable(path, config)
}

/// A method's parameter counts on a model, in closed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Parameters {
    /// Trainable parameters.
    pub trainable: usize,
    /// All parameters during training, the backbone's included.
    pub total: usize,
    /// Stored parameters.
    pub stored: usize,
}

impl Parameters {
    /// The counts for a recipe on a model of this configuration.
    pub fn of(recipe: &Recipe, config: &Config) -> Self {
        let head = recipe.head.map_or(0, |head| config.head_parameters(head));
        let delta = methods::delta(&recipe.delta);
        Parameters {
            trainable: head + delta.trainable(recipe, config),
            total: head + config.parameters() + delta.added_parameters(recipe, config),
            stored: head + delta.stored(recipe, config),
        }
    }
}
