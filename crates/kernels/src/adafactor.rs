//! One step of Adafactor for one tensor (Shazeer & Stern 2018, arXiv 1804.04235, algorithms 4 and 5,
//! without momentum), in three passes over the gradient.
//!
//! With `w` the weight of the new squares (1 − β₂):
//!
//! - `V ← (1 - w) V + w (G² + ε₁)`; if factored, only the means of its rows `R` and columns `C` are stored
//! - `U = G / √V`; if factored, `V = R Cᵀ / mean(R)`
//! - `X ← keep X - size · max(ε₂, RMS(keep X)) · U / max(1, RMS(U))`; the `max(ε₂, …)` factor applies only to
//!   relative steps
//!
//! The reference is Burn's [`Adafactor`](burn::optim::Adafactor), which allocates some ten tensors of the gradient's
//! size; the optimiser in `train` uses it on other devices.

use burn::tensor::Tensor;

use super::flex::{self, from_flex, into_flex, values, values_mut};
use super::vector::{LANES, dot, vectorised};

pub use super::flex::is_fused;

/// ε₁, Burn's default and the paper's.
const EPSILON: f32 = 1e-30;

/// The coefficients of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// α, after the schedule.
    pub size: f64,
    /// ε₂ if the step is relative to the parameter's root mean square.
    pub smallest_scale: Option<f64>,
    /// 1 − β₂ of this step, in (0, 1].
    pub weight: f64,
    /// The factor by which weight decay multiplies the parameter, in (0, 1].
    pub keep: f64,
}

impl Step {
    /// The factor of the update, given the update's mean square and the parameter before decay.
    fn factor(&self, mean_square: f64, parameter: &[f32]) -> f32 {
        let scale = match self.smallest_scale {
            Some(smallest) => (self.keep * root_mean_square(parameter)).max(smallest),
            None => 1.0,
        };
        (self.size * scale / mean_square.sqrt().max(1.0)) as f32
    }

    /// Averages `old`, if present, into `new`.
    fn average(&self, old: Option<&[f32]>, new: &mut [f32]) {
        let Some(old) = old else { return };
        let (old_weight, weight) = ((1.0 - self.weight) as f32, self.weight as f32);
        for (new, old) in new.iter_mut().zip(old) {
            *new = old_weight * old + weight * *new;
        }
    }
}

/// The factored second moment.
#[derive(Debug, Clone)]
pub struct Factors {
    /// Mean of each row, `[N, 1]`.
    pub rows: Tensor<2>,
    /// Mean of each column, `[1, M]`.
    pub columns: Tensor<2>,
}

/// A step for a matrix `[N, M]` with the factored second moment, which is `None` before the first step.
///
/// # Panics
/// A tensor is not supported by [`is_fused`].
pub fn factored(
    parameter: Tensor<2>,
    gradient: Tensor<2>,
    factors: Option<Factors>,
    step: &Step,
) -> (Tensor<2>, Factors) {
    let [height, width] = gradient.dims();
    let mut parameter = into_flex(parameter);
    let gradient = into_flex(gradient);
    let gradient = values(&gradient);
    let old = factors.map(|factors| (into_flex(factors.rows), into_flex(factors.columns)));

    let (mut rows, mut columns) = squares(gradient, [height, width]);
    step.average(old.as_ref().map(|(rows, _)| values(rows)), &mut rows);
    step.average(
        old.as_ref().map(|(_, columns)| values(columns)),
        &mut columns,
    );

    let mean = rows.iter().map(|&row| f64::from(row)).sum::<f64>() / height as f64;
    let by_row: Vec<f32> = (rows.iter())
        .map(|&row| (mean / f64::from(row)).sqrt() as f32)
        .collect();
    let by_column: Vec<f32> = columns.iter().map(|column| 1.0 / column.sqrt()).collect();
    let parts = flex::map_shares(height, width, |share| {
        let gradient = &gradient[share.start * width..share.end * width];
        scaled_squares(gradient, &by_row[share], &by_column)
    });
    let mean_square = parts.iter().sum::<f64>() / gradient.len() as f64;

    let factor = step.factor(mean_square, values(&parameter));
    let keep = step.keep as f32;
    flex::for_each_share(values_mut(&mut parameter), width, |start, share| {
        let by_row = &by_row[start / width..(start + share.len()) / width];
        let gradient = &gradient[start..start + share.len()];
        descend_scaled(share, gradient, by_row, &by_column, [keep, factor]);
    });
    let factors = Factors {
        rows: from_flex(flex::from_values(rows, [height, 1])),
        columns: from_flex(flex::from_values(columns, [1, width])),
    };
    (from_flex(parameter), factors)
}

/// A step for a vector with the full second moment, which is `None` before the first step.
///
/// # Panics
/// A tensor is not supported by [`is_fused`].
pub fn unfactored(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    moment: Option<Tensor<1>>,
    step: &Step,
) -> (Tensor<1>, Tensor<1>) {
    let [count] = gradient.dims();
    let mut parameter = into_flex(parameter);
    let gradient = into_flex(gradient);
    let gradient = values(&gradient);
    // Before the first step the old moment has weight 0.
    let old_weight = if moment.is_some() {
        1.0 - step.weight
    } else {
        0.0
    };
    let weights = [old_weight as f32, (1.0 - old_weight) as f32];
    let mut moment = moment.map_or_else(|| flex::zeros([count]), into_flex);

    let parts = flex::map_shares_mut(values_mut(&mut moment), |start, share| {
        let gradient = &gradient[start..start + share.len()];
        average_squares(share, gradient, weights)
    });
    let mean_square = parts.iter().sum::<f64>() / count as f64;

    let factor = step.factor(mean_square, values(&parameter));
    let keep = step.keep as f32;
    let squares = values(&moment);
    flex::for_each_share(values_mut(&mut parameter), 1, |start, share| {
        let range = start..start + share.len();
        descend(
            share,
            &gradient[range.clone()],
            &squares[range],
            [keep, factor],
        );
    });
    (from_flex(parameter), from_flex(moment))
}

