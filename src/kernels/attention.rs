//! T5's attention: no scale, an additive bias, and keys that end where the example ends.
//!
//! For one example and head, with `P = softmax(Q Kᵀ + bias)` over the visible keys and `O = P V`:
//!
//! - `dV = Pᵀ dO`
//! - `dS = P (dP - rowsum(P dP))`, where `dP = dO Vᵀ`
//! - `dQ = dS K`, `dK = dSᵀ Q`, `dbias = Σ examples of dS`
//!
//! The forward saves `logZ` of every row instead of `P`; the backward computes the scores again,
//! and `P = exp(scores - logZ)` from them. Both go through the queries in blocks, so that the
//! scores of a block stay in the cache.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Bool, Tensor, TensorData, activation::softmax};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::flex::{self, contiguous, values, values_mut};
use super::matrix::{Matrix, MatrixMut};
use super::vector::{dot, exp_shifted, largest, vectorised};

/// Which keys a query may look at.
#[derive(Clone, Copy, Debug)]
pub enum Visible<'a> {
    /// Keys `0..lengths[b]` of example `b`.
    Lengths(&'a [usize]),
    /// Keys up to the query's own position (self-attention of the decoder; Tq = Tk).
    Causal,
}

/// `softmax(q kᵀ + bias) v` over the visible keys, without `1/sqrt(K)`, as in T5. A query without
/// any visible key gives 0.
///
/// The bias is used as it lies in memory where it is contiguous, and copied in every call where it
/// is not: make it contiguous once if layers share it.
///
/// # Shapes
///
/// - query: `[B * Tq, H * K]`
/// - key, value: `[B * Tk, H * K]`
/// - bias: `[H, Tq, Tk]`
/// - output: `[B * Tq, H * K]`
pub fn attention(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    bias: Option<Tensor<3>>,
    batch: usize,
    heads: usize,
    visible: Visible,
) -> Tensor<2> {
    let bias_dims = bias.as_ref().map(Tensor::dims);
    let call = Call::new(query.dims(), key.dims(), batch, heads, visible);
    assert_eq!(
        key.dims(),
        value.dims(),
        "attention: key and value have one shape"
    );
    let wanted = [heads, call.queries, call.keys];
    assert!(
        bias_dims.is_none_or(|dims| dims == wanted),
        "attention: the bias is [H, Tq, Tk]"
    );
    if !flex::is_fused(&query) {
        return reference(query, key, value, bias, batch, heads, visible);
    }
    let [query, key, value] = [query, key, value].map(Tensor::into_dispatch);
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::biased_attention(query, key, value, bias.into_dispatch(), call),
        None => Dispatch::plain_attention(query, key, value, call),
    })
}

/// [`attention`] in plain Burn operations.
pub fn reference(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    bias: Option<Tensor<3>>,
    batch: usize,
    heads: usize,
    visible: Visible,
) -> Tensor<2> {
    reweighted(query, key, value, bias, batch, heads, visible, |weights| {
        weights
    })
}

/// [`reference()`] with the weights `[B, H, Tq, Tk]` changed before they are used: dropout.
#[allow(clippy::too_many_arguments)]
pub fn reweighted(
    query: Tensor<2>,
    key: Tensor<2>,
    value: Tensor<2>,
    bias: Option<Tensor<3>>,
    batch: usize,
    heads: usize,
    visible: Visible,
    change: impl FnOnce(Tensor<4>) -> Tensor<4>,
) -> Tensor<2> {
    let [query_rows, width] = query.dims();
    let [key_rows, _] = key.dims();
    let (queries, keys) = (query_rows / batch, key_rows / batch);
    let device = query.device();
    let by_head = |tensor: Tensor<2>, length: usize| {
        tensor
            .reshape([batch, length, heads, width / heads])
            .swap_dims(1, 2)
    };
    let (query, key, value) = (
        by_head(query, queries),
        by_head(key, keys),
        by_head(value, keys),
    );

    let mut scores = query.matmul(key.transpose());
    if let Some(bias) = bias {
        scores = scores + bias.unsqueeze();
    }
    let (hidden, shape): (Vec<bool>, _) = match visible {
        Visible::Lengths(lengths) => {
            let row = |&length: &usize| (0..keys).map(move |key| key >= length);
            (lengths.iter().flat_map(row).collect(), [batch, 1, 1, keys])
        }
        Visible::Causal => {
            let row = |query: usize| (0..keys).map(move |key| key > query);
            ((0..queries).flat_map(row).collect(), [1, 1, queries, keys])
        }
    };
    let hidden = Tensor::<4, Bool>::from_data(TensorData::new(hidden, shape), &device)
        .expand([batch, heads, queries, keys]);
    // Filled before the softmax so that hidden keys weigh nothing, and after it so that a row
    // without any visible key is 0 rather than a mean of hidden values.
    let weights = softmax(scores.mask_fill(hidden.clone(), -1e9), 3).mask_fill(hidden, 0.0);
    change(weights)
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([query_rows, width])
}

