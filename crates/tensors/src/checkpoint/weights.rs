//! Named tensors in memory, and the two file formats that they are read from.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use pytorch_reader::{DType, PytorchReader};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{CheckpointError, seal};
use promptshift_text::foreign;

/// A buffer in old exports of BERT, holding the integers from 0; not a weight.
const POSITIONS: &str = "embeddings.position_ids";

/// Prefixes of tensor names in models saved from PyTorch's wrappers (`DataParallel`, `torch.compile`) or in a
/// trainer's dictionary.
const WRAPPERS: [&str; 4] = ["module.", "_orig_mod.", "state_dict.", "model_state_dict."];

/// The maximum ratio of the tensors of a `pytorch_model.bin` to the file in bytes. A tensor with several
/// names is saved once, and T5's embedding has four names.
const SHARED: u64 = 16;

/// The tensors of a weights file by name, as f32: shape and values.
#[derive(Debug, Clone)]
pub struct Weights {
    path: String,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// The tensors taken so far that contain NaN or infinity.
    not_finite: Vec<NotFinite>,
}

/// A tensor that contains NaN or infinity.
#[derive(Debug, Clone)]
struct NotFinite {
    name: String,
    nan: usize,
    infinite: usize,
    values: usize,
}

impl NotFinite {
    /// Counts NaN and infinite values; `None` if all are finite.
    fn of(name: &str, values: &[f32]) -> Option<Self> {
        let finite = values.iter().filter(|value| value.is_finite()).count();
        if finite == values.len() {
            return None;
        }
        let nan = values.iter().filter(|value| value.is_nan()).count();
        Some(NotFinite {
            name: name.to_string(),
            nan,
            infinite: values.len() - finite - nan,
            values: values.len(),
        })
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotFinite {
            name,
            nan,
            infinite,
            values,
        } = self;
        write!(
            f,
            "'{name}' ({nan} NaN and {infinite} infinite of {values})"
        )
    }
}

impl Weights {
    /// An empty set, to be filled with [`Weights::put`]; errors refer to it as `path`.
    pub fn empty(path: &str) -> Self {
        Weights {
            path: path.to_string(),
            tensors: BTreeMap::new(),
            not_finite: Vec::new(),
        }
    }

