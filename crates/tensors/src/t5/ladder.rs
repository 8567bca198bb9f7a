//! The side network of ladder side tuning: a small T5 that reads the hidden states of the backbone's blocks.
//! No gradient flows through the backbone.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::decoder::Decoder;
use super::encoder::Encoder;
use promptshift_kernels as kernels;

/// Stacks of width `d`, with a rung for each hidden state of the backbone and an up-projection.
#[derive(Module, Debug)]
pub struct Ladder {
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    /// One for each of the encoder's states: before every block and after the last one.
    pub(super) encoder_rungs: Vec<Rung>,
    /// The same for the decoder.
    pub(super) decoder_rungs: Vec<Rung>,
    /// `[d, D]`: projects the side network's output, which is added to the backbone's final states before the
    /// head.
    pub(super) up: Param<Tensor<2>>,
}

/// Mixes a backbone state into the side network: `μ · h W + (1 - μ) · x`, `μ = sigmoid(gate / 0.1)`.
#[derive(Module, Debug)]
pub struct Rung {
    /// `W` `[D, d]`.
    pub down: Param<Tensor<2>>,
    /// `[1]`.
    pub gate: Param<Tensor<1>>,
}

/// The temperature of the gates.
const TEMPERATURE: f64 = 0.1;

impl Rung {
    fn mix(&self, own: Tensor<2>, state: Tensor<2>) -> Tensor<2> {
        let share: Tensor<2> = activation::sigmoid(self.gate.val() / TEMPERATURE).unsqueeze();
        let state = kernels::linear(state, self.down.val());
        own.clone() + (state - own) * share
    }
}

impl Ladder {
    /// An encoder and a decoder with these rungs, one for each state of each stack.
    pub fn new(
        (encoder, decoder): (Encoder, Decoder),
        encoder_rungs: Vec<Rung>,
        decoder_rungs: Vec<Rung>,
        up: Param<Tensor<2>>,
    ) -> Self {
        Ladder {
            encoder,
            decoder,
            encoder_rungs,
            decoder_rungs,
            up,
        }
    }

    /// The side network's initial state, zeros `[N, d]`; the first rung mixes in the embeddings.
    pub(super) fn nothing(&self, rows: usize) -> Tensor<2> {
        let up = self.up.val();
        Tensor::zeros([rows, up.dims()[0]], &up.device())
    }

    /// Projects the side network's states `[N, d]` to `[N, D]`, to be added to the backbone's.
    pub(super) fn upwards(&self, side: Tensor<2>) -> Tensor<2> {
        kernels::linear(side, self.up.val())
    }
}

/// The recorded hidden states of a stack.
#[derive(Default)]
pub(super) struct States(Vec<Tensor<2>>);

impl States {
    /// Records a state and returns it.
    pub(super) fn keep(&mut self, x: Tensor<2>) -> Tensor<2> {
        self.0.push(x.clone());
        x
    }

    /// The side network's state at this place with the backbone's state mixed in.
    pub(super) fn mix(&self, rungs: &[Rung], place: usize, own: Tensor<2>) -> Tensor<2> {
        rungs[place].mix(own, self.0[place].clone())
    }
}