/// [`Visible`], owned.
#[derive(Clone, Debug)]
enum Keys {
    Lengths(Arc<[usize]>),
    Causal,
}

/// The sizes of one call.
#[derive(Clone, Debug)]
struct Call {
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    /// K, the width of a head.
    width: usize,
    visible: Keys,
}

impl Call {
    fn new(query: [usize; 2], key: [usize; 2], batch: usize, heads: usize, seen: Visible) -> Self {
        assert!(
            batch > 0 && heads > 0,
            "attention: at least one example and one head"
        );
        assert_eq!(query[1], key[1], "attention: query and key have one width");
        assert!(
            query[1].is_multiple_of(heads),
            "attention: heads of one width"
        );
        let whole = query[0].is_multiple_of(batch) && key[0].is_multiple_of(batch);
        assert!(whole, "attention: examples of one length");
        let (queries, keys) = (query[0] / batch, key[0] / batch);
        let visible = match seen {
            Visible::Lengths(lengths) => {
                assert_eq!(
                    lengths.len(),
                    batch,
                    "attention: one length for every example"
                );
                let inside = lengths.iter().all(|&length| length <= keys);
                assert!(inside, "attention: lengths of at most Tk");
                Keys::Lengths(lengths.into())
            }
            Visible::Causal => {
                assert_eq!(queries, keys, "attention: causal from a sequence to itself");
                Keys::Causal
            }
        };
        Self {
            batch,
            heads,
            queries,
            keys,
            width: query[1] / heads,
            visible,
        }
    }

    /// How many keys, from the first on, this query of this example looks at.
    fn visible(&self, example: usize, query: usize) -> usize {
        match &self.visible {
            Keys::Lengths(lengths) => lengths[example],
            Keys::Causal => query + 1,
        }
    }

    /// The queries in blocks.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let queries = self.queries;
        (0..queries)
            .step_by(BLOCK)
            .map(move |first| first..queries.min(first + BLOCK))
    }

    /// How many keys any query of this block of this example looks at.
    fn visible_to_block(&self, example: usize, block: &Range<usize>) -> usize {
        self.visible(example, block.end - 1)
    }

    fn output_shape(&self) -> [usize; 2] {
        [self.batch * self.queries, self.heads * self.width]
    }

    fn key_shape(&self) -> [usize; 2] {
        [self.batch * self.keys, self.heads * self.width]
    }

    fn bias_shape(&self) -> [usize; 3] {
        [self.heads, self.queries, self.keys]
    }
}

/// Queries whose scores are held at a time: few enough for the second-level cache, enough that
/// `gemm` does not spend its time on packing the keys again for every block.
const BLOCK: usize = 128;

#[backend_extension(Flex, Autodiff)]
trait Attention: Backend {
    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;

    fn plain_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}

impl Attention for Flex {
    fn biased_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: FlexTensor,
        call: Call,
    ) -> FlexTensor {
        Inputs::new(query, key, value, Some(bias), call).forward().0
    }

    fn plain_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        call: Call,
    ) -> FlexTensor {
        Inputs::new(query, key, value, None, call).forward().0
    }
}

impl<C: CheckpointStrategy> Attention for Autodiff<Flex, C> {
    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let [(query, q), (key, k), (value, v)] =
            [query, key, value].map(FloatTensor::<Self>::into_parts);
        let (bias, b) = bias.into_parts();
        record::<C, 4>(
            Inputs::new(query, key, value, Some(bias), call),
            [q, k, v, b],
        )
    }

    fn plain_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let [(query, q), (key, k), (value, v)] =
            [query, key, value].map(FloatTensor::<Self>::into_parts);
        record::<C, 3>(Inputs::new(query, key, value, None, call), [q, k, v])
    }
}