    /// Parses a safetensors file's bytes; f16 and bf16 become f32.
    ///
    /// # Errors
    /// Not safetensors, or a tensor without floating-point numbers.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, CheckpointError> {
        let mut weights = Weights::empty(path);
        weights.add_safetensors(bytes, path)?;
        Ok(weights)
    }

    /// Adds the tensors of a safetensors file.
    ///
    /// # Errors
    /// As [`Weights::parse`].
    pub fn add_safetensors(&mut self, bytes: &[u8], path: &str) -> Result<(), CheckpointError> {
        let file = foreign::read(|| SafeTensors::deserialize(bytes))
            .map_err(|found| damaged(path, found))?
            .map_err(|source| CheckpointError::Format {
                path: path.to_string(),
                source,
            })?;
        seal::check(bytes).map_err(|found| damaged(path, found))?;
        for (name, view) in file.tensors() {
            if name.ends_with(POSITIONS) {
                continue;
            }
            let values = floats(&view).ok_or_else(|| wrong_dtype(path, &name, view.dtype()))?;
            self.put(&name, view.shape().to_vec(), values);
        }
        Ok(())
    }

    /// Adds the tensors of a `pytorch_model.bin`. The pickle reader supports only tensors and plain values:
    /// nothing in the file is executed.
    ///
    /// # Errors
    /// Not such a file, or a tensor without floating-point numbers.
    pub fn add_pytorch(&mut self, path: &Path) -> Result<(), CheckpointError> {
        let shown = path.display().to_string();
        let wrong = |source| CheckpointError::Torch {
            path: shown.clone(),
            source,
        };
        let file = foreign::read(|| PytorchReader::new(path))
            .map_err(|found| damaged(&shown, found))?
            .map_err(wrong)?;
        let length = std::fs::metadata(path).map_err(|source| CheckpointError::Io {
            path: shown.clone(),
            source,
        })?;
        // A tensor with stride 0 repeats one number to fill its shape, so a small file could claim any size.
        let mut left = length.len().saturating_mul(SHARED);
        for (name, tensor) in file.into_tensors() {
            if name.ends_with(POSITIONS) {
                continue;
            }
            left = (left.checked_sub(bytes_of(&tensor))).ok_or_else(|| {
                let found = format!(
                    "'{name}' of shape {:?}: its tensors have more than {SHARED} times the bytes of the file",
                    tensor.shape()
                );
                damaged(&shown, found)
            })?;
            let kind = match tensor.dtype() {
                DType::F32 => Ok(Float::F32),
                DType::F16 => Ok(Float::F16),
                DType::BF16 => Ok(Float::Bf16),
                other => Err(wrong_dtype(&shown, &name, other)),
            }?;
            let bytes = foreign::read(|| tensor.read())
                .map_err(|found| damaged(&shown, found))?
                .map_err(|error| wrong(error.into()))?;
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

    /// Adds all tensors of another set.
    pub fn put_all(&mut self, other: Weights) {
        self.tensors.extend(other.tensors);
    }

    /// Removes a prefix from the names that have it.
    pub fn strip_prefix(&mut self, prefix: &str) {
        self.tensors = (std::mem::take(&mut self.tensors).into_iter())
            .map(|(name, tensor)| match name.strip_prefix(prefix) {
                Some(rest) => (rest.to_string(), tensor),
                None => (name, tensor),
            })
            .collect();
    }

    /// Removes the prefixes that wrappers add to every name.
    pub fn strip_wrappers(&mut self) {
        let of_all = |weights: &Weights, prefix: &str| {
            let mut names = weights.tensors.keys();
            !weights.tensors.is_empty() && names.all(|name| name.starts_with(prefix))
        };
        while let Some(prefix) = WRAPPERS.into_iter().find(|prefix| of_all(self, prefix)) {
            self.strip_prefix(prefix);
        }
    }

    /// Renames the first existing tensor of `others` to `name`, unless `name` exists: a tied tensor may be
    /// saved under any of its names.
    pub fn name_one_of(&mut self, name: &str, others: &[&str]) {
        if !self.contains(name)
            && let Some(tensor) = others.iter().find_map(|other| self.tensors.remove(*other))
        {
            self.tensors.insert(name.to_string(), tensor);
        }
    }

    /// Drops a tensor that must equal another, if it exists.
    ///
    /// # Errors
    /// The two differ.
    pub fn drop_copy(&mut self, copy: &str, of: &str) -> Result<(), CheckpointError> {
        if !self.are_equal(copy, of) {
            return Err(CheckpointError::Copy {
                path: self.path.clone(),
                copy: copy.to_string(),
                of: of.to_string(),
            });
        }
        self.tensors.remove(copy);
        Ok(())
    }

    /// Drops the tensors whose names match.
    pub fn remove(&mut self, which: impl Fn(&str) -> bool) {
        self.tensors.retain(|name, _| !which(name));
    }

    /// Adds a parameter of a network.
    pub fn put_tensor<const D: usize>(&mut self, name: &str, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        let values = tensor.cast(FloatDType::F32).into_data();
        let values = values.try_to_vec().expect("it is f32");
        self.put(name, shape, values);
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether two tensors are equal; true if either is absent.
    pub fn are_equal(&self, one: &str, other: &str) -> bool {
        match (self.tensors.get(one), self.tensors.get(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// Renames every tensor; drops those that `rename` maps to `None`.
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let tensors = self.tensors.into_iter();
        Weights {
            path: self.path,
            tensors: tensors
                .filter_map(|(name, tensor)| Some((rename(&name)?, tensor)))
                .collect(),
            not_finite: self.not_finite,
        }
    }

    /// Removes the tensor `name`, which must have this shape, and returns it.
    ///
    /// # Errors
    /// It is absent or has another shape.
    pub fn take<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        device: &Device,
    ) -> Result<Tensor<D>, CheckpointError> {
        let values = self.take_values(name, shape)?;
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Removes the tensor `name`, which must have this shape, and returns its values.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub(super) fn take_values<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Vec<f32>, CheckpointError> {
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
        self.not_finite.extend(NotFinite::of(name, &values));
        Ok(values)
    }

    /// A third of the columns of the tensor `name`. `shape` is that of one third; the tensor has three times
    /// as many columns. Taking the last third removes the tensor.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub(super) fn take_third<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        third: usize,
    ) -> Result<Vec<f32>, CheckpointError> {
        let all = match (third, self.tensors.get(name)) {
            (0 | 1, Some((found, values))) if *found == shape => values.clone(),
            _ => self.take_values(name, shape)?,
        };
        let columns = (shape[D - 1] / 3).max(1);
        let thirds = all.chunks_exact(columns).skip(third).step_by(3);
        Ok(thirds.flatten().copied().collect())
    }

    /// Some rows of the matrix `name`, which must have this shape. Taking the last rows removes the tensor.
    ///
    /// # Errors
    /// As [`Weights::take`].
    pub(super) fn take_rows<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        rows: Range<usize>,
    ) -> Result<Vec<f32>, CheckpointError> {
        let columns = shape[D - 1];
        let own = rows.start * columns..rows.end * columns;
        match self.tensors.get(name) {
            Some((found, values)) if *found == shape && rows.end < shape[0] => {
                Ok(values[own].to_vec())
            }
            _ => Ok(self.take_values(name, shape)?[own].to_vec()),
        }
    }

    /// Adds a matrix; if the name exists, appends the rows to that matrix.
    pub(super) fn put_below(&mut self, name: &str, mut shape: Vec<usize>, values: Vec<f32>) {
        let (above_shape, above) = self.tensors.remove(name).unwrap_or((vec![0], Vec::new()));
        shape[0] += above_shape[0];
        self.put(name, shape, [above, values].concat());
    }

    /// Adds a tensor; if the name exists, appends the columns to that tensor.
    pub(super) fn put_beside(&mut self, name: &str, mut shape: Vec<usize>, values: Vec<f32>) {
        let Some((left_shape, left)) = self.tensors.remove(name) else {
            return self.put(name, shape, values);
        };
        let columns = |shape: &[usize]| shape.last().map_or(1, |columns| (*columns).max(1));
        let rows =
            (left.chunks_exact(columns(&left_shape))).zip(values.chunks_exact(columns(&shape)));
        let joined = rows
            .flat_map(|(left, right)| [left, right].concat())
            .collect();
        if let (Some(columns), Some(left)) = (shape.last_mut(), left_shape.last()) {
            *columns += left;
        }
        self.put(name, shape, joined);
    }

    /// Finishes reading a checkpoint: checks [`Weights::used_up`], and that every value taken is finite.
    ///
    /// # Errors
    /// Some tensors were not taken, or contain NaN or infinity.
    pub fn finish(self, unused: &[&str]) -> Result<(), CheckpointError> {
        self.used_up(unused)?;
        if self.not_finite.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::NotFinite {
            count: self.not_finite.len(),
            tensors: listed(&self.not_finite),
            path: self.path,
        })
    }

    /// Checks that every tensor was taken, except those listed in `unused`.
    ///
    /// # Errors
    /// Some were not.
    pub fn used_up(&self, unused: &[&str]) -> Result<(), CheckpointError> {
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
            path: self.path.clone(),
            names: left.join(", "),
        })
    }

    /// The bytes of a safetensors file with `metadata` in its header.
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

