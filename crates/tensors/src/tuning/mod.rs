//! Tuning methods: what is trainable and where it enters the backbone.

pub mod adapter_file;
mod adapters;
mod answer_head;
pub mod bank;
mod bitfit;
mod draw;
mod head;
mod ia3;
mod label_vectors;
mod ladder;
mod last;
mod lengths;
pub mod lora;
mod method;
mod model;
mod norms;
mod peft_folder;
mod preamble;
mod prefix;
mod prompt;
pub mod prompt_file;
mod prompt_network;
mod prompt_places;
mod save;
mod scratch;
pub mod subspace;
pub mod trained;
mod trained_tensors;
mod warp;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::backbone::Backbone;
use crate::bert::Head;
use crate::layers::{Dropout, HeadForm, Injected, Tokens};
use crate::network::{Config, Encoded, Kind, Network};
use draw::Draw;
use promptshift_numbers::recipe::{DeltaRecipe, Recipe};

pub use answer_head::{NoHead, head_form};
pub use label_vectors::LabelVectors;
pub use lengths::{cut_at, within};
pub use method::{About, Family, Parameter, about};
pub use model::model_tuning;
pub use prefix::Prefixes;
pub use prompt::{MethodInputs, PromptError, SoftPrompt, check, prompt_tuning, started};
use prompt_file::Vectors;

/// A backbone with what a method adds to it. What is trainable is on the autodiff device, what is
/// frozen is on the plain one: nothing is recorded, saved or updated for it.
#[derive(Module, Debug)]
pub struct Tuned {
    /// The network underneath.
    pub backbone: Network,
    /// The soft prompt, for prompt tuning.
    pub prompt: Option<SoftPrompt>,
    /// The soft prompt before the decoder's start token.
    pub decoder_prompt: Option<SoftPrompt>,
    /// Keys and values before those of attention, for prefix tuning.
    pub prefixes: Option<Prefixes>,
    /// Output vectors of the labels' tokens, in the head's place.
    pub label_vectors: Option<LabelVectors>,
}

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
    let Some(delta) = &recipe.delta else {
        return Ok(());
    };
    (method::delta(delta).supports(kind)).map_err(|why| TuningError::Unfit {
        what: delta.name(),
        kind,
        why,
    })
}

/// Whether a recipe's method tunes output vectors of the source's labels, so that the source must have
/// some.
pub fn wants_labels(recipe: &Recipe) -> bool {
    (recipe.delta.as_ref()).is_some_and(|delta| method::delta(delta).wants_labels())
}

/// Whether the recipe's output vectors can be made, of a head of `vocabulary` tokens.
///
/// # Errors
/// It has no tokens of labels, or ones that the head has not.
pub fn check_labels(
    recipe: &Recipe,
    words: &MethodInputs,
    vocabulary: usize,
) -> Result<(), PromptError> {
    if !wants_labels(recipe) {
        return Ok(());
    }
    if recipe.label_ids.is_empty() {
        return Err(PromptError::NoLabelVectors(words.domain.clone()));
    }
    match recipe
        .label_ids
        .iter()
        .find(|&&id| id as usize >= vocabulary)
    {
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
    words: &MethodInputs,
    seed: u64,
) -> Result<Tuned, TuningError> {
    let model = backbone.model.clone();
    match (&recipe.prompt, &recipe.delta) {
        (None, None) if recipe.head.is_none() => Ok(model_tuning(model)),
        (Some(prompt), None) if recipe.head.is_none() => {
            Ok(prompt_tuning(model, prompt, words, seed)?)
        }
        _ => {
            let tuned = attach(backbone, recipe, words, seed)?;
            Ok(method::train(tuned, |path| {
                is_trainable(recipe, path, &backbone.config)
            }))
        }
    }
}

/// What a recipe trains back on the tape, to go on with training it. `tuned` is off the tape, as training
/// left it: before [`Tuned::into_inference`].
pub fn resumed(tuned: Tuned, recipe: &Recipe, config: &Config) -> Tuned {
    method::train(tuned, |path| is_trainable(recipe, path, config))
}

/// The backbone with a recipe's prompt and delta in their starting values; nothing is on the tape.
fn attach(
    backbone: &Backbone,
    recipe: &Recipe,
    words: &MethodInputs,
    seed: u64,
) -> Result<Tuned, TuningError> {
    supports(recipe, backbone.config.kind())?;
    let mut draw = Draw::new(seed, backbone.model.device());
    let config = &backbone.config;
    let model = answer_head::with_head(backbone.model.clone(), recipe.head, config, &mut draw);
    let mut tuned = match (&recipe.prompt, &recipe.delta) {
        (_, DeltaRecipe::Subspace(_)) => subspace::with_middle(model, words.subspace.as_ref())?,
        (Some(prompt), _) => prompt::with_start(model, prompt, words, seed)?,
        (None, DeltaRecipe::Preamble(_)) => prompt::with_words(model, words)?,
        (None, _) => Tuned::untuned(model),
    };
    if wants_labels(recipe) {
        check_labels(recipe, words, backbone.config.vocabulary())?;
        tuned.label_vectors = LabelVectors::of_head(&backbone.model, &recipe.label_ids);
    }
    Ok(match &recipe.delta {
        Some(delta) => method::delta(delta).attach(tuned, &backbone.config, &mut draw),
        None => tuned,
    })
}

/// Whether a recipe trains the parameter of this path in [`Tuned`].
fn is_trainable(recipe: &Recipe, path: &str, config: &Config) -> bool {
    if recipe.head.is_some() && answer_head::is_of_head(path) {
        return true;
    }
    match &recipe.delta {
        Some(delta) => method::delta(delta).is_trainable(path, config),
        None => recipe.prompt.is_none() || path.starts_with("prompt."),
    }
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
        let backbone = config.parameters();
        let [trainable, added, stored] = match (&recipe.prompt, &recipe.delta) {
            (None, None) => [backbone, 0, backbone],
            (Some(prompt), None) => [prompt.length * config.width(); 3],
            (_, Some(delta)) => {
                let delta = method::delta(delta);
                [
                    delta.trainable(recipe, config),
                    delta.added_parameters(recipe, config),
                    delta.stored(recipe, config),
                ]
            }
        };
        Parameters {
            trainable: head + trainable,
            total: head + backbone + added,
            stored: head + stored,
        }
    }
}

