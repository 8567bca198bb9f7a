//! The encoder: blocks of self-attention and feed-forward, each with a norm before it and a residual around it.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::layers::{Attention, FeedForward, View};
use super::position::RelativeBias;
use crate::layers::{Dropout, Injected, Norm, prefix_len, prepend_prefix, with_prefix};
use promptshift_kernels::Visible;

/// The encoder's input: embedded tokens, optionally after a soft prompt.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// `[B, T, D]`.
    pub rows: Tensor<3>,
    /// The number of real positions of each example; the rest is padding.
    pub lengths: Vec<usize>,
    /// What a tuning method injects into the stacks.
    pub injected: Injected,
}

impl Embedded {
    /// Puts a soft prompt `[P, D]` before every example. The prompt takes the positions `0..P`, so relative positions
    /// are computed over `P + T` (Lester et al. 2021).
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

    /// Inserts a soft prompt `[P, D]` among every example's tokens: vector `p` comes after the first `places[b][p]`
    /// tokens of example `b`; `places[b]` must not decrease.
    ///
    /// # Panics
    /// There are not `P` places for each of `B` examples.
    pub fn around_prompt(self, prompt: Tensor<2>, places: &[Vec<usize>]) -> Self {
        let [batch, own, width] = self.rows.dims();
        let [length, _] = prompt.dims();
        assert_eq!(places.len(), batch, "places for every example");
        // The prompt's rows, then every example's.
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
    /// What a tuning method injects into the decoder.
    pub injected: Injected,
}

#[derive(Module, Debug)]
pub(super) struct EncoderBlock {
    pub(super) attention_norm: Norm,
    pub(super) attention: Attention,
    pub(super) feed_forward_norm: Norm,
    pub(super) feed_forward: FeedForward,
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
    pub fn forward(&self, input: Embedded, dropout: &mut Dropout) -> Encoded {
        self.forward_through(input, dropout, &mut |_, x| x)
    }

    /// As [`Encoder::forward`]; `pass` is applied to the input of each block and to the output of the last.
    pub(super) fn forward_through(
        &self,
        input: Embedded,
        dropout: &mut Dropout,
        pass: &mut dyn FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Encoded {
        let [batch, length, width] = input.rows.dims();
        let prefixes = &input.injected.encoder;
        let prefix = prefix_len(prefixes);
        let bias = self.bias.between(0, length, length).after_prefix(prefix);
        let visible = with_prefix(prefix, &input.lengths);
        let mut x = dropout.rows(input.rows.reshape([batch * length, width]), batch);
        for (index, block) in self.blocks.iter().enumerate() {
            x = pass(index, x);
            let normed = block.attention_norm.forward(x.clone());
            let key_value = block.attention.key_value(normed.clone());
            let mixed = block.attention.forward(
                normed,
                prepend_prefix(prefixes.get(index), key_value, batch),
                View {
                    batch,
                    bias: Some(bias.clone()),
                    visible: Visible::Lengths(&visible),
                },
                dropout,
            );
            x = x + dropout.rows(mixed, batch);
            let normed = block.feed_forward_norm.forward(x.clone());
            let changed = (block.feed_forward).forward(normed, &x, batch, dropout);
            x = x + dropout.rows(changed, batch);
        }
        x = pass(self.blocks.len(), x);
        Encoded {
            side: None,
            hidden: dropout.rows(self.norm.forward(x), batch),
            lengths: input.lengths,
            injected: input.injected,
        }
    }
}