/// Sorts the header's keys: the library writes metadata in random order, but equal weights should have equal
/// hashes.
fn with_sorted_header(bytes: &[u8]) -> Vec<u8> {
    type Entries = BTreeMap<String, BTreeMap<String, serde_json::Value>>;
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
    let (header, data) = rest.split_at(length);
    let entries: Entries = serde_json::from_slice(header).expect("the library writes JSON");
    let mut header = serde_json::to_vec(&entries).expect("plain data");
    // The data start at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    [length.as_slice(), &header, data].concat()
}

/// The transpose of a matrix `[rows, columns]`.
pub(crate) fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}

/// A tensor's values as f32; `None` if they are not floating-point numbers.
pub(crate) fn floats(view: &TensorView) -> Option<Vec<f32>> {
    let kind = match view.dtype() {
        Dtype::F32 => Float::F32,
        Dtype::F16 => Float::F16,
        Dtype::BF16 => Float::Bf16,
        _ => return None,
    };
    Some(kind.read(view.data()))
}

/// The storage types of weights.
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

/// The size of a tensor in bytes.
fn bytes_of(tensor: &pytorch_reader::Tensor) -> u64 {
    let sizes = tensor.shape().iter().map(|size| *size as u64);
    sizes.fold(tensor.dtype().size() as u64, u64::saturating_mul)
}

