//! The soft prompt as a module, and what may produce it during tuning.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::prompt_network::PromptNetwork;
use super::subspace::Subspace;

/// The prompt `[P, D]`, one for all examples.
#[derive(Module, Debug)]
pub struct SoftPrompt {
    vectors: Param<Tensor<2>>,
    /// The network that produces the prompt from the vectors, for P-tuning.
    network: Option<PromptNetwork>,
    /// The subspace that the vectors are coordinates in, for intrinsic prompt tuning.
    plane: Option<Plane>,
}

impl SoftPrompt {
    /// The prompt of these vectors `[P, D]`, trainable if they require gradients.
    pub(super) fn of(vectors: Tensor<2>) -> Self {
        SoftPrompt {
            vectors: Param::from_tensor(vectors),
            network: None,
            plane: None,
        }
    }

    /// The vectors `[P, D]` that the model reads.
    pub fn vectors(&self) -> Tensor<2> {
        let vectors = self.vectors.val();
        match (&self.network, &self.plane) {
            (Some(network), _) => network.forward(vectors),
            (None, Some(plane)) => plane.forward(vectors),
            (None, None) => vectors,
        }
    }

    /// A separate prompt with the same vectors.
    pub(super) fn copy(&self) -> Self {
        SoftPrompt::of(self.vectors())
    }

    /// The prompt that a network produces from these vectors.
    pub(super) fn through(self, network: PromptNetwork) -> Self {
        SoftPrompt {
            network: Some(network),
            ..self
        }
    }

    /// The prompt at these coordinates.
    pub(super) fn within(self, plane: Plane) -> Self {
        SoftPrompt {
            plane: Some(plane),
            ..self
        }
    }

    /// The prompt without what produced it.
    pub(super) fn into_inference(self) -> Self {
        match (&self.network, &self.plane) {
            (None, None) => self,
            _ => SoftPrompt::of(self.vectors()),
        }
    }
}

/// A frozen subspace on a device: maps coordinates `[1, d]` to a prompt `[P, D]`.
#[derive(Module, Debug)]
pub struct Plane {
    /// `[P, D]`.
    mean: Param<Tensor<2>>,
    /// `[d, P·D]`.
    directions: Param<Tensor<2>>,
}

impl Plane {
    /// Copies a subspace to a device.
    pub(super) fn new(subspace: &Subspace, device: &Device) -> Self {
        let tensor = |values: &[f32], shape: [usize; 2]| {
            let data = TensorData::new(values.to_vec(), shape);
            Param::from_tensor(Tensor::from_data(data, device))
        };
        let [length, width] = subspace.shape;
        Plane {
            mean: tensor(&subspace.mean, [length, width]),
            directions: tensor(&subspace.directions, [subspace.dimension, length * width]),
        }
    }

    /// The prompt at these coordinates.
    pub(super) fn forward(&self, coordinates: Tensor<2>) -> Tensor<2> {
        let mean = self.mean.val();
        let shape = mean.dims();
        coordinates.matmul(self.directions.val()).reshape(shape) + mean
    }
}
