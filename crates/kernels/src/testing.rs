//! Compares fused operations with their references in tests.

use std::sync::LazyLock;

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// How automatic differentiation treats an input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// It requires a gradient.
    Tracked,
    /// On a device with automatic differentiation, but without requiring a gradient.
    Frozen,
    /// On a device without automatic differentiation.
    Plain,
}

/// How an input is laid out in memory.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    Contiguous,
    Transposed,
    /// Some columns of a wider matrix.
    Columns,
    /// Some rows of a longer matrix.
    Rows,
}

/// An input `[rows, columns]` of an operation.
#[derive(Clone, Debug)]
pub struct Input {
    pub shape: [usize; 2],
    pub role: Role,
    pub layout: Layout,
    pub seed: u64,
}

impl Input {
    pub fn tracked(shape: [usize; 2], seed: u64) -> Self {
        Self {
            shape,
            role: Role::Tracked,
            layout: Layout::Contiguous,
            seed,
        }
    }

    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    fn stored_shape(&self) -> [usize; 2] {
        let [rows, columns] = self.shape;
        match self.layout {
            Layout::Contiguous => [rows, columns],
            Layout::Transposed => [columns, rows],
            Layout::Columns => [rows, columns + 5],
            Layout::Rows => [rows + 3, columns],
        }
    }

    fn values(&self) -> Vec<f32> {
        let [rows, columns] = self.stored_shape();
        noise(self.seed, rows * columns)
    }

    /// The stored tensor, which receives the gradient, and the view of it that is the operation's input.
    fn tensors(&self, values: Vec<f32>) -> (Tensor<2>, Tensor<2>) {
        let device = match self.role {
            Role::Plain => Device::flex(),
            Role::Tracked | Role::Frozen => Device::flex().autodiff(),
        };
        let stored = Tensor::from_data(TensorData::new(values, self.stored_shape()), &device);
        let stored = if self.role == Role::Tracked {
            stored.require_grad()
        } else {
            stored
        };
        let [rows, columns] = self.shape;
        let input = match self.layout {
            Layout::Contiguous => stored.clone(),
            Layout::Transposed => stored.clone().transpose(),
            Layout::Columns => stored.clone().slice([0..rows, 2..columns + 2]),
            Layout::Rows => stored.clone().slice([1..rows + 1, 0..columns]),
        };
        (stored, input)
    }
}

pub fn roles() -> impl Strategy<Value = Role> {
    prop_oneof![3 => Just(Role::Tracked), 1 => Just(Role::Frozen), 1 => Just(Role::Plain)]
}

pub fn layouts() -> impl Strategy<Value = Layout> {
    use Layout::{Columns, Contiguous, Rows, Transposed};
    prop_oneof![2 => Just(Contiguous), 1 => Just(Transposed), 1 => Just(Columns), 1 => Just(Rows)]
}

/// `count` values in [-1.5, 1.5) that depend only on the seed.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32 * 3.0 - 1.5
    };
    // The first values still correlate with the seed.
    (0..8).for_each(|_| _ = next());
    (0..count).map(|_| next()).collect()
}

#[derive(Debug, PartialEq)]
struct Outcome {
    output: Vec<f32>,
    gradients: Vec<Option<Vec<f32>>>,
}

type Operation<'a> = &'a (dyn Fn(&[Tensor<2>]) -> Tensor<2> + Sync);

/// Thread pools of different sizes, which must not affect results: one thread, and a number that divides no
/// size evenly.
static POOLS: LazyLock<[ThreadPool; 2]> = LazyLock::new(|| {
    [1, 3].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads for a test")
    })
});

/// The output, and the gradients of a weighted sum of it.
fn run(operation: Operation, inputs: &[Input]) -> Outcome {
    let (stored, inputs): (Vec<_>, Vec<_>) = inputs
        .iter()
        .map(|input| input.tensors(input.values()))
        .unzip();
    let output = operation(&inputs);
    drop(inputs);
    let values = floats(output.clone());
    if !stored.iter().any(Tensor::is_require_grad) {
        return Outcome {
            output: values,
            gradients: vec![None; stored.len()],
        };
    }
    let gradients = weighted_sum(output).backward();
    let gradients = stored
        .iter()
        .map(|tensor| tensor.grad(&gradients).map(floats))
        .collect();
    Outcome {
        output: values,
        gradients,
    }
}

fn weighted_sum(output: Tensor<2>) -> Tensor<1> {
    let shape = output.dims();
    let weights = TensorData::new(noise(99, shape[0] * shape[1]), shape);
    (output.clone() * Tensor::from_data(weights, &output.device())).sum()
}

fn floats(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 values")
}

/// Checks values and gradients of a fused operation against its reference, that exactly the required
/// gradients exist, and that results are bit-identical for any number of threads.
pub fn check(fused: Operation, reference: Operation, inputs: &[Input]) {
    let found = run(fused, inputs);
    let wanted = run(reference, inputs);
    assert_close(&found.output, &wanted.output, 1e-4, "output");
    for (index, input) in inputs.iter().enumerate() {
        match (&found.gradients[index], &wanted.gradients[index]) {
            (Some(found), Some(wanted)) => {
                assert_close(found, wanted, 1e-4, &format!("gradient {index}"));
            }
            (found, _) => {
                assert!(found.is_none(), "gradient {index} of {input:?}");
                assert_ne!(input.role, Role::Tracked, "no gradient {index}");
            }
        }
    }
    for pool in POOLS.iter() {
        let threads = pool.current_num_threads();
        let again = pool.install(|| run(fused, inputs));
        assert_eq!(again, found, "on {threads} threads");
    }

    let plain: Vec<Input> = inputs
        .iter()
        .map(|input| input.clone().with_role(Role::Plain))
        .collect();
    assert_eq!(
        run(fused, &plain).output,
        found.output,
        "without automatic differentiation"
    );
}

/// Checks every gradient of an operation against central differences of its own forward.
pub fn check_differences(operation: Operation, inputs: &[Input]) {
    const STEP: f32 = 1e-2;
    let gradients = run(operation, inputs).gradients;
    for (index, gradient) in gradients.iter().enumerate() {
        let gradient = gradient.as_ref().expect("every input tracked");
        for (element, &found) in gradient.iter().enumerate() {
            let loss_at = |step: f32| {
                let moved: Vec<Tensor<2>> = inputs
                    .iter()
                    .enumerate()
                    .map(|(other, input)| {
                        let mut values = input.values();
                        if other == index {
                            values[element] += step;
                        }
                        input.clone().with_role(Role::Plain).tensors(values).1
                    })
                    .collect();
                let output = operation(&moved);
                let weights = noise(99, output.shape().num_elements());
                let products = floats(output).into_iter().zip(weights);
                products
                    .map(|(value, weight)| f64::from(value) * f64::from(weight))
                    .sum::<f64>()
            };
            let wanted = ((loss_at(STEP) - loss_at(-STEP)) / f64::from(2.0 * STEP)) as f32;
            let error = (found - wanted).abs();
            assert!(
                error <= 2e-3 * (1.0 + wanted.abs()),
                "gradient {index}[{element}]: {found}, by differences {wanted}"
            );
        }
    }
}

fn assert_close(found: &[f32], wanted: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}: length");
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let close = (found - wanted).abs() <= tolerance * (1.0 + wanted.abs());
        assert!(close, "{what}[{index}]: {found}, wanted {wanted}");
    }
}