/// Runs the forward and, where an input is tracked, records the backward.
fn record<C: CheckpointStrategy, const N: usize>(
    inputs: Inputs,
    nodes: [NodeGuard; N],
) -> FloatTensor<Autodiff<Flex, C>> {
    let (output, log_z) = inputs.forward();
    match AttentionBackward
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(step) => step.finish(Saved { inputs, log_z }, output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}

#[derive(Clone, Debug)]
struct Saved {
    inputs: Inputs,
    /// Of every example, head and query.
    log_z: Vec<f32>,
}

#[derive(Debug)]
struct AttentionBackward;

/// The parents are query, key, value and, where `N` is 4, the bias.
impl<const N: usize> Backward<Flex, N> for AttentionBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let wanted = |parent: usize| ops.parents.get(parent).is_some_and(Option::is_some);
        let wanted = Wanted {
            query: wanted(0),
            key: wanted(1),
            value: wanted(2),
            bias: wanted(3),
        };
        let Saved { inputs, log_z } = ops.state;
        let gradients = inputs.backward(&log_z, &dy, wanted);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// Which gradients to compute.
#[derive(Clone, Copy)]
struct Wanted {
    query: bool,
    key: bool,
    value: bool,
    bias: bool,
}

#[derive(Clone, Debug)]
struct Inputs {
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    bias: Option<FlexTensor>,
    call: Call,
}

impl Inputs {
    fn new(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: Option<FlexTensor>,
        call: Call,
    ) -> Self {
        let [query, key, value] = [query, key, value].map(rows_with_neighbours);
        Self {
            query,
            key,
            value,
            bias: bias.map(contiguous),
            call,
        }
    }

    fn views(&self) -> Views<'_> {
        Views {
            query: Rows::new(&self.query),
            key: Rows::new(&self.key),
            value: Rows::new(&self.value),
            bias: self.bias.as_ref().map(values),
            call: &self.call,
        }
    }

    /// The output and `logZ` of every example, head and query.
    fn forward(&self) -> (FlexTensor, Vec<f32>) {
        let (call, views) = (&self.call, self.views());
        let mut output = flex::zeros(call.output_shape());
        let mut log_z = vec![0.0; call.batch * call.heads * call.queries];
        let blocks = MatrixMut::blocks(values_mut(&mut output), call.batch, call.heads, call.width);
        if call.queries > 0 {
            blocks
                .into_par_iter()
                .zip(log_z.par_chunks_mut(call.queries))
                .enumerate()
                .for_each_init(
                    || vec![0.0; BLOCK.min(call.queries) * call.keys],
                    |scores, (index, (output, log_z))| {
                        views.head(index).forward(output, log_z, scores);
                    },
                );
        }
        (output, log_z)
    }

    /// The wanted gradients of query, key, value and bias.
    fn backward(&self, log_z: &[f32], dy: &FlexTensor, wanted: Wanted) -> [Option<FlexTensor>; 4] {
        let (call, views, dy) = (&self.call, self.views(), Rows::new(dy));
        let mut dquery = wanted.query.then(|| flex::zeros(call.output_shape()));
        let mut dkey = wanted.key.then(|| flex::zeros(call.key_shape()));
        let mut dvalue = wanted.value.then(|| flex::zeros(call.key_shape()));
        let groups = if wanted.bias {
            BIAS_GROUPS.min(call.batch)
        } else {
            call.batch
        };
        let bias_size = call.queries * call.keys;
        let bias_parts = if wanted.bias {
            groups * call.heads * bias_size
        } else {
            0
        };
        let mut bias_parts = vec![0.0; bias_parts];

        if call.queries > 0 {
            let mut tasks: Vec<Task> = bias_slots(&mut bias_parts, bias_size, groups * call.heads)
                .map(|dbias| Task {
                    heads: Vec::new(),
                    dbias,
                })
                .collect();
            let outputs = head_blocks(&mut dquery, call)
                .zip(head_blocks(&mut dkey, call))
                .zip(head_blocks(&mut dvalue, call));
            for (index, ((dquery, dkey), dvalue)) in outputs.enumerate() {
                let (example, head) = (index / call.heads, index % call.heads);
                let group = example * groups / call.batch;
                let gradients = HeadGradients {
                    dquery,
                    dkey,
                    dvalue,
                };
                tasks[group * call.heads + head]
                    .heads
                    .push((index, gradients));
            }
            tasks.into_par_iter().for_each_init(
                || [(); 2].map(|()| vec![0.0; BLOCK.min(call.queries) * call.keys]),
                |[scores, dscores], mut task| {
                    for (index, gradients) in task.heads {
                        let log_z = &log_z[index * call.queries..][..call.queries];
                        let dy = dy.head(call, index, call.queries);
                        let scratch = Scratch { scores, dscores };
                        views.head(index).backward(
                            gradients,
                            task.dbias.as_deref_mut(),
                            log_z,
                            dy,
                            scratch,
                        );
                    }
                },
            );
        }
        let dbias = wanted.bias.then(|| sum_bias_parts(&bias_parts, call));
        [dquery, dkey, dvalue, dbias]
    }
}