/// The maximum number of tensors that an error names.
const NAMED: usize = 5;

/// The first tensors by name, and the number of further ones.
fn listed(tensors: &[NotFinite]) -> String {
    let named: Vec<String> = tensors
        .iter()
        .take(NAMED)
        .map(NotFinite::to_string)
        .collect();
    match tensors.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{}, and {more} more", named.join(", ")),
    }
}

/// The error for a file on which its reader panics.
fn damaged(path: &str, found: String) -> CheckpointError {
    CheckpointError::Damaged {
        path: path.to_string(),
        found,
    }
}

fn wrong_dtype(path: &str, name: &str, found: impl std::fmt::Debug) -> CheckpointError {
    CheckpointError::Dtype {
        path: path.to_string(),
        name: name.to_string(),
        found: format!("{found:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(tensors: &[(&str, &[f32])]) -> Weights {
        let mut weights = Weights::empty("w.safetensors");
        for (name, values) in tensors {
            weights.put(name, vec![values.len()], values.to_vec());
        }
        weights
    }

    fn taken(weights: &mut Weights, name: &str, length: usize) -> Vec<f32> {
        let tensor = weights.take(name, [length], &Device::flex());
        let data = tensor.expect("it is there").into_data();
        data.try_to_vec().expect("f32")
    }

    #[test]
    fn non_finite_weights_are_refused_by_tensor_and_count() {
        let [nan, inf] = [f32::NAN, f32::INFINITY];
        let mut weights = weights(&[
            ("whole", &[1.0, 2.0]),
            ("a", &[nan, 1.0, nan, -inf]),
            ("b", &[inf]),
            ("unused", &[nan]),
        ]);
        for (name, length) in [("whole", 2), ("a", 4), ("b", 1)] {
            taken(&mut weights, name, length);
        }
        let error = weights.finish(&["unused"]).expect_err("NaN");
        let CheckpointError::NotFinite { count, tensors, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*count, 2);
        assert_eq!(
            tensors,
            "'a' (2 NaN and 1 infinite of 4), 'b' (0 NaN and 1 infinite of 1)"
        );
    }

    #[test]
    fn unused_columns_may_hold_anything() {
        let mut weights = weights(&[("whole", &[1.0]), ("unused", &[f32::NAN])]);
        taken(&mut weights, "whole", 1);
        assert!(weights.finish(&["unused"]).is_ok());
    }

    #[test]
    fn prefixes_of_wrappers_are_stripped() {
        for prefix in [
            "module.",
            "_orig_mod.",
            "module._orig_mod.",
            "_orig_mod.module.",
        ] {
            let name = format!("{prefix}shared.weight");
            let other = format!("{prefix}module.weight");
            let mut weights = weights(&[(&name, &[1.0]), (&other, &[2.0])]);
            weights.strip_wrappers();
            assert_eq!(taken(&mut weights, "shared.weight", 1), [1.0], "{prefix}");
            assert_eq!(taken(&mut weights, "module.weight", 1), [2.0], "{prefix}");
        }
        let mut weights = weights(&[("module.a", &[1.0]), ("b", &[2.0])]);
        weights.strip_wrappers();
        assert!(weights.contains("module.a"));
    }

    #[test]
    fn equal_copies_are_dropped() {
        let mut weights = weights(&[("a", &[1.0]), ("b", &[1.0]), ("c", &[2.0])]);
        weights.drop_copy("b", "a").expect("equal");
        weights.drop_copy("absent", "a").expect("nothing to drop");
        assert!(!weights.contains("b"));
        let error = weights.drop_copy("c", "a").expect_err("another");
        assert!(
            matches!(error, CheckpointError::Copy { copy, of, .. } if copy == "c" && of == "a")
        );
        weights.name_one_of("z", &["absent", "c", "a"]);
        assert_eq!(taken(&mut weights, "z", 1), [2.0]);
        weights.name_one_of("a", &["z"]);
        assert_eq!(taken(&mut weights, "a", 1), [1.0]);
    }
}