impl Tuned {
    /// The backbone as it was pre-trained.
    pub fn untuned(backbone: Network) -> Self {
        Tuned {
            backbone,
            prompt: None,
            decoder_prompt: None,
            prefixes: None,
            label_vectors: None,
        }
    }

    /// The backbone as it was pre-trained, under a head of this form where it takes one: as the seed
    /// draws it, which answers by chance.
    pub fn untuned_on(backbone: &Backbone, head: Option<HeadForm>, seed: u64) -> Self {
        let mut draw = Draw::new(seed, backbone.model.device());
        let (model, config) = (backbone.model.clone(), &backbone.config);
        Tuned::untuned(answer_head::with_head(model, head, config, &mut draw))
    }

    /// Whether there is anything that it can answer with: an output head of its own, or one that was
    /// put on.
    pub fn answers(&self) -> bool {
        match &self.backbone {
            Network::T5(_) | Network::DecoderOnly(_) => true,
            Network::Bert(bert) => bert.head().is_some(),
        }
    }

    /// What the head that was put on it answers with; none where it writes, or has no head.
    pub fn head(&self) -> Option<HeadForm> {
        match &self.backbone {
            Network::T5(_) | Network::DecoderOnly(_) => None,
            Network::Bert(bert) => bert.head().map(Head::form),
        }
    }

    /// The backbone behind a prompt that was tuned before; nothing is on the tape.
    ///
    /// # Panics
    /// The prompt is not as wide as the embeddings:
    /// [`PromptFile::onto`](prompt_file::PromptFile::onto) refuses such a one.
    pub fn prompted(backbone: Network, vectors: &Vectors) -> Self {
        let [_, width] = backbone.embedding().dims();
        assert_eq!(
            vectors.width(),
            width,
            "the prompt's width and the backbone's"
        );
        let shape = [vectors.length(), width];
        let data = TensorData::new(vectors.values().to_vec(), shape);
        let prompt = SoftPrompt::of(Tensor::from_data(data, &backbone.device()));
        Tuned {
            prompt: Some(prompt),
            ..Tuned::untuned(backbone)
        }
    }

    /// `P` of the prompt in the network's input, if there is one.
    pub fn prompt_length(&self) -> Option<usize> {
        let prompt = self.prompt.as_ref()?;
        Some(prompt.vectors().dims()[0])
    }

    /// Tokens → what the network makes of them, through every place where a method enters.
    pub fn encode(&self, tokens: &Tokens, dropout: &mut Dropout) -> Encoded {
        let mut injected = Injected {
            prompt: self.prompt.as_ref().map(SoftPrompt::vectors),
            decoder_prompt: self.decoder_prompt.as_ref().map(SoftPrompt::vectors),
            output: self.label_vectors.as_ref().map(LabelVectors::words),
            ..Injected::default()
        };
        if let Some(prefixes) = &self.prefixes {
            injected = prefixes.enter(injected);
        }
        self.backbone.encode(tokens, injected, dropout)
    }

    /// Parameters, trained and frozen ones.
    pub fn parameter_count(&self) -> usize {
        self.num_params()
    }

    /// The same off the tape: it computes no gradients.
    pub fn off_tape(&self) -> Self {
        self.valid()
    }

    /// What is left when training ends: what only training needs is thrown away.
    pub fn into_inference(self) -> Self {
        Tuned {
            prompt: self.prompt.map(SoftPrompt::into_inference),
            prefixes: self.prefixes.map(Prefixes::without_network),
            ..self
        }
    }

    /// Every parameter, the backbone's among them.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        method::visit(self, |parameter| parameters.push(parameter));
        parameters
    }

    /// The numbers that training may move.
    pub fn trainable_parameters(&self) -> usize {
        self.sizes().trainable
    }

    /// The bytes of every parameter.
    pub fn weight_bytes(&self) -> u64 {
        self.sizes().bytes
    }

    /// The bytes of those that training may move.
    pub fn trainable_bytes(&self) -> u64 {
        self.sizes().trainable_bytes
    }

    fn sizes(&self) -> Sizes {
        let mut sizes = Sizes::default();
        self.visit(&mut sizes);
        sizes
    }
}

/// Adds up sizes; what is on the tape is trainable.
#[derive(Default)]
struct Sizes {
    trainable: usize,
    bytes: u64,
    trainable_bytes: u64,
}

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let numbers = value.shape().num_elements();
        let bytes = (numbers * value.dtype().size()) as u64;
        self.bytes += bytes;
        if value.is_require_grad() {
            self.trainable += numbers;
            self.trainable_bytes += bytes;
        }
    }
}
