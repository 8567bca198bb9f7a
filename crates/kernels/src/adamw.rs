//! One step of AdamW for one tensor (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2), in one
//! pass over the gradient.
//!
//! With `t` the step number, counted from 1:
//!
//! - `M ← β₁ M + (1 - β₁) G` and `V ← β₂ V + (1 - β₂) G²`
//! - `X ← (1 - α λ) X - α · (M / (1 - β₁ᵗ)) / (√(V / (1 - β₂ᵗ)) + ε)`
//!
//! Each number is rounded after each operation, in the order of Burn's [`AdamW`](burn::optim::AdamW), which allocates
//! some ten tensors of the gradient's size: results are bit-identical.

use burn::tensor::Tensor;

use super::flex::{self, from_flex, into_flex, values, values_mut};
use super::vector::vectorised;

pub use super::flex::is_fused;

/// The coefficients of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// α, after the schedule.
    pub size: f64,
    /// β₁ and β₂, in [0, 1).
    pub betas: [f32; 2],
    /// ε, added to the root of the second moment.
    pub epsilon: f32,
    /// λ: the parameter shrinks by λ times α.
    pub weight_decay: f32,
    /// `t`, counted from 1.
    pub time: usize,
}

/// Both moving averages.
#[derive(Debug, Clone)]
pub struct Moments {
    /// `M`, of the gradients.
    pub first: Tensor<1>,
    /// `V`, of their squares.
    pub second: Tensor<1>,
}

/// A step for a vector; `moments` is `None` before the first step.
///
/// # Panics
/// A tensor is not supported by [`is_fused`].
pub fn step(
    parameter: Tensor<1>,
    gradient: Tensor<1>,
    moments: Option<Moments>,
    step: &Step,
) -> (Tensor<1>, Moments) {
    let [count] = gradient.dims();
    let mut parameter = into_flex(parameter);
    let gradient = into_flex(gradient);
    let gradient = values(&gradient);
    let [mut first, mut second] = match moments {
        Some(moments) => [into_flex(moments.first), into_flex(moments.second)],
        // They have weight 0 in the first average.
        None => [flex::zeros([count]), flex::zeros([count])],
    };
    let time = step.time as i32;
    let scalars = Scalars {
        betas: step.betas,
        corrections: step.betas.map(|beta| 1.0 - beta.powi(time)),
        epsilon: step.epsilon,
        keep: (1.0 - step.size * f64::from(step.weight_decay)) as f32,
        size: step.size as f32,
    };
    let buffers = [&mut parameter, &mut first, &mut second].map(values_mut);
    flex::for_each_share_of_three(buffers, |start, [x, first, second]| {
        descend(x, first, second, &gradient[start..start + x.len()], scalars);
    });
    let moments = Moments {
        first: from_flex(first),
        second: from_flex(second),
    };
    (from_flex(parameter), moments)
}

#[derive(Clone, Copy)]
struct Scalars {
    betas: [f32; 2],
    corrections: [f32; 2],
    epsilon: f32,
    keep: f32,
    size: f32,
}

vectorised! {
    /// Multiplications and additions are not fused, as in Burn.
    fn descend<A>(
        parameter: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
        scalars: Scalars,
    ) {
        let [beta_1, beta_2] = scalars.betas;
        let [correction_1, correction_2] = scalars.corrections;
        let (keep, size, epsilon) = (scalars.keep, scalars.size, scalars.epsilon);
        let moments = first.iter_mut().zip(second);
        for ((x, &g), (first, second)) in parameter.iter_mut().zip(gradient).zip(moments) {
            *first = *first * beta_1 + g * (1.0 - beta_1);
            *second = *second * beta_2 + g * g * (1.0 - beta_2);
            let delta = (*first / correction_1) / ((*second / correction_2).sqrt() + epsilon);
            *x = *x * keep - delta * size;
        }
    }
}
