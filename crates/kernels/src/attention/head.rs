//! Forward and backward of one head of one example.

use std::ops::Range;

use super::call::{Call, Dropped};
use crate::flex;
use crate::matrix::{Matrix, MatrixMut};
use crate::vector::{Arithmetic, dot, exp_shifted, largest, multiply_by, tanh, vectorised};

/// One head of one example.
pub(super) struct Head<'a> {
    pub(super) query: Matrix<'a>,
    pub(super) key: Matrix<'a>,
    pub(super) value: Matrix<'a>,
    pub(super) bias: Option<&'a [f32]>,
    /// Its index over all examples, counted by example, then head.
    pub(super) index: usize,
    pub(super) example: usize,
    pub(super) call: &'a Call,
}

/// The gradients of one head: `dquery` is its own, while those of keys, values and bias accumulate over
/// heads.
pub(super) struct HeadGradients<'a> {
    pub(super) dquery: Option<MatrixMut<'a>>,
    pub(super) dkey: Option<MatrixMut<'a>>,
    pub(super) dvalue: Option<MatrixMut<'a>>,
    /// One per distance.
    pub(super) dbias: Option<&'a mut [f32]>,
}

/// Buffers for the scores of a block of queries and for their gradient.
pub(super) struct Scratch<'a> {
    pub(super) scores: &'a mut [f32],
    pub(super) dscores: &'a mut [f32],
}

