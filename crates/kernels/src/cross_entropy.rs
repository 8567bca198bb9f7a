//! Cross-entropy of every row, with z-loss.
//!
//! With `logZ = log Σ exp(logits)` and `p = exp(logits - logZ)` of a row:
//!
//! - `y = logZ - logits[target] + z_loss logZ²`
//! - `dlogits = dy (p (1 + 2 z_loss logZ) - onehot(target))`
//!
//! The forward saves the logits and `logZ`, but no probabilities.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values, values_mut};
use super::vector::{self, exp, sum_exp, vectorised};

/// `out[n] = logZ_n - logits[n, target_n] + z_loss * logZ_n²`, where `logZ_n` is the logarithm of the sum of
/// `exp(logits[n, ..])`.
///
/// # Shapes
///
/// - logits: `[N, V]`
/// - targets: `N` ids below `V`
/// - output: `[N]`
pub fn cross_entropy(logits: Tensor<2>, targets: &[u32], z_loss: f64) -> Tensor<1> {
    let [rows, vocabulary] = logits.dims();
    assert_eq!(
        rows,
        targets.len(),
        "cross_entropy: one target for every row"
    );
    let known = |&id: &u32| (id as usize) < vocabulary;
    assert!(
        targets.iter().all(known),
        "cross_entropy: targets inside the vocabulary"
    );
    if !flex::is_fused(&logits) {
        return reference(logits, targets, z_loss);
    }
    let targets = Targets {
        ids: targets.into(),
        z_loss: z_loss as f32,
    };
    Tensor::from_dispatch(Dispatch::cross_entropy(logits.into_dispatch(), targets))
}

/// [`cross_entropy`] in plain Burn operations.
pub fn reference(logits: Tensor<2>, targets: &[u32], z_loss: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let ids: Vec<i32> = targets.iter().map(|&id| id as i32).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [rows, 1]), &logits.device());
    let largest = logits.clone().max_dim(1).detach();
    let log_z = (logits.clone() - largest.clone()).exp().sum_dim(1).log() + largest;
    let target = logits.gather(1, ids);
    (log_z.clone() - target + log_z.square() * z_loss).squeeze_dim(1)
}

/// The targets of the loss.
#[derive(Clone, Debug)]
struct Targets {
    ids: Arc<[u32]>,
    z_loss: f32,
}

#[backend_extension(Flex, Autodiff)]
trait CrossEntropy: Backend {
    fn cross_entropy(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self>;
}

impl CrossEntropy for Flex {
    fn cross_entropy(logits: FlexTensor, targets: Targets) -> FlexTensor {
        let logits = contiguous(logits);
        losses(&logits, &targets, &log_partitions(&logits))
    }
}

impl<C: CheckpointStrategy> CrossEntropy for Autodiff<Flex, C> {
    fn cross_entropy(logits: FloatTensor<Self>, targets: Targets) -> FloatTensor<Self> {
        let (logits, node) = logits.into_parts();
        let logits = contiguous(logits);
        let log_z = log_partitions(&logits);
        let output = losses(&logits, &targets, &log_z);
        match CrossEntropyBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => step.finish(
                Saved {
                    logits,
                    log_z,
                    targets,
                },
                output,
            ),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}

#[derive(Clone, Debug)]
struct Saved {
    logits: FlexTensor,
    log_z: Vec<f32>,
    targets: Targets,
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 1> for CrossEntropyBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, gradient(ops.state, &dy));
        }
    }
}

/// `logZ` of every row.
fn log_partitions(logits: &FlexTensor) -> Vec<f32> {
    let [rows, vocabulary] = flex::dims2(logits);
    let logits = values(logits);
    let share = |rows: std::ops::Range<usize>| -> Vec<f32> {
        let logits = &logits[rows.start * vocabulary..rows.end * vocabulary];
        logits.chunks_exact(vocabulary).map(log_sum_exp).collect()
    };
    flex::map_shares(rows, vocabulary, share).concat()
}

