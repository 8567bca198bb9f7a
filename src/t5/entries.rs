//! What enters the stacks beside their tokens: prefixes of attention and the decoder's prompt.

use burn::tensor::Tensor;

use super::layers::Memory;

/// Tensors that a tuning method computes for a pass. Lists are empty, or hold one prefix a block.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// Prefixes of the encoder's self-attention, `[P, H·K]` each.
    pub encoder: Vec<Memory>,
    /// Prefixes of the decoder's self-attention.
    pub decoder: Vec<Memory>,
    /// Where these stand.
    pub decoder_positions: PrefixPositions,
    /// Prefixes of the decoder's attention to the encoder.
    pub cross: Vec<Memory>,
    /// Vectors `[P, D]` before the decoder's start token.
    pub decoder_prompt: Option<Tensor<2>>,
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
pub(super) fn reach(prefixes: &[Memory]) -> usize {
    prefixes.first().map_or(0, |prefix| prefix.key.dims()[0])
}

/// Keys and values with a block's prefix before every example's.
pub(super) fn behind(prefix: Option<&Memory>, memory: Memory, batch: usize) -> Memory {
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
pub(super) fn of_each(prefix: &Tensor<2>, batch: usize) -> Tensor<3> {
    let [length, width] = prefix.dims();
    prefix
        .clone()
        .unsqueeze::<3>()
        .expand([batch, length, width])
}

/// A bias `[H, Tq, Tk]` with `reach` keys before the others that have none: a prefix has no
/// position.
pub(super) fn unbiased(reach: usize, bias: Tensor<3>) -> Tensor<3> {
    if reach == 0 {
        return bias;
    }
    let [heads, queries, _] = bias.dims();
    let none = Tensor::zeros([heads, queries, reach], &bias.device());
    Tensor::cat(vec![none, bias], 2)
}

/// Lengths with `reach` more keys each.
pub(super) fn lengthened(reach: usize, lengths: &[usize]) -> Vec<usize> {
    lengths.iter().map(|length| length + reach).collect()
}