impl Head<'_> {
    pub(super) fn forward(&self, mut output: MatrixMut, log_z: &mut [f32], scratch: &mut [f32]) {
        if self.call.queries == 1 {
            log_z[0] = self.forward_one(output.row(0), scratch);
            return;
        }
        let mut mask = WeightMask::new(self);
        for block in self.call.blocks() {
            let keys = self.call.visible_to_block(self.example, &block);
            let (first, width) = (keys.start, keys.len());
            if width == 0 {
                continue;
            }
            let scores = &mut scratch[..block.len() * width];
            self.score(scores, &block, &keys);
            for (row, query) in scores.chunks_exact_mut(width).zip(block.clone()) {
                let (seen, hidden) = row.split_at_mut(self.seen(query, first));
                log_z[query] = softmax_row(seen, self.bias_row(query));
                mask.drop_from(seen, query, first);
                hidden.fill(0.0);
            }
            let weights = Matrix::new(scores, block.len(), width, width);
            output
                .rows(block.start, block.len())
                .set_product(weights, self.value.rows(first, width));
        }
    }

    /// The single query of a decoding step, for which packing would dominate a matrix product. Returns
    /// `logZ`.
    fn forward_one(&self, output: &mut [f32], scratch: &mut [f32]) -> f32 {
        let keys = self.call.visible_to_block(self.example, &(0..1));
        let (first, seen) = (keys.start, keys.len());
        let weights = &mut scratch[..seen];
        score_one(weights, self.query.row(0), self.key.rows(first, seen));
        self.cap_and_hide(weights, 0, first);
        let log_z = softmax_row(weights, self.bias_row(0));
        WeightMask::new(self).drop_from(weights, 0, first);
        mix_one(output, weights, self.value.rows(first, seen));
        log_z
    }

    pub(super) fn backward(
        &self,
        mut gradients: HeadGradients,
        log_z: &[f32],
        dy: Matrix,
        scratch: Scratch,
    ) {
        let mut mask = WeightMask::new(self);
        let mut slopes = vec![1.0; self.call.cap.map_or(0, |_| self.call.keys)];
        for block in self.call.blocks() {
            let (query, count) = (block.start, block.len());
            let keys = self.call.visible_to_block(self.example, &block);
            let (first, width) = (keys.start, keys.len());
            if width == 0 {
                continue;
            }
            let dy = dy.rows(query, count);
            let weights = &mut scratch.scores[..count * width];
            self.score(weights, &block, &keys);
            let dscores = &mut scratch.dscores[..count * width];
            let mut dweights = MatrixMut::new(dscores, count, width);
            dweights.set_product(dy, self.value.rows(first, width).transposed());
            let rows = weights
                .chunks_exact_mut(width)
                .zip(dscores.chunks_exact_mut(width));
            for ((weights, dscores), query) in rows.zip(block.clone()) {
                let seen = self.seen(query, first);
                let (weights, hidden) = weights.split_at_mut(seen);
                let (dscores, dhidden) = dscores.split_at_mut(seen);
                mask.drop_from(dscores, query, first);
                if let Some(cap) = self.call.cap {
                    slopes_of_capped(&mut slopes[..seen], weights, cap);
                }
                softmax_row_backward(weights, dscores, self.bias_row(query), log_z[query]);
                mask.drop_again_from(weights);
                hidden.fill(0.0);
                dhidden.fill(0.0);
                if let Some(dbias) = gradients.dbias.as_deref_mut() {
                    let biased = dscores.get(self.call.free..).unwrap_or_default();
                    let start = self.call.bias_start(query);
                    flex::add_to(&mut dbias[start..][..biased.len()], biased);
                }
                if self.call.cap.is_some() {
                    multiply_by(dscores, &slopes);
                }
            }

            let weights = Matrix::new(weights, count, width, width);
            let dscores = Matrix::new(dscores, count, width, width);
            if let Some(dvalue) = &mut gradients.dvalue {
                (dvalue.rows(first, width)).add_product(weights.transposed(), dy);
            }
            if let Some(dquery) = &mut gradients.dquery {
                dquery
                    .rows(query, count)
                    .set_product(dscores, self.key.rows(first, width));
            }
            if let Some(dkey) = &mut gradients.dkey {
                let query = self.query.rows(query, count);
                (dkey.rows(first, width)).add_product(dscores.transposed(), query);
            }
        }
    }

    /// The scores of a block of queries and these keys, without the bias; -∞ for hidden keys inside a query's
    /// range, so that their weights and gradients are 0.
    fn score(&self, scores: &mut [f32], block: &Range<usize>, keys: &Range<usize>) {
        let query = self.query.rows(block.start, block.len());
        let key = self.key.rows(keys.start, keys.len()).transposed();
        MatrixMut::new(scores, block.len(), keys.len()).set_product(query, key);
        for (row, query) in scores.chunks_exact_mut(keys.len()).zip(block.clone()) {
            self.cap_and_hide(row, query, keys.start);
        }
    }

    /// Caps a query's scores of the keys from `first` on, and hides keys inside its range.
    fn cap_and_hide(&self, row: &mut [f32], query: usize, first: usize) {
        if let Some(cap) = self.call.cap {
            cap_row(row, cap);
        }
        let hidden = self.call.hidden(self.example, query);
        let [from, to] = [hidden.start, hidden.end].map(|key| key.saturating_sub(first));
        row[from..to].fill(f32::NEG_INFINITY);
    }

    /// The number of keys from `first` to the last one visible to a query.
    fn seen(&self, query: usize, first: usize) -> usize {
        (self.call.visible(self.example, query)).saturating_sub(first)
    }

    fn bias_row(&self, query: usize) -> Option<BiasRow<'_>> {
        self.bias.map(|bias| BiasRow {
            free: self.call.free,
            values: &bias[self.call.bias_start(query)..],
        })
    }
}

/// The current row of the dropout mask, if there is dropout.
struct WeightMask<'a> {
    dropped: Option<Dropped>,
    /// The head, and a row of its mask.
    head: &'a Head<'a>,
    row: Vec<f32>,
    /// Whether `row` holds the head's single row ([`Dropped::Keys`]).
    is_held: bool,
    /// The first key of the last call of `drop_from`.
    first: usize,
}

impl<'a> WeightMask<'a> {
    fn new(head: &'a Head<'a>) -> Self {
        let dropped = head.call.dropped;
        WeightMask {
            dropped,
            head,
            row: vec![0.0; dropped.map_or(0, |_| head.call.keys)],
            is_held: false,
            first: 0,
        }
    }

