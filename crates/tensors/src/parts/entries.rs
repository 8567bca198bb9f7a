//! What enters a network beside its tokens: soft prompts and prefixes of attention.

use burn::tensor::Tensor;

use super::output_words::OutputWords;

/// Keys and values that attention looks at.
#[derive(Debug, Clone)]
pub struct Memory {
    /// `[B·Tk, H·K]`.
    pub(crate) key: Tensor<2>,
    /// `[B·Tk, H·K]`.
    pub(crate) value: Tensor<2>,
}

impl Memory {
    /// Keys and values of one shape, `[N, H·K]`.
    pub fn new(key: Tensor<2>, value: Tensor<2>) -> Self {
        Memory { key, value }
    }
}

/// Tensors that a tuning method computes for a pass. Lists are empty, or hold one prefix a block.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// Vectors `[P, D]` before the embedded input.
    pub prompt: Option<Tensor<2>>,
    /// Prefixes of the encoder's self-attention, `[P, H·K]` each.
    pub encoder: Vec<Memory>,
    /// Prefixes of the decoder's self-attention; of the only stack where there is no encoder.
    pub decoder: Vec<Memory>,
    /// Where these stand.
    pub decoder_positions: PrefixPositions,
    /// Prefixes of the decoder's attention to the encoder.
    pub cross: Vec<Memory>,
    /// Vectors `[P, D]` before the decoder's start token.
    pub decoder_prompt: Option<Tensor<2>>,
    /// What takes the head's place.
    pub output: Option<OutputWords>,
}

/// Where the prefixes of the decoder's self-attention stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PrefixPositions {
    /// Nowhere: T5's relative bias is 0 on them.
    #[default]
    Nowhere,
    /// Before the start token, as tokens would: T5's relative bias is that of their distance.
    BeforeStart,
}

/// `P` of a stack's prefixes, 0 without any.
pub(crate) fn reach(prefixes: &[Memory]) -> usize {
    prefixes.first().map_or(0, |prefix| prefix.key.dims()[0])
}

/// Keys and values with a block's prefix before every example's.
pub(crate) fn behind(prefix: Option<&Memory>, memory: Memory, batch: usize) -> Memory {
    let Some(prefix) = prefix else {
        return memory;
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
    Memory {
        key: join(&prefix.key, memory.key),
        value: join(&prefix.value, memory.value),
    }
}

/// `[P, W]` for every example, `[B, P, W]`.
pub(crate) fn of_each(prefix: &Tensor<2>, batch: usize) -> Tensor<3> {
    let [length, width] = prefix.dims();
    prefix
        .clone()
        .unsqueeze::<3>()
        .expand([batch, length, width])
}

/// Lengths with `reach` more keys each.
pub(crate) fn lengthened(reach: usize, lengths: &[usize]) -> Vec<usize> {
    lengths.iter().map(|length| length + reach).collect()
}
