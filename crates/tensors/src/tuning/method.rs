//! What a tuning method is: where it enters the backbone, what it trains, what that counts.

use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::Tuned;
use super::draw::Draw;
use crate::network::{Config, Kind};
use promptshift_numbers::recipe::{DeltaRecipe, Method, Recipe};

use super::{
    adapters, bitfit, head, ia3, ladder, last, lora, norms, preamble, prefix, prompt_network,
    prompt_places, scratch, subspace, warp,
};

/// What a method does besides a soft prompt: one implementation for each variant of [`DeltaRecipe`].
pub(super) trait Delta {
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

    /// Fills the places where the method enters, with its starting values, off the tape; the recipe's
    /// prompt and output vectors are there.
    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned;

    /// Whether training moves the parameter of this path in [`Tuned`]; after training, whether it
    /// is stored.
    fn is_trainable(&self, path: &str, config: &Config) -> bool;

    /// How many parameters training moves, without any weights at hand.
    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize;

    /// How many stand beside the backbone's own while it trains, frozen ones among them; as many as move where
    /// none of the backbone's do.
    fn added_parameters(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
    }

    /// Whether what it leaves behind has a form of its own: neither a soft prompt as any other nor whole weights.
    fn leaves_adapter(&self) -> bool {
        true
    }

    /// How many are stored; as many where nothing is thrown away.
    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        self.trainable(recipe, config)
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

/// What is known of a method.
pub fn about(method: Method) -> About {
    match method {
        Method::Elsewhere => About {
            family: Family::None,
            what: "what was tuned elsewhere: nothing is trained here",
            paper: "—",
            code: None,
        },
        Method::Untuned => About {
            family: Family::None,
            what: "nothing: the model as it was pre-trained",
            paper: "—",
            code: None,
        },
        Method::Prompt => About {
            family: Family::Prompts,
            what: "a soft prompt before the input",
            paper: "Lester et al. 2021, arXiv 2104.08691",
            code: Some("google-research/prompt-tuning"),
        },
        Method::Model => About {
            family: Family::All,
            what: "every parameter (full fine-tuning)",
            paper: "Raffel et al. 2020, arXiv 1910.10683",
            code: Some("google-research/t5x"),
        },
        Method::Lora => lora::ABOUT,
        Method::Bitfit => bitfit::ABOUT,
        Method::Norms => norms::ABOUT,
        Method::Head => head::ABOUT,
        Method::Last => last::ABOUT,
        Method::Ia3 => ia3::ABOUT,
        Method::Prefix => prefix::ABOUT,
        Method::PrefixMlp => prefix::ABOUT_NETWORK,
        Method::PrefixDecoder => prefix::ABOUT_DECODER,
        Method::Houlsby => adapters::HOULSBY,
        Method::Pfeiffer => adapters::PFEIFFER,
        Method::Parallel => adapters::PARALLEL,
        Method::PromptDecoder => prompt_places::DECODER,
        Method::PromptBoth => prompt_places::BOTH,
        Method::Ptuning => prompt_network::MLP,
        Method::PtuningLstm => prompt_network::LSTM,
        Method::Warp => warp::ABOUT,
        Method::Ladder => ladder::ABOUT,
        Method::Instruction => preamble::INSTRUCTION,
        Method::FewShot => preamble::FEW_SHOT,
        Method::Scratch => scratch::ABOUT,
        Method::Intrinsic => subspace::ABOUT,
    }
}

/// The implementation of a recipe's delta.
pub(super) fn delta(recipe: &DeltaRecipe) -> &dyn Delta {
    match recipe {
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

/// The path of a parameter while a module is gone through. Which kind of network it is in, a variant
/// of an enum, is no part of it.
#[derive(Default)]
pub(super) struct ParameterPath(Vec<String>);

impl ParameterPath {
    pub(super) fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_string());
        }
    }

    pub(super) fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Puts the parameters of some paths on the tape.
pub(super) fn train<M: Module>(module: M, trains: impl Fn(&str) -> bool) -> M {
    module.map(&mut Train {
        path: ParameterPath::default(),
        trains,
    })
}

struct Train<F> {
    path: ParameterPath,
    trains: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Train<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match (self.trains)(&self.path.to_string()) {
            true => param.train(),
            false => param,
        }
    }
}

/// A parameter as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Where it is in [`Tuned`], the names of fields and places in lists with dots between.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
    /// Whether it is on the tape.
    pub trainable: bool,
}

/// Calls `see` with every parameter.
pub(super) fn visit<M: Module>(module: &M, see: impl FnMut(Parameter)) {
    module.visit(&mut Visit {
        path: ParameterPath::default(),
        see,
    });
}

struct Visit<F> {
    path: ParameterPath,
    see: F,
}

impl<F: FnMut(Parameter)> ModuleVisitor for Visit<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        (self.see)(Parameter {
            path: self.path.to_string(),
            shape: value.dims().to_vec(),
            trainable: value.is_require_grad(),
            values: value.into_data().try_to_vec().expect("parameters are f32"),
        });
    }
}