/// Groups of examples whose shares of the bias' gradient are summed apart, in parallel. Fixed, so
/// that the order of the sum is; few, because each holds `[H, Tq, Tk]`.
const BIAS_GROUPS: usize = 4;

/// The heads that one task of the backward goes through, in order.
struct Task<'a> {
    heads: Vec<(usize, HeadGradients<'a>)>,
    dbias: Option<&'a mut [f32]>,
}

/// Where the gradients of one example's head go.
struct HeadGradients<'a> {
    dquery: Option<MatrixMut<'a>>,
    dkey: Option<MatrixMut<'a>>,
    dvalue: Option<MatrixMut<'a>>,
}

struct Scratch<'a> {
    scores: &'a mut [f32],
    dscores: &'a mut [f32],
}

/// The block of every example and head, or nothing as often.
fn head_blocks<'a>(
    gradient: &'a mut Option<FlexTensor>,
    call: &Call,
) -> impl Iterator<Item = Option<MatrixMut<'a>>> {
    let count = call.batch * call.heads;
    let blocks = gradient
        .as_mut()
        .map(|tensor| MatrixMut::blocks(values_mut(tensor), call.batch, call.heads, call.width));
    let absent = if blocks.is_none() { count } else { 0 };
    let present = blocks.into_iter().flatten().map(Some);
    present.chain((0..absent).map(|_| None))
}

/// `count` parts of `size`, or nothing as often where there are no parts.
fn bias_slots(
    parts: &mut [f32],
    size: usize,
    count: usize,
) -> impl Iterator<Item = Option<&mut [f32]>> {
    let absent = if parts.is_empty() { count } else { 0 };
    parts
        .chunks_mut(size.max(1))
        .map(Some)
        .chain((0..absent).map(|_| None))
}

fn sum_bias_parts(parts: &[f32], call: &Call) -> FlexTensor {
    let mut total = flex::zeros(call.bias_shape());
    let size = call.heads * call.queries * call.keys;
    flex::for_each_share(values_mut(&mut total), 1, |start, total| {
        for part in parts.chunks_exact(size) {
            flex::add_to(total, &part[start..start + total.len()]);
        }
    });
    total
}

/// A tensor `[rows, columns]` whose columns are neighbours: itself, or a copy. Slices of columns,
/// as a joint projection gives, are not copied.
fn rows_with_neighbours(tensor: FlexTensor) -> FlexTensor {
    let strides = tensor.layout().strides();
    if strides[1] == 1 && strides[0] >= 0 {
        tensor
    } else {
        contiguous(tensor)
    }
}

/// The rows of a tensor from [`rows_with_neighbours`].
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    fn new(tensor: &'a FlexTensor) -> Self {
        let layout = tensor.layout();
        let stride = layout.strides()[0].try_into().expect("rows in order");
        Self {
            data: &tensor.storage()[layout.start_offset()..],
            stride,
        }
    }

    /// The columns of one head in the `length` rows of one example.
    fn head(self, call: &Call, index: usize, length: usize) -> Matrix<'a> {
        let (example, head) = (index / call.heads, index % call.heads);
        let start = example * length * self.stride + head * call.width;
        let data = self.data.get(start..).unwrap_or_default();
        Matrix::new(data, length, call.width, self.stride)
    }
}