    /// Multiplies a query's weights for the keys from `first` on, or their gradients, by the mask.
    fn drop_from(&mut self, weights: &mut [f32], query: usize, first: usize) {
        self.first = first;
        match self.dropped {
            None => return,
            // Only as far as the query sees keys: no other query uses this row.
            Some(Dropped::Each(mask)) => {
                let row = self.head.index * self.head.call.queries + query;
                mask.fill(row, &mut self.row[..first + weights.len()]);
            }
            Some(Dropped::Keys(mask)) if !self.is_held => {
                mask.fill(self.head.index, &mut self.row);
                self.is_held = true;
            }
            Some(Dropped::Keys(_)) => {}
        }
        multiply_by(weights, &self.row[first..]);
    }

    /// As `drop_from`, with the row and the first key of its last call.
    fn drop_again_from(&self, weights: &mut [f32]) {
        if self.dropped.is_some() {
            multiply_by(weights, &self.row[self.first..]);
        }
    }
}

vectorised! {
    /// The scores of one query, one per key.
    fn score_one<A>(scores: &mut [f32], query: &[f32], keys: Matrix) {
        for (key, score) in scores.iter_mut().enumerate() {
            *score = dot::<A>(query, keys.row(key));
        }
    }

    /// The weighted sum of the values, one per weight.
    fn mix_one<A>(output: &mut [f32], weights: &[f32], values: Matrix) {
        output.fill(0.0);
        for (key, weight) in weights.iter().enumerate() {
            for (output, value) in output.iter_mut().zip(values.row(key)) {
                *output = A::mul_add(*weight, *value, *output);
            }
        }
    }

    /// Replaces scores `s` by `c tanh(s / c)`.
    fn cap_row<A>(row: &mut [f32], cap: f32) {
        for score in row {
            *score = cap * precise_tanh::<A>(*score / cap);
        }
    }

    /// The derivatives of capped scores with respect to the scores, `1 - (capped / c)²`; 0 for hidden keys.
    fn slopes_of_capped<A>(slopes: &mut [f32], capped: &[f32], cap: f32) {
        for (slope, capped) in slopes.iter_mut().zip(capped) {
            let share = (capped / cap).max(-1.0);
            *slope = A::mul_add(-share, share, 1.0);
        }
    }

    /// Replaces `row` by `softmax(row + bias)`. Returns `logZ`.
    fn softmax_row<A>(row: &mut [f32], bias: Option<BiasRow>) -> f32 {
        add_bias(row, bias);
        let shift = largest(row);
        let sum = exp_shifted::<A>(row, shift);
        let scale = 1.0 / sum;
        for weight in row {
            *weight *= scale;
        }
        shift + sum.ln()
    }

    /// Replaces the scores in `row` by `softmax(row + bias)`, and the gradient of the softmax's output in
    /// `gradient` by that of its input.
    fn softmax_row_backward<A>(
        row: &mut [f32],
        gradient: &mut [f32],
        bias: Option<BiasRow>,
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

/// [`tanh`], also precise for small arguments, which a cap multiplies: near 0 its series.
#[inline(always)]
fn precise_tanh<A: Arithmetic>(x: f32) -> f32 {
    let square = x * x;
    let series = A::mul_add(square, -17.0 / 315.0, 2.0 / 15.0);
    let series = A::mul_add(square, series, -1.0 / 3.0);
    let series = A::mul_add(x * square, series, x);
    if square < 0.04 { series } else { tanh::<A>(x) }
}

/// The bias of one query's scores.
#[derive(Clone, Copy)]
struct BiasRow<'a> {
    /// The number of keys without a bias, before the others.
    free: usize,
    /// Biases of the other keys, followed by those of distances that this query does not have.
    values: &'a [f32],
}

#[inline(always)]
fn add_bias(row: &mut [f32], bias: Option<BiasRow>) {
    if let Some(BiasRow { free, values }) = bias
        && let Some(biased) = row.get_mut(free..)
    {
        for (score, bias) in biased.iter_mut().zip(values) {
            *score += bias;
        }
    }
}