/// The means of `G² + ε₁` over each row and each column.
fn squares(gradient: &[f32], [height, width]: [usize; 2]) -> (Vec<f32>, Vec<f32>) {
    let parts = flex::map_shares(height, width, |share| {
        let mut columns = vec![0.0; width];
        let mut rows = vec![0.0; share.len()];
        add_squares(
            &gradient[share.start * width..share.end * width],
            &mut rows,
            &mut columns,
        );
        (rows, columns)
    });
    let mut rows = Vec::with_capacity(height);
    let mut columns = vec![0.0; width];
    // In order, because rounding depends on the order.
    for (row_sums, column_sums) in parts {
        rows.extend(row_sums);
        flex::add_to(&mut columns, &column_sums);
    }
    for (sums, count) in [(&mut rows, width), (&mut columns, height)] {
        for sum in sums {
            *sum = *sum / count as f32 + EPSILON;
        }
    }
    (rows, columns)
}

fn root_mean_square(parameter: &[f32]) -> f64 {
    let parts = flex::map_shares(parameter.len(), 1, |share| {
        sum_of_squares(&parameter[share])
    });
    (parts.iter().sum::<f64>() / parameter.len() as f64).sqrt()
}

vectorised! {
    fn sum_of_squares<A>(values: &[f32]) -> f64 {
        f64::from(dot::<A>(values, values))
    }

    /// Adds each square to its row's sum and to its column's.
    fn add_squares<A>(gradient: &[f32], rows: &mut [f32], columns: &mut [f32]) {
        let width = columns.len();
        for (row, sum) in gradient.chunks_exact(width).zip(rows) {
            *sum = dot::<A>(row, row);
            for (column, &g) in columns.iter_mut().zip(row) {
                *column = A::mul_add(g, g, *column);
            }
        }
    }

    /// The sum of the squares of the factored update.
    fn scaled_squares<A>(gradient: &[f32], by_row: &[f32], by_column: &[f32]) -> f64 {
        let mut total = 0.0;
        for (row, by_row) in gradient.chunks_exact(by_column.len()).zip(by_row) {
            let (chunks, rest) = row.as_chunks::<LANES>();
            let (scales, scales_rest) = by_column.as_chunks::<LANES>();
            let mut lanes = [0.0; LANES];
            for (chunk, scale) in chunks.iter().zip(scales) {
                let mut update = *chunk;
                for (update, scale) in update.iter_mut().zip(scale) {
                    *update *= scale;
                }
                A::add_products(&mut lanes, &update, &update);
            }
            for (lane, (g, scale)) in rest.iter().zip(scales_rest).enumerate() {
                let update = g * scale;
                lanes[lane] = A::mul_add(update, update, lanes[lane]);
            }
            let by_row = f64::from(*by_row);
            total += f64::from(A::sum_lanes(lanes)) * by_row * by_row;
        }
        total
    }

    /// Subtracts the factored update from the parameter's rows; `factors` are those of the parameter and of
    /// the update.
    fn descend_scaled<A>(
        parameter: &mut [f32],
        gradient: &[f32],
        by_row: &[f32],
        by_column: &[f32],
        factors: [f32; 2],
    ) {
        let [keep, factor] = factors;
        let width = by_column.len();
        let rows = parameter.chunks_exact_mut(width).zip(gradient.chunks_exact(width));
        for ((row, gradient), by_row) in rows.zip(by_row) {
            let factor = factor * by_row;
            for ((x, g), by_column) in row.iter_mut().zip(gradient).zip(by_column) {
                *x = A::mul_add(-factor, g * by_column, keep * *x);
            }
        }
    }

    /// Updates the moment's moving average. Returns the sum of the squares of the update.
    fn average_squares<A>(moment: &mut [f32], gradient: &[f32], weights: [f32; 2]) -> f64 {
        let [old, new] = weights;
        let (moments, moments_rest) = moment.as_chunks_mut::<LANES>();
        let (chunks, rest) = gradient.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for (moment, chunk) in moments.iter_mut().zip(chunks) {
            for lane in 0..LANES {
                let square = A::mul_add(chunk[lane], chunk[lane], EPSILON);
                moment[lane] = old * moment[lane] + new * square;
                lanes[lane] += chunk[lane] * chunk[lane] / moment[lane];
            }
        }
        for (lane, (moment, g)) in moments_rest.iter_mut().zip(rest).enumerate() {
            *moment = old * *moment + new * A::mul_add(*g, *g, EPSILON);
            lanes[lane] += g * g / *moment;
        }
        f64::from(A::sum_lanes(lanes))
    }

    /// Subtracts the update from the parameter.
    fn descend<A>(parameter: &mut [f32], gradient: &[f32], moment: &[f32], factors: [f32; 2]) {
        let [keep, factor] = factors;
        for ((x, g), moment) in parameter.iter_mut().zip(gradient).zip(moment) {
            *x = A::mul_add(-factor, g / moment.sqrt(), keep * *x);
        }
    }
}
