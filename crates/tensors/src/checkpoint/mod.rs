//! Checkpoints of any family: weight files on disk and named tensors in memory. Each tensor must be used
//! exactly once, and none may be left over.

pub(crate) mod config_keys;
mod names;
pub(crate) mod seal;
mod weight_files;
mod weights;

pub(crate) use names::{Entry, Names, Part, unfilled};
pub use weight_files::WeightFiles;
pub use weights::Weights;
pub(crate) use weights::{floats, transposed};

/// Why a checkpoint can't be used.
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
    /// `config.json` does not describe a supported model.
    #[error("{path}: wanted {wanted}, found {found}")]
    Config {
        /// The file.
        path: String,
        /// What was wanted.
        wanted: &'static str,
        /// What was found.
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
    /// The weights file is not a PyTorch file, or is damaged.
    #[error("{path}: not a PyTorch weights file: {source}")]
    Torch {
        /// The file.
        path: String,
        /// Why.
        source: pytorch_reader::PytorchError,
    },
    /// The weights file is damaged in a way that its reader did not expect.
    #[error("{path}: wanted a whole weights file, found {found}")]
    Damaged {
        /// The file.
        path: String,
        /// The reader's error.
        found: String,
    },
    /// The index of a checkpoint's shards is damaged.
    #[error("{path}: wanted a weight_map from tensors to files, found {found}")]
    Index {
        /// The file.
        path: String,
        /// What was found.
        found: String,
    },
    /// A folder holds no weights.
    #[error("{folder}: wanted one of {wanted}, found none of them")]
    NoWeights {
        /// The folder.
        folder: String,
        /// The accepted files.
        wanted: String,
    },
    /// A tensor that the configuration requires is absent.
    #[error("{path}: no tensor '{name}', wanted with shape {wanted:?}")]
    Missing {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// Its shape.
        wanted: Vec<usize>,
    },
    /// A tensor's shape differs from the one that the configuration implies.
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
    /// A tensor does not hold floating-point numbers.
    #[error("{path}: tensor '{name}' has dtype {found}, wanted F32, F16 or BF16")]
    Dtype {
        /// The file.
        path: String,
        /// The tensor.
        name: String,
        /// The dtype in the file.
        found: String,
    },
    /// Tensors hold NaN or infinity.
    #[error(
        "{path}: wanted finite numbers in every tensor, found {count} with NaN or infinity: {tensors}; half \
         precision ends at 65504, so weights saved in it may have overflowed"
    )]
    NotFinite {
        /// The file.
        path: String,
        /// How many tensors.
        count: usize,
        /// The first of them, with counts.
        tensors: String,
    },
    /// Two tensors that this model family ties differ.
    #[error("{path}: tensor '{copy}' differs from '{of}', but this kind of model ties them")]
    Copy {
        /// The file.
        path: String,
        /// One tensor.
        copy: String,
        /// The other tensor.
        of: String,
    },
    /// The file holds tensors that the model does not have.
    #[error("{path}: tensors that a model of this config.json does not have: {names}")]
    Unused {
        /// The file.
        path: String,
        /// Their names.
        names: String,
    },
}
