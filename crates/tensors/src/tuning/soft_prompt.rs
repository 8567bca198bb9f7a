//! The soft prompt: as a module, with the network or subspace that produces it during tuning, and as plain
//! numbers; and linear subspaces of several prompts.

use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::prompt_network::PromptNetwork;
use super::saved::error::SavedError;
use crate::checkpoint::Weights;
use promptshift_numbers::inspect::principal::principal;
use promptshift_text::hash::sha256;

/// The soft prompt `[P, D]`, shared by all examples.
#[derive(Module, Debug)]
pub struct SoftPrompt {
    vectors: Param<Tensor<2>>,
    /// The network that produces the prompt from the vectors, for P-tuning.
    network: Option<PromptNetwork>,
    /// The subspace for intrinsic prompt tuning; the vectors are then coordinates in it.
    plane: Option<Plane>,
}

impl SoftPrompt {
    /// A prompt of these vectors `[P, D]`, trainable if they require gradients.
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

    /// The prompt at these coordinates of a subspace.
    pub(super) fn within(self, plane: Plane) -> Self {
        SoftPrompt {
            plane: Some(plane),
            ..self
        }
    }

    /// The prompt without the network or subspace that produced it.
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

/// A soft prompt `[P, D]` in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    length: usize,
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// Row-major `values` of `shape` `[P, D]`, read from `path`: at least one row, all values finite.
    ///
    /// # Errors
    /// The shape is not two-dimensional, is empty, or does not match the number of values; or a value is not
    /// finite.
    pub fn new(shape: &[usize], values: Vec<f32>, path: &Path) -> Result<Self, SavedError> {
        let wrong = |wanted: &str, found: String| SavedError::wrong(path, wanted, found);
        let &[length, width] = shape else {
            return Err(wrong(
                "a prompt of shape [P, D]",
                format!("shape {shape:?}"),
            ));
        };
        if length == 0 || width == 0 {
            return Err(wrong("at least one vector", format!("shape {shape:?}")));
        }
        if length.checked_mul(width) != Some(values.len()) {
            let found = format!("{} values", values.len());
            return Err(wrong(
                &format!("the values of a {length} × {width} prompt"),
                found,
            ));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / width, at % width);
            let found = format!("{} in row {row}, column {column}", values[at]);
            return Err(wrong("finite numbers", found));
        }
        Ok(Vectors {
            length,
            width,
            values,
        })
    }

    /// A prompt of rows that were read from a device.
    pub(super) fn of_rows([length, width]: [usize; 2], values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), length * width);
        Vectors {
            length,
            width,
            values,
        }
    }

    /// `P`.
    pub fn length(&self) -> usize {
        self.length
    }

    /// `D`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The prompt as the only tensor of a file.
    pub(super) fn weights(&self, name: &str) -> Weights {
        let mut weights = Weights::empty("");
        weights.put(name, vec![self.length, self.width], self.values.clone());
        weights
    }

    /// SHA-256 of the values as row-major little-endian f32: independent of the file's format.
    pub fn sha256(&self) -> String {
        let bytes: Vec<u8> = self.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        sha256(&bytes)
    }

    /// The first `length` rows, or all rows if there are fewer.
    pub(super) fn first(mut self, length: usize) -> Self {
        self.length = self.length.min(length);
        self.values.truncate(self.length * self.width);
        self
    }
}

/// A linear subspace of soft prompts, in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Subspace {
    /// `[P, D]`.
    pub(super) shape: [usize; 2],
    pub(super) mean: Vec<f32>,
    /// `[d, P·D]`, row-major; the length of each direction is the prompts' standard deviation along it.
    pub(super) directions: Vec<f32>,
    pub(super) dimension: usize,
}

/// Why a subspace can't be computed.
#[derive(Debug, thiserror::Error)]
pub enum SubspaceError {
    /// There are too few prompts, or they are too similar.
    #[error(
        "a subspace of {wanted} dimensions: {prompts} prompts span {found}; wanted more prompts or \
         fewer dimensions, at least one"
    )]
    Few {
        /// The number of dimensions requested.
        wanted: usize,
        /// The number of prompts.
        prompts: usize,
        /// The number of dimensions that they span, less than the number of prompts.
        found: usize,
    },
    /// A prompt can't be combined with the first one.
    #[error(transparent)]
    Prompt(#[from] SavedError),
}

impl Subspace {
    /// The `dimension` directions along which prompts of one shape vary most, with the share of the prompts'
    /// variance that they explain, in [0, 1].
    ///
    /// # Errors
    /// The prompts span fewer dimensions.
    ///
    /// # Panics
    /// The prompts' shapes differ.
    pub fn of(prompts: &[&Vectors], dimension: usize) -> Result<(Self, f64), SubspaceError> {
        let few = |found| SubspaceError::Few {
            wanted: dimension,
            prompts: prompts.len(),
            found,
        };
        let first = prompts.first().ok_or_else(|| few(0))?;
        let points: Vec<&[f32]> = prompts.iter().map(|prompt| prompt.values()).collect();
        let found = principal(&points, dimension);
        if dimension == 0 || found.directions.len() < dimension {
            return Err(few(found.directions.len()));
        }
        let subspace = Subspace {
            shape: [first.length(), first.width()],
            mean: found.mean,
            directions: found.directions.concat(),
            dimension,
        };
        Ok((subspace, found.explained.iter().sum()))
    }

    /// `P`.
    pub fn length(&self) -> usize {
        self.shape[0]
    }

    /// `D`.
    pub(super) fn width(&self) -> usize {
        self.shape[1]
    }

    /// `d`.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}
