//! The networks that produce a soft prompt in P-tuning.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::draw::Draw;
use promptshift_numbers::recipe::{PromptNetworkForm, PromptNetworkRecipe};

/// A linear layer with a bias.
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

    /// Runs over the positions in `order`; returns the state `[1, h]` after each one, sorted by position.
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
            .map(|state| state.expect("the order covers all positions"))
            .collect()
    }
}

/// A bidirectional LSTM layer.
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

/// Produces a prompt `[P, D]` from vectors `[P, D]`.
#[derive(Module, Debug)]
pub struct PromptNetwork {
    /// Empty for the MLP.
    lstm: Vec<BothWays>,
    /// Linear layers with relu in between.
    mlp: Vec<Affine>,
}

impl PromptNetwork {
    /// A recipe's network for prompts of width `d`, with initial values.
    pub(super) fn new(recipe: &PromptNetworkRecipe, d: usize, draw: &mut Draw) -> Self {
        PromptNetwork {
            lstm: (lstm(recipe, d).into_iter())
                .map(|input| BothWays::new(input, recipe.hidden, draw))
                .collect(),
            mlp: (widths(recipe, d).windows(2))
                .map(|pair| Affine::new(pair[0], pair[1], draw))
                .collect(),
        }
    }

    /// The number of its parameters, in closed form.
    pub(super) fn parameters(recipe: &PromptNetworkRecipe, d: usize) -> usize {
        let h = recipe.hidden;
        let mlp: usize = (widths(recipe, d).windows(2))
            .map(|pair| (pair[0] + 1) * pair[1])
            .sum();
        let lstm: usize = (lstm(recipe, d).iter())
            .map(|input| 2 * 4 * h * (input + h + 1))
            .sum();
        mlp + lstm
    }

    pub(super) fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let read = self.lstm.iter().fold(vectors, |x, layer| layer.forward(x));
        let (last, inner) = self.mlp.split_last().expect("at least one layer");
        let hidden = inner
            .iter()
            .fold(read, |x, map| activation::relu(map.forward(x)));
        last.forward(hidden)
    }
}

/// The widths of the MLP's layers.
fn widths(recipe: &PromptNetworkRecipe, d: usize) -> Vec<usize> {
    match recipe.form {
        PromptNetworkForm::Mlp => vec![d, recipe.hidden, recipe.hidden, d],
        PromptNetworkForm::Lstm => vec![2 * recipe.hidden, 2 * recipe.hidden, d],
    }
}

/// The input width of each LSTM layer.
fn lstm(recipe: &PromptNetworkRecipe, d: usize) -> Vec<usize> {
    match recipe.form {
        PromptNetworkForm::Mlp => Vec::new(),
        PromptNetworkForm::Lstm => vec![d, 2 * recipe.hidden],
    }
}
