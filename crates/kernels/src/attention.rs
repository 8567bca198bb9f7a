//! Attention without scaling of the scores, as in T5, with an additive bias and a limit on the visible keys.
//! Query heads may share a key head (Ainslie et al. 2023, "GQA", arXiv 2305.13245).
//!
//! For one example and head, with `P = softmax(Q Kᵀ + bias)` over the visible keys and `O = P V`:
//!
//! - `dV = Pᵀ dO`
//! - `dS = P (dP - rowsum(P dP))`, where `dP = dO Vᵀ`
//! - `dQ = dS K`, `dK = dSᵀ Q`, `dbias = Σ dS` over examples and over pairs of one distance
//!
//! With soft-capping, `S = c tanh(Q Kᵀ / c)` replaces `Q Kᵀ`, and `dS ⊙ (1 - (S / c)²)` replaces `dS` in `dQ` and `dK`.
//!
//! `dK` and `dV` are sums over the query heads that share a key head. With dropout of the weights by a mask
//! `M`, `P ⊙ M` replaces `P` in `O` and `dV`, and `dP = M ⊙ dO Vᵀ`.
//!
//! The forward saves `logZ` of every row instead of `P`; the backward recomputes the scores and from them
//! `P = exp(scores - logZ)`. Both process the queries in blocks, so that the scores of a block stay in the
//! cache.

use burn::backend::Dispatch;
use burn::tensor::{Bool, Tensor, TensorData, activation::softmax};

use super::flex;
pub use bias::DistanceBias;
use call::Call;
pub use call::{Dropped, Heads, Recent, Visible, Window};
use graph::Attention as _;

mod bias;
mod call;
mod graph;
mod head;
mod inputs;
#[cfg(test)]
mod tests;

/// The input tensors of attention.
#[derive(Clone, Debug)]
pub struct AttentionInputs {
    /// `[B·Tq, H·K]`.
    pub query: Tensor<2>,
    /// `[B·Tk, G·K]`, where `G` divides `H`.
    pub key: Tensor<2>,
    /// Shaped as `key`.
    pub value: Tensor<2>,
    /// Added to the scores.
    pub bias: Option<DistanceBias>,
}

/// `softmax(q kᵀ + bias) v` over the visible keys, without `1/sqrt(K)`, as in T5. A query without visible
/// keys gives 0. Query head `h` uses key head `h / (H / G)`. [`Heads::cap`] applies to `q kᵀ`.
///
/// # Shapes
///
/// - inputs: see [`AttentionInputs`]
/// - output: `[B·Tq, H·K]`
///
/// # Panics
/// The shapes are wrong, or `how` does not match them.
pub fn attention(inputs: AttentionInputs, how: Heads) -> Tensor<2> {
    let AttentionInputs {
        query,
        key,
        value,
        bias,
    } = inputs;
    let free = bias.as_ref().map_or(0, |bias| bias.free);
    let call = Call::new(query.dims(), key.dims(), how, free);
    assert_eq!(
        key.dims(),
        value.dims(),
        "attention: key and value have one shape"
    );
    let wanted = call.bias_shape();
    assert!(
        (bias.as_ref()).is_none_or(|bias| bias.values.dims() == wanted),
        "attention: the bias is [H, Tq + Tk - free - 1]"
    );
    if !flex::is_fused(&query) {
        let inputs = AttentionInputs {
            query,
            key,
            value,
            bias,
        };
        return reference(inputs, how);
    }
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Tensor::from_dispatch(match bias {
        Some(bias) => {
            let bias = bias.values.into_dispatch();
            Dispatch::biased_attention(query, key, value, bias, call)
        }
        None => Dispatch::plain_attention(query, key, value, call),
    })
}

/// [`attention`] in plain Burn operations.
pub fn reference(inputs: AttentionInputs, how: Heads) -> Tensor<2> {
    let AttentionInputs {
        query,
        key,
        value,
        bias,
    } = inputs;
    let Heads { batch, heads, .. } = how;
    let [query_rows, width] = query.dims();
    let [key_rows, key_width] = key.dims();
    let (queries, keys) = (query_rows / batch, key_rows / batch);
    let device = query.device();
    let head_width = width / heads;
    let query = query
        .reshape([batch, queries, heads, head_width])
        .swap_dims(1, 2);
    let of_each_head = |tensor: Tensor<2>| {
        let shared = width / key_width;
        tensor
            .reshape([batch, keys, heads / shared, 1, head_width])
            .expand([batch, keys, heads / shared, shared, head_width])
            .reshape([batch, keys, heads, head_width])
            .swap_dims(1, 2)
    };
    let (key, value) = (of_each_head(key), of_each_head(value));

    let mut scores = query.matmul(key.transpose());
    if let Some(cap) = how.cap {
        scores = (scores / cap).tanh() * cap;
    }
    if let Some(bias) = bias {
        scores = scores + bias.of_pairs(queries, keys).unsqueeze();
    }
    let (hidden, shape): (Vec<bool>, _) = match how.visible {
        Visible::Lengths(lengths) => {
            let row = |&length: &usize| (0..keys).map(move |key| key >= length);
            (lengths.iter().flat_map(row).collect(), [batch, 1, 1, keys])
        }
        Visible::Causal => {
            let row = |query: usize| (0..keys).map(move |key| key > query);
            ((0..queries).flat_map(row).collect(), [1, 1, queries, keys])
        }
        Visible::Counts(counts) => {
            let row = |&count: &usize| (0..keys).map(move |key| key >= count);
            let hidden = counts.iter().flat_map(row).collect();
            (hidden, [batch, 1, queries, keys])
        }
        Visible::Near(window) => {
            let places =
                (0..batch).flat_map(|example| (0..queries).map(move |query| (example, query)));
            let row = |(example, query): (usize, usize)| {
                let (near, prefix) = (window.of(example, query), window.prefix);
                (0..keys).map(move |key| key >= prefix && !near.contains(&key))
            };
            (places.flat_map(row).collect(), [batch, 1, queries, keys])
        }
        Visible::Recent(recent) => {
            let row = |at: usize| {
                let (near, prefix) = (recent.of(at), recent.prefix);
                (0..keys).map(move |key| key >= near.end || (key >= prefix && key < near.start))
            };
            let hidden = (0..query_rows).flat_map(row).collect();
            (hidden, [batch, 1, queries, keys])
        }
    };
    let hidden = Tensor::<4, Bool>::from_data(TensorData::new(hidden, shape), &device)
        .expand([batch, heads, queries, keys]);
    // Filled before the softmax so that hidden keys have weight 0, and after it so that a row without visible
    // keys is 0 rather than the mean of hidden values.
    let weights = softmax(scores.mask_fill(hidden.clone(), -1e9), 3).mask_fill(hidden, 0.0);
    let weights = match how.dropped {
        None => weights,
        Some(dropped) => {
            let (mask, rows) = match dropped {
                Dropped::Each(mask) => (mask, queries),
                Dropped::Keys(mask) => (mask, 1),
            };
            let mask = mask.rows(batch * heads * rows, keys);
            let mask = TensorData::new(mask, [batch, heads, rows, keys]);
            weights * Tensor::from_data(mask, &device.without_autodiff())
        }
    };
    weights
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([query_rows, width])
}
