//! A recipe's method on a backbone: whether it can be put there, what is trained, and how much that is.

use super::answer_head::{self, LabelVectors};
use super::draw::Draw;
use super::inputs::{MethodInputs, PromptError};
use super::methods::{self, Start};
use super::tuned::Tuned;
use crate::backbone::Backbone;
use crate::network::{Config, Kind};
use crate::parameters;
use promptshift_numbers::recipe::Recipe;

/// A method that can't be put on a backbone.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// Its prompt can't be made.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// It makes no sense on this kind of network, or is not written for it.
    #[error("{what} on {kind}: {why}; see promptshift list methods --model")]
    Unfit {
        /// What would be tuned.
        what: &'static str,
        /// The kind of network.
        kind: Kind,
        /// Why it can't be.
        why: &'static str,
    },
    /// The network has no positions left for an input.
    #[error(
        "{vectors} vectors and outputs of up to {output} tokens: the model has {positions} positions in all, and \
         none is left for an input; wanted a shorter prompt, or a model with more positions"
    )]
    TooLong {
        /// Of the prompt.
        vectors: usize,
        /// The longest output.
        output: usize,
        /// The network's.
        positions: usize,
    },
}

/// Whether a recipe's method can be put on networks of this kind.
///
/// # Errors
/// [`TuningError::Unfit`]: it can't.
pub fn supports(recipe: &Recipe, kind: Kind) -> Result<(), TuningError> {
    (methods::delta(&recipe.delta).supports(kind)).map_err(|why| TuningError::Unfit {
        what: recipe.delta.name(),
        kind,
        why,
    })
}

/// Whether a recipe's method tunes output vectors of the source's labels, so that the source must have
/// some.
pub fn wants_labels(recipe: &Recipe) -> bool {
    methods::delta(&recipe.delta).wants_labels()
}

/// Whether the recipe's output vectors can be made, of a head of `vocabulary` tokens.
///
/// # Errors
/// It has no tokens of labels, or ones that the head has not.
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

/// Puts a recipe's method on a backbone: what it trains is on the tape, all else is frozen.
///
/// # Errors
/// The recipe's prompt can't be made, or its method can't be put on this kind of network.
pub fn apply(
    backbone: &Backbone,
    recipe: &Recipe,
    inputs: &MethodInputs,
    seed: u64,
) -> Result<Tuned, TuningError> {
    let tuned = attach(backbone, recipe, inputs, seed)?;
    Ok(resumed(tuned, recipe, &backbone.config))
}

/// Puts what a recipe trains on the tape, to start or resume its training. `tuned` is off the tape, as training
/// leaves it: before [`Tuned::into_inference`].
pub fn resumed(tuned: Tuned, recipe: &Recipe, config: &Config) -> Tuned {
    parameters::train(tuned, |path| is_trainable(recipe, path, config))
}

/// The backbone with a recipe's prompt and delta in their starting values; nothing is on the tape.
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

/// Whether a recipe trains the parameter of this path in [`Tuned`].
pub(super) fn is_trainable(recipe: &Recipe, path: &str, config: &Config) -> bool {
    let is_of_head = recipe.head.is_some() && answer_head::is_of_head(path);
    is_of_head || methods::delta(&recipe.delta).is_trainable(path, config)
}

/// A method's numbers on a model, in closed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Parameters {
    /// What training moves.
    pub trainable: usize,
    /// What there is while it trains, the backbone's own among it.
    pub total: usize,
    /// What it leaves behind.
    pub stored: usize,
}

impl Parameters {
    /// Those of a recipe on a model of this configuration.
    pub fn of(recipe: &Recipe, config: &Config) -> Self {
        let head = recipe
            .head
            .map_or(0, |head| head.parameters(config.width()));
        let delta = methods::delta(&recipe.delta);
        Parameters {
            trainable: head + delta.trainable(recipe, config),
            total: head + config.parameters() + delta.added_parameters(recipe, config),
            stored: head + delta.stored(recipe, config),
        }
    }
}
