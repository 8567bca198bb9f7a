//! The encoder: blocks of self-attention and feed-forward, each with pre-normalisation and a residual
//! connection.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::layers::{Attention, FeedForward, View};
use super::position::RelativeBias;
use crate::layers::{
    BlockInputs, Dropout, Injected, Norm, Pass, prefix_len, prepend_prefix, with_prefix,
};
use promptshift_kernels::{DistanceBias, Visible};

/// The encoder's input: embedded tokens, optionally with a soft prompt.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// `[B, T, D]`.
    pub rows: Tensor<3>,
    /// The number of real positions of each example; the rest is padding.
    pub lengths: Vec<usize>,
    /// The tensors that a tuning method injects into the stacks.
    pub injected: Injected,
}

impl Embedded {
    /// Prepends a soft prompt `[P, D]` to every example. The prompt has the positions `0..P`, so relative
    /// positions are computed over `P + T` (Lester et al. 2021).
    pub fn after_prompt(self, prompt: Tensor<2>) -> Self {
        let [batch, _, width] = self.rows.dims();
        let [length, _] = prompt.dims();
        let prompt = prompt.unsqueeze::<3>().expand([batch, length, width]);
        Embedded {
            rows: Tensor::cat(vec![prompt, self.rows], 1),
            lengths: self.lengths.iter().map(|t| t + length).collect(),
            injected: self.injected,
        }
    }

    /// Inserts a soft prompt `[P, D]` between every example's tokens: vector `p` follows the first
    /// `places[b][p]` tokens of example `b`; `places[b]` must not decrease.
    ///
    /// # Panics
    /// `places` does not have `P` entries for each of `B` examples.
    pub fn around_prompt(self, prompt: Tensor<2>, places: &[Vec<usize>]) -> Self {
        let [batch, own, width] = self.rows.dims();
        let [length, _] = prompt.dims();
        assert_eq!(places.len(), batch, "places for every example");
        // The prompt's rows, then all examples' rows.
        let table = Tensor::cat(vec![prompt, self.rows.reshape([batch * own, width])], 0);
        let mut order: Vec<i32> = Vec::with_capacity(batch * (length + own));
        for (example, places) in places.iter().enumerate() {
            assert_eq!(places.len(), length, "a place for every vector");
            let token = |at: usize| (length + example * own + at) as i32;
            let mut from = 0;
            for (vector, &place) in places.iter().enumerate() {
                order.extend((from..place).map(token));
                order.push(vector as i32);
                from = place;
            }
            order.extend((from..own).map(token));
        }
        let order = TensorData::new(order, [batch * (length + own)]);
        let order = Tensor::<1, Int>::from_data(order, &table.device());
        Embedded {
            rows: table.select(0, order).reshape([batch, length + own, width]),
            lengths: self.lengths.iter().map(|t| t + length).collect(),
            injected: self.injected,
        }
    }
}

/// The encoder's output.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// `[B·T, D]`, after the final norm.
    pub hidden: Tensor<2>,
    /// The ladder's output, `[B·T, d]`, if there is a ladder.
    pub(super) side: Option<Tensor<2>>,
    /// The number of real positions of each example.
    pub lengths: Vec<usize>,
    /// The tensors that a tuning method injects into the decoder.
    pub injected: Injected,
}

#[derive(Module, Debug)]
pub(super) struct EncoderBlock {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
}

impl EncoderBlock {
    /// The states after the block; `seen` is the number of keys that each example's queries attend to.
    fn forward(&self, inputs: BlockInputs, seen: &[usize], dropout: &mut Dropout) -> Tensor<2> {
        let batch = seen.len();
        let BlockInputs {
            x, bias, prefix, ..
        } = inputs;
        let normed = self.attention_norm.forward(x.clone());
        let key_value = self.attention.key_value(normed.clone());
        let mixed = self.attention.forward(
            normed,
            prepend_prefix(prefix.as_ref(), key_value, batch),
            View {
                batch,
                bias,
                visible: Visible::Lengths(seen),
            },
            dropout,
        );
        let x = x + dropout.rows(mixed, batch);
        let normed = self.feed_forward_norm.forward(x.clone());
        let changed = (self.feed_forward).forward(normed, &x, batch, dropout);
        x + dropout.rows(changed, batch)
    }
}

/// The encoder stack.
#[derive(Module, Debug)]
pub struct Encoder {
    pub(super) bias: RelativeBias,
    pub(super) blocks: Vec<EncoderBlock>,
    pub(super) norm: Norm,
}

impl Encoder {
    /// Embedded tokens → hidden states.
    pub fn forward(&self, input: Embedded, pass: &mut Pass) -> Encoded {
        self.forward_through(input, pass, &mut |_, x| x)
    }

    /// As [`Encoder::forward`]; applies `at` to the input of each block and to the output of the last.
    pub(super) fn forward_through(
        &self,
        input: Embedded,
        pass: &mut Pass,
        at: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Encoded {
        let [batch, length, width] = input.rows.dims();
        let prefixes = &input.injected.encoder;
        let prefix = prefix_len(prefixes);
        let bias = self.bias.between(0, length, length).after_prefix(prefix);
        let bias = DistanceBias {
            values: pass.shared(bias.values),
            ..bias
        };
        let seen: Rc<[usize]> = with_prefix(prefix, &input.lengths).into();
        let rows = input.rows.reshape([batch * length, width]);
        let mut x = pass.dropout.rows(rows, batch);
        for (index, block) in self.blocks.iter().enumerate() {
            let inputs = BlockInputs {
                bias: Some(bias.clone()),
                prefix: prefixes.get(index).cloned(),
                ..BlockInputs::new(at(index, x))
            };
            let seen = Rc::clone(&seen);
            (x, ()) = pass.block(block, inputs, move |block, inputs, dropout| {
                (block.forward(inputs, &seen, dropout), ())
            });
        }
        x = at(self.blocks.len(), x);
        Encoded {
            side: None,
            hidden: pass.dropout.rows(self.norm.forward(x), batch),
            lengths: input.lengths,
            injected: input.injected,
        }
    }
}
