//! Checkpoints of any kind of network: the files that weights come in, and named tensors in memory,
//! each to be taken once and none to be left over.

pub(crate) mod config_keys;
mod names;
pub(crate) mod seal;
mod weight_files;
mod weights;

pub(crate) use names::{Entry, Names, Part, unfilled};
pub use weight_files::WeightFiles;
pub use weights::Weights;
pub(crate) use weights::{floats, transposed};

/// A checkpoint that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// `config.json` is not that of a model that is known here.
    #[error("{path}: wanted {wanted}, found {found}")]
    Config {
        /// The file.
        path: String,
        /// What it should be.
        wanted: &'static str,
        /// What is in it instead.
        found: String,
    },
    /// The weights file is not safetensors.
    #[error("{path}: not a safetensors file: {source}")]
    Format {
        /// The file.
        path: String,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// The weights file is not one of PyTorch's, or damaged.
    #[error("{path}: not a PyTorch weights file: {source}")]
    Torch {
        /// The file.
        path: String,
        /// Why.
        source: pytorch_reader::PytorchError,
    },
    /// Neither the one nor the other, in a way that its reader did not expect.
    #[error("{path}: wanted a whole weights file, found {found}")]
    Damaged {
        /// The file.
        path: String,
        /// What the reader says.
        found: String,
    },
    /// The list of a checkpoint's shards is damaged.
    #[error("{path}: wanted a weight_map from tensors to files, found {found}")]
    Index {
        /// The file.
        path: String,
        /// What is in it instead.
        found: String,
    },
    /// A folder holds no weights.
    #[error("{folder}: wanted one of {wanted}, found none of them")]
    NoWeights {
        /// The folder.
        folder: String,
        /// The files that would do.
        wanted: String,
    },
    /// A tensor that the configuration asks for is absent.
    #[error("{path}: no tensor '{name}', wanted with shape {wanted:?}")]
    Missing {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// Its shape.
        wanted: Vec<usize>,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{path}: tensor '{name}' has shape {found:?}, config.json wants {wanted:?}")]
    Shape {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The shape wanted.
        wanted: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds something else than floating-point numbers.
    #[error("{path}: tensor '{name}' has dtype {found}, wanted F32, F16 or BF16")]
    Dtype {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The dtype in the file.
        found: String,
    },
    /// Tensors hold values with which nothing can be computed.
    #[error(
        "{path}: wanted finite numbers in every tensor, found {count} with NaN or infinity: {tensors}; half \
         precision ends at 65504, and weights that were saved in it may have overflowed"
    )]
    NotFinite {
        /// The file.
        path: String,
        /// How many tensors.
        count: usize,
        /// Their names with counts, the first of them.
        tensors: String,
    },
    /// Two tensors that are one in this kind of model differ.
    #[error(
        "{path}: tensor '{copy}' differs from '{of}', and they are one in such a model as it is known here"
    )]
    Copy {
        /// The file.
        path: String,
        /// One.
        copy: String,
        /// The other.
        of: String,
    },
    /// The file holds tensors that this model has no place for.
    #[error("{path}: tensors that a model of this config.json has no place for: {names}")]
    Unused {
        /// The file.
        path: String,
        /// Their names.
        names: String,
    },
}