#[derive(Clone, Copy)]
struct Views<'a> {
    query: Rows<'a>,
    key: Rows<'a>,
    value: Rows<'a>,
    bias: Option<&'a [f32]>,
    call: &'a Call,
}

impl<'a> Views<'a> {
    /// What one head of one example reads; `index` counts heads within examples.
    fn head(self, index: usize) -> Head<'a> {
        let call = self.call;
        let bias_size = call.queries * call.keys;
        let head = index % call.heads;
        Head {
            query: self.query.head(call, index, call.queries),
            key: self.key.head(call, index, call.keys),
            value: self.value.head(call, index, call.keys),
            bias: self.bias.map(|bias| &bias[head * bias_size..][..bias_size]),
            example: index / call.heads,
            call,
        }
    }
}

/// One head of one example.
struct Head<'a> {
    query: Matrix<'a>,
    key: Matrix<'a>,
    value: Matrix<'a>,
    bias: Option<&'a [f32]>,
    example: usize,
    call: &'a Call,
}

impl Head<'_> {
    fn forward(&self, mut output: MatrixMut, log_z: &mut [f32], scratch: &mut [f32]) {
        if self.call.queries == 1 {
            log_z[0] = self.forward_one(output.row(0), scratch);
            return;
        }
        for block in self.call.blocks() {
            let keys = self.call.visible_to_block(self.example, &block);
            if keys == 0 {
                continue;
            }
            let scores = &mut scratch[..block.len() * keys];
            self.score(scores, &block, keys);
            for (row, query) in scores.chunks_exact_mut(keys).zip(block.clone()) {
                let (seen, hidden) = row.split_at_mut(self.call.visible(self.example, query));
                log_z[query] = softmax_row(seen, self.bias_row(query, seen.len()));
                hidden.fill(0.0);
            }
            let weights = Matrix::new(scores, block.len(), keys, keys);
            output
                .rows(block.start, block.len())
                .set_product(weights, self.value.rows(0, keys));
        }
    }

    /// The one query of a decoding step: matrix products would spend their time on packing.
    /// Returns `logZ`.
    fn forward_one(&self, output: &mut [f32], scratch: &mut [f32]) -> f32 {
        let seen = self.call.visible(self.example, 0);
        let weights = &mut scratch[..seen];
        score_one(weights, self.query.row(0), self.key);
        let log_z = softmax_row(weights, self.bias_row(0, seen));
        mix_one(output, weights, self.value);
        log_z
    }

    fn backward(
        &self,
        mut gradients: HeadGradients,
        mut dbias: Option<&mut [f32]>,
        log_z: &[f32],
        dy: Matrix,
        scratch: Scratch,
    ) {
        for block in self.call.blocks() {
            let (first, count) = (block.start, block.len());
            let keys = self.call.visible_to_block(self.example, &block);
            if keys == 0 {
                continue;
            }
            let dy = dy.rows(first, count);
            let weights = &mut scratch.scores[..count * keys];
            self.score(weights, &block, keys);
            let dscores = &mut scratch.dscores[..count * keys];
            let mut dweights = MatrixMut::new(dscores, count, keys);
            dweights.set_product(dy, self.value.rows(0, keys).transposed());
            let rows = weights
                .chunks_exact_mut(keys)
                .zip(dscores.chunks_exact_mut(keys));
            for ((weights, dscores), query) in rows.zip(block.clone()) {
                let seen = self.call.visible(self.example, query);
                let (weights, hidden) = weights.split_at_mut(seen);
                let (dscores, dhidden) = dscores.split_at_mut(seen);
                softmax_row_backward(weights, dscores, self.bias_row(query, seen), log_z[query]);
                hidden.fill(0.0);
                dhidden.fill(0.0);
                if let Some(dbias) = dbias.as_deref_mut() {
                    flex::add_to(&mut dbias[query * self.call.keys..][..seen], dscores);
                }
            }

            let weights = Matrix::new(weights, count, keys, keys);
            let dscores = Matrix::new(dscores, count, keys, keys);
            if let Some(dvalue) = &mut gradients.dvalue {
                dvalue.rows(0, keys).add_product(weights.transposed(), dy);
            }
            if let Some(dquery) = &mut gradients.dquery {
                dquery
                    .rows(first, count)
                    .set_product(dscores, self.key.rows(0, keys));
            }
            if let Some(dkey) = &mut gradients.dkey {
                let query = self.query.rows(first, count);
                dkey.rows(0, keys).add_product(dscores.transposed(), query);
            }
        }
    }

    /// The scores of a block of queries and the first `keys` keys, without the bias.
    fn score(&self, scores: &mut [f32], block: &Range<usize>, keys: usize) {
        let query = self.query.rows(block.start, block.len());
        let key = self.key.rows(0, keys).transposed();
        MatrixMut::new(scores, block.len(), keys).set_product(query, key);
    }

    fn bias_row(&self, query: usize, keys: usize) -> Option<&[f32]> {
        self.bias
            .map(|bias| &bias[query * self.call.keys..][..keys])
    }
}