fn losses(logits: &FlexTensor, targets: &Targets, log_z: &[f32]) -> FlexTensor {
    let [rows, vocabulary] = flex::dims2(logits);
    let logits = values(logits);
    let loss = |row: usize| {
        let target = logits[row * vocabulary + targets.ids[row] as usize];
        log_z[row] - target + targets.z_loss * log_z[row] * log_z[row]
    };
    flex::from_values((0..rows).map(loss).collect(), [rows])
}

/// Turns the logits into their gradient, in place if the buffer is not shared.
fn gradient(saved: Saved, dy: &FlexTensor) -> FlexTensor {
    let Saved {
        mut logits,
        log_z,
        targets,
    } = saved;
    let [_, vocabulary] = flex::dims2(&logits);
    let dy = values(dy);
    flex::for_each_share(values_mut(&mut logits), vocabulary, |start, rows| {
        for (index, row) in rows.chunks_exact_mut(vocabulary).enumerate() {
            let n = start / vocabulary + index;
            let weight = dy[n] * (1.0 + 2.0 * targets.z_loss * log_z[n]);
            scaled_probabilities(row, log_z[n], weight);
            row[targets.ids[n] as usize] -= dy[n];
        }
    });
    logits
}

vectorised! {
    /// The largest value of a row; negative infinity if it is empty.
    pub fn largest<A>(row: &[f32]) -> f32 {
        vector::largest(row)
    }

    /// `log Σ e^x` of a row.
    pub fn log_sum_exp<A>(row: &[f32]) -> f32 {
        let shift = vector::largest(row);
        shift + sum_exp::<A>(row, shift).ln()
    }

    /// Replaces `row` by `weight exp(row - log_z)`.
    fn scaled_probabilities<A>(row: &mut [f32], log_z: f32, weight: f32) {
        for logit in row {
            *logit = weight * exp::<A>(*logit - log_z);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, Role, check, check_differences, layouts};
    use super::{cross_entropy, reference};

    type Loss = fn(Tensor<2>, &[u32], f64) -> Tensor<1>;

    fn with_targets(loss: Loss, seed: u64, z_loss: f64) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
        move |inputs| {
            let [rows, vocabulary] = inputs[0].dims();
            let target = |row| ((row as u64 * 31 + seed) % vocabulary as u64) as u32;
            let targets: Vec<u32> = (0..rows).map(target).collect();
            loss(inputs[0].clone() * 4.0, &targets, z_loss).unsqueeze()
        }
    }

    fn check_losses(seed: u64, z_loss: f64, input: Input) {
        let fused = with_targets(cross_entropy, seed, z_loss);
        check(&fused, &with_targets(reference, seed, z_loss), &[input]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            shape in [1..30_usize, 1..80_usize],
            layout in layouts(),
            z_loss in prop_oneof![Just(0.0), Just(1e-4), Just(0.1)],
            seed in 1..1000_u64,
        ) {
            check_losses(seed, z_loss, Input { layout, ..Input::tracked(shape, seed) });
        }
    }

    #[test]
    fn agrees_with_the_reference_over_many_shares() {
        check_losses(3, 1e-4, Input::tracked([60, 2300], 3));
        check_losses(3, 1e-4, Input::tracked([2, 32_128], 4));
    }

    #[test]
    fn frozen_logits_have_no_gradient() {
        check_losses(3, 1e-4, Input::tracked([4, 20], 5).with_role(Role::Frozen));
    }

    #[test]
    fn gradients_are_differences() {
        let losses = with_targets(cross_entropy, 1, 0.05);
        check_differences(
            &|inputs| losses(&[inputs[0].clone() * 0.25]),
            &[Input::tracked([3, 9], 6)],
        );
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let device = burn::tensor::Device::flex();
        let logits = Tensor::<2>::from_floats([[1e4, -1e4, f32::NEG_INFINITY]], &device);
        let loss = cross_entropy(logits, &[1], 0.0)
            .into_data()
            .try_to_vec::<f32>()
            .unwrap();
        assert_eq!(loss, [2e4]);
    }

    #[test]
    #[should_panic(expected = "targets inside the vocabulary")]
    fn a_target_beyond_the_vocabulary_is_refused() {
        let logits = Tensor::<2>::zeros([1, 4], &burn::tensor::Device::flex());
        let _ = cross_entropy(logits, &[4], 0.0);
    }
}
