//! The inputs of one call as matrices of heads, and the distribution of heads among threads.

use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::call::{BLOCK, Call};
use super::head::{Head, HeadGradients, Scratch};
use crate::flex::{self, contiguous, values, values_mut};
use crate::matrix::{Matrix, MatrixMut};

#[derive(Clone, Debug)]
pub(super) struct Inputs {
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    bias: Option<FlexTensor>,
    call: Call,
}

/// Which gradients to compute.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) query: bool,
    pub(super) key: bool,
    pub(super) value: bool,
    pub(super) bias: bool,
}

impl Inputs {
    pub(super) fn new(
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
    pub(super) fn forward(&self) -> (FlexTensor, Vec<f32>) {
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
    pub(super) fn backward(
        &self,
        log_z: &[f32],
        dy: &FlexTensor,
        wanted: Wanted,
    ) -> [Option<FlexTensor>; 4] {
        let (call, views, dy) = (&self.call, self.views(), Rows::new(dy));
        let mut dquery = wanted.query.then(|| flex::zeros(call.output_shape()));
        let mut dkey = wanted.key.then(|| flex::zeros(call.key_shape()));
        let mut dvalue = wanted.value.then(|| flex::zeros(call.key_shape()));
        let [heads, distances] = call.bias_shape();
        let bias_parts = if wanted.bias {
            call.batch * heads * distances
        } else {
            0
        };
        let mut bias_parts = vec![0.0; bias_parts];

        if call.queries > 0 {
            let key_heads = call.key_heads();
            let mut dqueries = head_blocks(&mut dquery, call, call.heads);
            let dkeys = head_blocks(&mut dkey, call, key_heads);
            let dvalues = head_blocks(&mut dvalue, call, key_heads);
            let slots = call.batch * key_heads;
            let dbiases = bias_slots(&mut bias_parts, call.shared * distances, slots);
            let tasks: Vec<Task> = (dkeys.zip(dvalues).zip(dbiases).enumerate())
                .map(|(index, ((dkey, dvalue), dbias))| Task {
                    first: index * call.shared,
                    dqueries: dqueries.by_ref().take(call.shared).collect(),
                    dkey,
                    dvalue,
                    dbias,
                })
                .collect();
            tasks.into_par_iter().for_each_init(
                || [(); 2].map(|()| vec![0.0; BLOCK.min(call.queries) * call.keys]),
                |[scores, dscores], mut task| {
                    for (nth, dquery) in task.dqueries.into_iter().enumerate() {
                        let index = task.first + nth;
                        views.head(index).backward(
                            HeadGradients {
                                dquery,
                                dkey: task.dkey.as_mut().map(MatrixMut::reborrowed),
                                dvalue: task.dvalue.as_mut().map(MatrixMut::reborrowed),
                                dbias: (task.dbias.as_deref_mut())
                                    .map(|dbias| &mut dbias[nth * distances..][..distances]),
                            },
                            &log_z[index * call.queries..][..call.queries],
                            dy.head(index, call.queries, [call.heads, call.width]),
                            Scratch { scores, dscores },
                        );
                    }
                },
            );
        }
        let dbias = wanted.bias.then(|| sum_bias_parts(&bias_parts, call));
        [dquery, dkey, dvalue, dbias]
    }
}

/// The gradients of the query heads that share one key head, in one example.
struct Task<'a> {
    /// The first of these heads, counted within the example.
    first: usize,
    dqueries: Vec<Option<MatrixMut<'a>>>,
    dkey: Option<MatrixMut<'a>>,
    dvalue: Option<MatrixMut<'a>>,
    /// For all these heads, concatenated.
    dbias: Option<&'a mut [f32]>,
}

/// The block of every example and head, or as many `None`.
fn head_blocks<'a>(
    gradient: &'a mut Option<FlexTensor>,
    call: &Call,
    heads: usize,
) -> impl Iterator<Item = Option<MatrixMut<'a>>> {
    let count = call.batch * heads;
    let blocks = gradient
        .as_mut()
        .map(|tensor| MatrixMut::blocks(values_mut(tensor), call.batch, heads, call.width));
    let absent = if blocks.is_none() { count } else { 0 };
    let present = blocks.into_iter().flatten().map(Some);
    present.chain((0..absent).map(|_| None))
}

/// `count` slices of `size`, or as many `None` if there are no parts.
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

/// Sums over examples, in order.
fn sum_bias_parts(parts: &[f32], call: &Call) -> FlexTensor {
    let mut total = flex::zeros(call.bias_shape());
    let sum = values_mut(&mut total);
    for part in parts.chunks_exact(sum.len().max(1)) {
        flex::add_to(sum, part);
    }
    total
}

/// A tensor `[rows, columns]` with adjacent columns: itself, or a copy. Slices of columns, as taken from a
/// joint projection, are not copied.
fn rows_with_neighbours(tensor: FlexTensor) -> FlexTensor {
    let strides = tensor.layout().strides();
    if strides[1] == 1 && strides[0] >= 0 {
        tensor
    } else {
        contiguous(tensor)
    }
}

/// The rows of a tensor returned by [`rows_with_neighbours`].
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

    /// The columns of one of `heads` heads of `width` in the `length` rows of one example; `index` counts
    /// heads by example, then head.
    fn head(self, index: usize, length: usize, [heads, width]: [usize; 2]) -> Matrix<'a> {
        let (example, head) = (index / heads, index % heads);
        let start = example * length * self.stride + head * width;
        let data = self.data.get(start..).unwrap_or_default();
        Matrix::new(data, length, width, self.stride)
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
    /// The inputs of one head of one example; `index` counts heads by example, then head.
    fn head(self, index: usize) -> Head<'a> {
        let call = self.call;
        let [heads, distances] = call.bias_shape();
        let head = index % heads;
        let of_keys = [call.key_heads(), call.width];
        Head {
            query: (self.query).head(index, call.queries, [call.heads, call.width]),
            key: self.key.head(index / call.shared, call.keys, of_keys),
            value: self.value.head(index / call.shared, call.keys, of_keys),
            bias: (self.bias).map(|bias| &bias[head * distances..][..distances]),
            index,
            example: index / call.heads,
            call,
        }
    }
}