vectorised! {
    /// The products of one query with the keys of as many scores.
    fn score_one<A>(scores: &mut [f32], query: &[f32], keys: Matrix) {
        for (key, score) in scores.iter_mut().enumerate() {
            *score = dot::<A>(query, keys.row(key));
        }
    }

    /// The sum of as many values as weights, weighted.
    fn mix_one<A>(output: &mut [f32], weights: &[f32], values: Matrix) {
        output.fill(0.0);
        for (key, weight) in weights.iter().enumerate() {
            for (output, value) in output.iter_mut().zip(values.row(key)) {
                *output = A::mul_add(*weight, *value, *output);
            }
        }
    }

    /// `row` becomes `softmax(row + bias)`. Returns `logZ`.
    fn softmax_row<A>(row: &mut [f32], bias: Option<&[f32]>) -> f32 {
        add_bias(row, bias);
        let shift = largest(row);
        let sum = exp_shifted::<A>(row, shift);
        let scale = 1.0 / sum;
        for weight in row {
            *weight *= scale;
        }
        shift + sum.ln()
    }

    /// `row` holds scores and becomes `softmax(row + bias)`; `gradient` holds that of the softmax'
    /// output and becomes that of its input.
    fn softmax_row_backward<A>(
        row: &mut [f32],
        gradient: &mut [f32],
        bias: Option<&[f32]>,
        log_z: f32,
    ) {
        add_bias(row, bias);
        exp_shifted::<A>(row, log_z);
        let mean = dot::<A>(row, gradient);
        for (gradient, weight) in gradient.iter_mut().zip(row) {
            *gradient = *weight * (*gradient - mean);
        }
    }
}

