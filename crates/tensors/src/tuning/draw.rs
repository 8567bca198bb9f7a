//! Draws initial values from a seed; they are the same on every machine.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws parameters from one random stream, on a device without autodiff.
pub(super) struct Draw {
    seed: u64,
    rng: ChaCha8Rng,
    device: Device,
}

impl Draw {
    pub(super) fn new(seed: u64, device: Device) -> Self {
        Draw {
            seed,
            rng: ChaCha8Rng::seed_from_u64(seed),
            device,
        }
    }

    /// The seed.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The device of what is drawn.
    pub(super) fn device(&self) -> Device {
        self.device.clone()
    }

    /// A constant.
    pub(super) fn filled<const D: usize>(&self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.param(shape, vec![value; shape.iter().product()])
    }

    /// U[-bound, bound).
    pub(super) fn uniform<const D: usize>(
        &mut self,
        shape: [usize; D],
        bound: f32,
    ) -> Param<Tensor<D>> {
        let values = (0..shape.iter().product())
            .map(|_| self.rng.random_range(-bound..bound))
            .collect();
        self.param(shape, values)
    }

    /// N(0, deviation²).
    pub(super) fn normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        deviation: f64,
    ) -> Param<Tensor<D>> {
        let values = (0..shape.iter().product())
            .map(|_| (self.standard() * deviation) as f32)
            .collect();
        self.param(shape, values)
    }

    /// N(0, deviation²), truncated at two deviations.
    pub(super) fn truncated<const D: usize>(
        &mut self,
        shape: [usize; D],
        deviation: f64,
    ) -> Param<Tensor<D>> {
        let values = (0..shape.iter().product())
            .map(|_| {
                let within = loop {
                    let value = self.standard();
                    if value.abs() <= 2.0 {
                        break value;
                    }
                };
                (within * deviation) as f32
            })
            .collect();
        self.param(shape, values)
    }

    /// A standard normal number (Box & Muller 1958).
    fn standard(&mut self) -> f64 {
        let u: f64 = 1.0 - self.rng.random::<f64>();
        let v: f64 = self.rng.random();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn param<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(
            TensorData::new(values, shape),
            &self.device,
        ))
    }
}
