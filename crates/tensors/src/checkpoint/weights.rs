//! Named tensors in memory, and the two kinds of file that they come in.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::CheckpointError;

/// A buffer of old exports of BERT: the whole numbers from 0 on, which are no weights.
const POSITIONS: &str = "embeddings.position_ids";

/// The tensors of a weights file, f32, by name: shape and values.
#[derive(Debug, Clone)]
pub struct Weights {
    path: String,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Weights {
    /// An empty set, to be filled with [`Weights::put`]; `path` is what errors call it.
    pub fn empty(path: &str) -> Self {
        Weights {
            path: path.to_string(),
            tensors: BTreeMap::new(),
        }
    }

    /// Parses a safetensors file's bytes; f16 and bf16 become f32.
    ///
    /// # Errors
    /// Not safetensors, or a tensor that is not of floating-point numbers.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, CheckpointError> {
        let mut weights = Weights::empty(path);
        weights.add_safetensors(bytes, path)?;
        Ok(weights)
    }

    /// Adds what a safetensors file of this path holds.
    ///
    /// # Errors
    /// As [`Weights::parse`].
    pub fn add_safetensors(&mut self, bytes: &[u8], path: &str) -> Result<(), CheckpointError> {
        let file = SafeTensors::deserialize(bytes).map_err(|source| CheckpointError::Format {
            path: path.to_string(),
            source,
        })?;
        for (name, view) in file.tensors() {
            if name.ends_with(POSITIONS) {
                continue;
            }
            let values = floats(&view).ok_or_else(|| wrong_dtype(path, &name, view.dtype()))?;
            self.put(&name, view.shape().to_vec(), values);
        }
        Ok(())
    }

    /// Adds what a `pytorch_model.bin` holds. Its pickle is read by a reader that knows tensors and
    /// plain values only: nothing in the file is run.
    ///
    /// # Errors
    /// Not such a file, or a tensor that is not of floating-point numbers.
    pub fn add_pytorch(&mut self, path: &Path) -> Result<(), CheckpointError> {
        let shown = path.display().to_string();
        let damaged = |source| CheckpointError::Torch {
            path: shown.clone(),
            source,
        };
        let file = PytorchReader::new(path).map_err(damaged)?;
        for (name, tensor) in file.into_tensors() {
            if name.ends_with(POSITIONS) {
                continue;
            }
            let kind = match tensor.dtype() {
                DType::F32 => Ok(Float::F32),
                DType::F16 => Ok(Float::F16),
                DType::BF16 => Ok(Float::Bf16),
                other => Err(wrong_dtype(&shown, &name, other)),
            }?;
            let bytes = tensor.read().map_err(|error| damaged(error.into()))?;
            self.put(&name, tensor.shape().to_vec(), kind.read(&bytes));
        }
        Ok(())
    }

    /// Reads a safetensors file.
    ///
    /// # Errors
    /// As [`Weights::parse`], or the file can't be read.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
            path: name.clone(),
            source,
        })?;
        Self::parse(&bytes, &name)
    }

    /// Adds a tensor.
    pub fn put(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(name.to_string(), (shape, values));
    }

    /// Leaves out the beginning of names that have it.
    pub fn strip_prefix(&mut self, prefix: &str) {
        self.tensors = (std::mem::take(&mut self.tensors).into_iter())
            .map(|(name, tensor)| match name.strip_prefix(prefix) {
                Some(rest) => (rest.to_string(), tensor),
                None => (name, tensor),
            })
            .collect();
    }

    /// Leaves out the tensors of some names.
    pub fn remove(&mut self, which: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| !which(name));
    }

    /// Adds a parameter.
    pub fn put_tensor<const D: usize>(&mut self, name: &str, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().try_to_vec().expect("parameters are f32");
        self.put(name, shape, values);
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether two tensors hold the same, where both are there.
    pub fn are_equal(&self, one: &str, other: &str) -> bool {
        match (self.tensors.get(one), self.tensors.get(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// The same tensors under the names that `rename` gives them, without those that it gives none.
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let tensors = self.tensors.into_iter();
        Weights {
            path: self.path,
            tensors: tensors
                .filter_map(|(name, tensor)| Some((rename(&name)?, tensor)))
                .collect(),
        }
    }

    /// Takes the tensor `name`, which must have this shape.
    ///
    /// # Errors
    /// It is absent or has another shape.
    pub fn take<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        let (found, values) =
            self.tensors
                .remove(name)
                .ok_or_else(|| CheckpointError::Missing {
                    path: self.path.clone(),
                    name: name.to_string(),
                    wanted: shape.to_vec(),
                })?;
        if found != shape {
            return Err(CheckpointError::Shape {
                path: self.path.clone(),
                name: name.to_string(),
                wanted: shape.to_vec(),
                found,
            });
        }
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Ends the reading: every tensor must have been taken, but for those that are `unused` on
    /// purpose.
    ///
    /// # Errors
    /// Some were not.
    pub fn finish(self, unused: &[&str]) -> Result<(), CheckpointError> {
        let left: Vec<&str> = self
            .tensors
            .keys()
            .map(String::as_str)
            .filter(|name| !unused.contains(name))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Unused {
            path: self.path,
            names: left.join(", "),
        })
    }

    /// The safetensors file's bytes, with `metadata` in its header.
    pub fn to_bytes(&self, metadata: BTreeMap<String, String>) -> Vec<u8> {
        let raw: BTreeMap<&String, (&Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name, (shape, bytes))
            })
            .collect();
        let views = raw.iter().map(|(name, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes)
                .expect("four bytes for each value of the shape");
            (name.as_str(), view)
        });
        let bytes = safetensors::serialize(views, Some(metadata.into_iter().collect()))
            .expect("names, shapes and values are consistent");
        with_sorted_header(&bytes)
    }
}

/// The same file with its header's keys in order: the library writes metadata in an order of
/// chance, and equal weights are to have equal hashes.
fn with_sorted_header(bytes: &[u8]) -> Vec<u8> {
    type Entries = BTreeMap<String, BTreeMap<String, serde_json::Value>>;
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
    let (header, data) = rest.split_at(length);
    let entries: Entries = serde_json::from_slice(header).expect("the library writes JSON");
    let mut header = serde_json::to_vec(&entries).expect("plain data");
    // Data begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    [length.as_slice(), &header, data].concat()
}

/// A tensor's values as f32; `None` where they are no floating-point numbers.
pub(crate) fn floats(view: &TensorView) -> Option<Vec<f32>> {
    let kind = match view.dtype() {
        Dtype::F32 => Float::F32,
        Dtype::F16 => Float::F16,
        Dtype::BF16 => Float::Bf16,
        _ => return None,
    };
    Some(kind.read(view.data()))
}

/// The numbers that weights may be stored as.
enum Float {
    F32,
    F16,
    Bf16,
}

impl Float {
    /// Little-endian bytes as f32.
    fn read(self, bytes: &[u8]) -> Vec<f32> {
        let halves = || {
            bytes
                .chunks_exact(2)
                .map(|b| u16::from_le_bytes([b[0], b[1]]))
        };
        match self {
            Float::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Float::F16 => halves().map(|h| half::f16::from_bits(h).to_f32()).collect(),
            Float::Bf16 => halves()
                .map(|h| half::bf16::from_bits(h).to_f32())
                .collect(),
        }
    }
}

fn wrong_dtype(path: &str, name: &str, found: impl std::fmt::Debug) -> CheckpointError {
    CheckpointError::Dtype {
        path: path.to_string(),
        name: name.to_string(),
        found: format!("{found:?}"),
    }
}