#[inline(always)]
fn add_bias(row: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        for (score, bias) in row.iter_mut().zip(bias) {
            *score += bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, Role, check, check_differences, layouts, noise, roles};
    use super::{Visible, attention, reference};

    #[derive(Clone, Copy, Debug)]
    struct Sizes {
        batch: usize,
        heads: usize,
        queries: usize,
        keys: usize,
        width: usize,
    }

    impl Sizes {
        /// Query, key, value and bias, all tracked.
        fn inputs(self, seed: u64) -> [Input; 4] {
            let Self {
                batch,
                heads,
                queries,
                keys,
                width,
            } = self;
            [
                Input::tracked([batch * queries, heads * width], seed),
                Input::tracked([batch * keys, heads * width], seed + 1),
                Input::tracked([batch * keys, heads * width], seed + 2),
                Input::tracked([heads, queries * keys], seed + 3),
            ]
        }

        /// Lengths of which some are 0 and some whole.
        fn lengths(self, seed: u64) -> Vec<usize> {
            let share = |noise: f32| (noise / 2.5 + 0.5).clamp(0.0, 1.0);
            let length = |noise: f32| (share(noise) * self.keys as f32).round() as usize;
            noise(seed, self.batch).into_iter().map(length).collect()
        }
    }

    type Attention =
        fn(Tensor<2>, Tensor<2>, Tensor<2>, Option<Tensor<3>>, usize, usize, Visible) -> Tensor<2>;

    /// Query, key, value and perhaps a bias as inputs.
    fn with(
        attention: Attention,
        sizes: Sizes,
        visible: Visible<'_>,
    ) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
        move |inputs| {
            let [query, key, value] = [0, 1, 2].map(|index: usize| inputs[index].clone());
            let bias = inputs.get(3).map(|bias| {
                bias.clone()
                    .reshape([sizes.heads, sizes.queries, sizes.keys])
            });
            attention(query, key, value, bias, sizes.batch, sizes.heads, visible)
        }
    }

    fn check_sizes(sizes: Sizes, visible: Visible, inputs: &[Input]) {
        check(
            &with(attention, sizes, visible),
            &with(reference, sizes, visible),
            inputs,
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn agrees_with_the_reference(
            (batch, heads, width) in (1..7_usize, 1..4_usize, 1..10_usize),
            (queries, keys) in (1..150_usize, 1..50_usize),
            causal in any::<bool>(),
            biased in any::<bool>(),
            roles in [roles(), roles(), roles(), roles()],
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let keys = if causal { queries } else { keys };
            let sizes = Sizes { batch, heads, queries, keys, width };
            let mut inputs = sizes.inputs(seed);
            for (input, role) in inputs.iter_mut().zip(roles) {
                input.role = role;
                input.layout = layout;
            }
            let lengths = sizes.lengths(seed);
            let visible = if causal { Visible::Causal } else { Visible::Lengths(&lengths) };
            check_sizes(sizes, visible, &inputs[..if biased { 4 } else { 3 }]);
        }
    }

    #[test]
    fn agrees_with_the_reference_at_the_size_of_a_miniature() {
        let sizes = Sizes {
            batch: 5,
            heads: 4,
            queries: 150,
            keys: 150,
            width: 32,
        };
        check_sizes(sizes, Visible::Causal, &sizes.inputs(1));
        check_sizes(
            sizes,
            Visible::Lengths(&[150, 3, 0, 128, 65]),
            &sizes.inputs(2),
        );
    }

    #[test]
    fn gradients_are_differences() {
        let sizes = Sizes {
            batch: 2,
            heads: 2,
            queries: 3,
            keys: 3,
            width: 2,
        };
        check_differences(&with(attention, sizes, Visible::Causal), &sizes.inputs(3));
        let lengths = Visible::Lengths(&[2, 3]);
        check_differences(&with(attention, sizes, lengths), &sizes.inputs(4));
        check_differences(&with(attention, sizes, lengths), &sizes.inputs(5)[..3]);
    }

    #[test]
    fn each_input_alone_has_its_gradient() {
        let sizes = Sizes {
            batch: 3,
            heads: 2,
            queries: 70,
            keys: 20,
            width: 8,
        };
        for tracked in 0..4 {
            let mut inputs = sizes.inputs(6);
            for (index, input) in inputs.iter_mut().enumerate() {
                input.role = if index == tracked {
                    Role::Tracked
                } else {
                    Role::Frozen
                };
            }
            check_sizes(sizes, Visible::Lengths(&[20, 7, 13]), &inputs);
        }
    }

    #[test]
    fn joint_projections_are_sliced_without_a_copy() {
        let sizes = Sizes {
            batch: 2,
            heads: 2,
            queries: 12,
            keys: 12,
            width: 8,
        };
        let sliced = |attention: Attention| {
            move |inputs: &[Tensor<2>]| {
                let part = |index: usize| {
                    inputs[0]
                        .clone()
                        .slice([0..24, index * 16..index * 16 + 16])
                };
                attention(
                    part(0),
                    part(1),
                    part(2),
                    None,
                    2,
                    2,
                    Visible::Lengths(&[12, 5]),
                )
            }
        };
        let joint = Input::tracked([sizes.batch * sizes.queries, 48], 7);
        check(&sliced(attention), &sliced(reference), &[joint]);
    }

    #[test]
    fn a_query_without_keys_gives_zero() {
        let sizes = Sizes {
            batch: 2,
            heads: 1,
            queries: 2,
            keys: 3,
            width: 2,
        };
        let [query, key, value, _] = sizes
            .inputs(8)
            .map(|input| Tensor::<2>::ones(input.shape, &burn::tensor::Device::flex()));
        let output = attention(query, key, value, None, 2, 1, Visible::Lengths(&[0, 3]));
        let wanted = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), wanted);
    }
}
