//! P-tuning (Liu et al. 2021, "GPT Understands, Too", arXiv 2103.10385): a network makes the soft
//! prompt of vectors that are tuned with it; when training ends, the prompt is kept and the network
//! thrown away.
//!
//! Reference code: THUDM/P-tuning, `LAMA/p_tuning/prompt_encoder.py` (a bidirectional LSTM of two
//! layers with an MLP on it), and PEFT's `PromptEncoder`, from which the widths are: MLP `D → h → h → D`
//! with relu, or an LSTM `D → h` with an MLP `2h → 2h → D`. Linear maps and the LSTM start as PyTorch
//! starts them. Deviations: the vectors start like a soft prompt of the recipe rather than from N(0, 1);
//! `h` is 512 for every T5 rather than `D` as THUDM's; the LSTM has one bias a gate, where PyTorch adds up two, and no dropout; the prompt stands before the
//! input as one piece, where the paper's may stand between pieces of a pattern.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::network::Config;
use promptshift_numbers::recipe::{PromptNetworkForm, PromptNetworkRecipe, Recipe};

pub(super) const MLP: About = About {
    family: Family::Prompts,
    what: "a soft prompt before the input, made by an MLP",
    paper: "Liu et al. 2021, arXiv 2103.10385",
    code: Some("THUDM/P-tuning; PEFT's PromptEncoder"),
};

pub(super) const LSTM: About = About {
    what: "a soft prompt before the input, made by an LSTM and an MLP",
    ..MLP
};

/// A linear map with a bias.
#[derive(Module, Debug)]
struct Affine {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Affine {
    fn new(input: usize, output: usize, draw: &mut Draw) -> Self {
        let bound = (input as f32).sqrt().recip();
        Affine {
            weight: draw.uniform([input, output], bound),
            bias: draw.uniform([output], bound),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze()
    }
}

/// One direction of one layer of an LSTM; gates in PyTorch's order: input, forget, cell, output.
#[derive(Module, Debug)]
struct Direction {
    /// `[in, 4h]`.
    input: Param<Tensor<2>>,
    /// `[h, 4h]`.
    hidden: Param<Tensor<2>>,
    /// `[4h]`.
    bias: Param<Tensor<1>>,
}

impl Direction {
    fn new(input: usize, hidden: usize, draw: &mut Draw) -> Self {
        let bound = (hidden as f32).sqrt().recip();
        Direction {
            input: draw.uniform([input, 4 * hidden], bound),
            hidden: draw.uniform([hidden, 4 * hidden], bound),
            bias: draw.uniform([4 * hidden], bound),
        }
    }

    /// States `[1, h]` after each of the positions, taken in this order, in the positions' order.
    fn forward(&self, x: &Tensor<2>, order: impl Iterator<Item = usize>) -> Vec<Tensor<2>> {
        let inputs = x.clone().matmul(self.input.val()) + self.bias.val().unsqueeze();
        let [positions, gates] = inputs.dims();
        let width = gates / 4;
        let mut outputs = vec![None; positions];
        let mut state: Option<(Tensor<2>, Tensor<2>)> = None;
        for at in order {
            let mut gates = inputs.clone().slice([at..at + 1, 0..gates]);
            if let Some((hidden, _)) = &state {
                gates = gates + hidden.clone().matmul(self.hidden.val());
            }
            let gate = |i: usize| gates.clone().slice([0..1, i * width..(i + 1) * width]);
            let mut cell = activation::sigmoid(gate(0)) * activation::tanh(gate(2));
            if let Some((_, before)) = state {
                cell = cell + activation::sigmoid(gate(1)) * before;
            }
            let hidden = activation::sigmoid(gate(3)) * activation::tanh(cell.clone());
            outputs[at] = Some(hidden.clone());
            state = Some((hidden, cell));
        }
        let every = outputs.into_iter();
        every
            .map(|state| state.expect("the order is of all"))
            .collect()
    }
}

/// A layer that reads both ways.
#[derive(Module, Debug)]
struct BothWays {
    forth: Direction,
    back: Direction,
}

impl BothWays {
    fn new(input: usize, hidden: usize, draw: &mut Draw) -> Self {
        BothWays {
            forth: Direction::new(input, hidden, draw),
            back: Direction::new(input, hidden, draw),
        }
    }

    /// `[P, in]` → `[P, 2h]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [positions, _] = x.dims();
        let forth = Tensor::cat(self.forth.forward(&x, 0..positions), 0);
        let back = Tensor::cat(self.back.forward(&x, (0..positions).rev()), 0);
        Tensor::cat(vec![forth, back], 1)
    }
}

/// What makes a prompt `[P, D]` of vectors `[P, D]`.
#[derive(Module, Debug)]
pub struct PromptNetwork {
    /// Empty for the MLP.
    lstm: Vec<BothWays>,
    /// With relu between.
    mlp: Vec<Affine>,
}

impl PromptNetwork {
    pub(super) fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let read = self.lstm.iter().fold(vectors, |x, layer| layer.forward(x));
        let (last, inner) = self.mlp.split_last().expect("at least one map");
        let hidden = inner
            .iter()
            .fold(read, |x, map| activation::relu(map.forward(x)));
        last.forward(hidden)
    }
}

/// Widths from map to map of the MLP.
fn widths(recipe: &PromptNetworkRecipe, d: usize) -> Vec<usize> {
    match recipe.form {
        PromptNetworkForm::Mlp => vec![d, recipe.hidden, recipe.hidden, d],
        PromptNetworkForm::Lstm => vec![2 * recipe.hidden, 2 * recipe.hidden, d],
    }
}

/// What each layer of the LSTM reads.
fn lstm(recipe: &PromptNetworkRecipe, d: usize) -> Vec<usize> {
    match recipe.form {
        PromptNetworkForm::Mlp => Vec::new(),
        PromptNetworkForm::Lstm => vec![d, 2 * recipe.hidden],
    }
}

impl Delta for PromptNetworkRecipe {
    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let d = config.width();
        let network = PromptNetwork {
            lstm: (lstm(self, d).into_iter())
                .map(|input| BothWays::new(input, self.hidden, draw))
                .collect(),
            mlp: (widths(self, d).windows(2))
                .map(|pair| Affine::new(pair[0], pair[1], draw))
                .collect(),
        };
        tuned.prompt = tuned.prompt.map(|prompt| prompt.through(network));
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        let (d, h) = (config.width(), self.hidden);
        let mlp: usize = (widths(self, d).windows(2))
            .map(|pair| (pair[0] + 1) * pair[1])
            .sum();
        let lstm: usize = (lstm(self, d).iter())
            .map(|input| 2 * 4 * h * (input + h + 1))
            .sum();
        self.stored(recipe, config) + mlp + lstm
    }

    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        recipe.prompt_length() * config.width()
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}
