//! Tensors that tuning methods inject into a forward pass besides tokens: soft prompts, attention prefixes,
//! and label vectors that replace the output head.

use burn::tensor::{Tensor, TensorData};

/// The keys and values that attention reads.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// `[B·Tk, H·K]`.
    pub(crate) key: Tensor<2>,
    /// `[B·Tk, H·K]`.
    pub(crate) value: Tensor<2>,
}

impl KeyValue {
    /// Keys and values of one shape, `[N, H·K]`.
    pub fn new(key: Tensor<2>, value: Tensor<2>) -> Self {
        KeyValue { key, value }
    }
}

/// The tensors that a tuning method injects into one forward pass. Each list is empty or has one prefix per
/// block.
#[derive(Debug, Clone, Default)]
pub struct Injected {
    /// Vectors `[P, D]` before the embedded input.
    pub prompt: Option<Tensor<2>>,
    /// Prefixes of the encoder's self-attention, `[P, H·K]` each.
    pub encoder: Vec<KeyValue>,
    /// Prefixes of the decoder's self-attention; in a network without encoder, of its only stack.
    pub decoder: Vec<KeyValue>,
    /// The positions of these prefixes.
    pub decoder_positions: PrefixPositions,
    /// Prefixes of the decoder's cross-attention.
    pub cross: Vec<KeyValue>,
    /// Vectors `[P, D]` before the decoder's start token.
    pub decoder_prompt: Option<Tensor<2>>,
    /// Replaces the output head.
    pub output: Option<LabelHead>,
}

impl Injected {
    /// Applies `f` to every tensor.
    pub(crate) fn map(self, f: &mut impl FnMut(Tensor<2>) -> Tensor<2>) -> Self {
        let mut prefixes = |prefixes: Vec<KeyValue>| {
            let prefixes = prefixes.into_iter();
            (prefixes.map(|KeyValue { key, value }| KeyValue::new(f(key), f(value)))).collect()
        };
        let (encoder, decoder) = (prefixes(self.encoder), prefixes(self.decoder));
        let cross = prefixes(self.cross);
        Injected {
            prompt: self.prompt.map(&mut *f),
            encoder,
            decoder,
            cross,
            decoder_positions: self.decoder_positions,
            decoder_prompt: self.decoder_prompt.map(&mut *f),
            output: self.output.map(|head| LabelHead {
                vectors: f(head.vectors),
                ..head
            }),
        }
    }
}

/// The positions of prefixes of the decoder's self-attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrefixPositions {
    /// None: T5's relative bias is 0 for them.
    #[default]
    Nowhere,
    /// Before the start token, like tokens: T5's relative bias depends on their distance.
    BeforeStart,
}

/// `P`, the number of prefix keys in each block; 0 without a prefix.
pub(crate) fn prefix_len(prefixes: &[KeyValue]) -> usize {
    prefixes.first().map_or(0, |prefix| prefix.key.dims()[0])
}

/// Prepends a block's prefix `[P, H·K]` to the keys and values `[B·T, H·K]` of every example:
/// `[B·(P+T), H·K]`.
pub(crate) fn prepend_prefix(
    prefix: Option<&KeyValue>,
    key_value: KeyValue,
    batch: usize,
) -> KeyValue {
    let Some(prefix) = prefix else {
        return key_value;
    };
    let join = |prefix: &Tensor<2>, own: Tensor<2>| {
        let [length, width] = prefix.dims();
        let [rows, _] = own.dims();
        let own_length = rows / batch;
        Tensor::cat(
            vec![
                of_each(prefix, batch),
                own.reshape([batch, own_length, width]),
            ],
            1,
        )
        .reshape([batch * (length + own_length), width])
    };
    KeyValue {
        key: join(&prefix.key, key_value.key),
        value: join(&prefix.value, key_value.value),
    }
}

/// Repeats `[P, W]` for every example: `[B, P, W]`.
pub(crate) fn of_each(prefix: &Tensor<2>, batch: usize) -> Tensor<3> {
    let [length, width] = prefix.dims();
    prefix
        .clone()
        .unsqueeze::<3>()
        .expand([batch, length, width])
}

/// The lengths, each increased by `prefix`.
pub(crate) fn with_prefix(prefix: usize, lengths: &[usize]) -> Vec<usize> {
    lengths.iter().map(|length| length + prefix).collect()
}

/// An output head over a few tokens, each with a vector `[D]`; no other tokens are generated.
#[derive(Debug, Clone)]
pub struct LabelHead {
    /// `C` tokens.
    pub ids: Vec<u32>,
    /// `[C, D]`.
    pub vectors: Tensor<2>,
}

/// The logit of all other tokens, so that their probability and its gradient are 0.
const NEVER: f32 = -1e9;

impl LabelHead {
    /// Final states `[N, D]`, already scaled for the head → logits `[N, V]`.
    pub(crate) fn logits(&self, states: Tensor<2>, vocabulary: usize) -> Tensor<2> {
        let few = states.matmul(self.vectors.clone().transpose());
        let count = self.ids.len();
        let mut place = vec![0.0f32; count * vocabulary];
        let mut others = vec![NEVER; vocabulary];
        for (row, &id) in self.ids.iter().enumerate() {
            place[row * vocabulary + id as usize] = 1.0;
            others[id as usize] = 0.0;
        }
        let device = few.device();
        let place = Tensor::<2>::from_data(TensorData::new(place, [count, vocabulary]), &device);
        let others = Tensor::<2>::from_data(TensorData::new(others, [1, vocabulary]), &device);
        let [rows, _] = few.dims();
        few.matmul(place) + others.expand([rows, vocabulary])
    }
}
