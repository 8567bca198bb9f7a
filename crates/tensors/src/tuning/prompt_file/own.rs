//! promptshift's own `prompt.safetensors`: one tensor `prompt` `[P, D]` and its [`Metadata`].

use std::path::Path;

use safetensors::SafeTensors;

use super::{Metadata, PromptFileError, Vectors};
use crate::checkpoint::{Weights, floats, seal};

/// The file's name in a record's folder.
pub const FILE: &str = "prompt.safetensors";

/// The tensor's name.
pub const TENSOR: &str = "prompt";

/// Reads the bytes of a `prompt.safetensors`; `path` is what errors call it.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<(Vectors, Metadata), PromptFileError> {
    let wanted = "a prompt.safetensors, a .npy or the folder of a PEFT prompt";
    let unreadable = |e| {
        PromptFileError::wrong(
            path,
            wanted,
            format!("{} bytes, no safetensors: {e}", bytes.len()),
        )
    };
    SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    // What another program wrote is best told by its tensors.
    let vectors = tensor(bytes, TENSOR, path)?;
    let metadata = Metadata::read(bytes, path, wanted)?;
    Ok((vectors, metadata))
}

/// The file's bytes.
pub fn to_bytes(vectors: &Vectors, metadata: &Metadata) -> Vec<u8> {
    let write = |metadata| safetensors(TENSOR, vectors, metadata);
    seal::sealed(metadata.entries(), write)
}

/// The only tensor of a safetensors file, which must have this name; f16 and bf16 become f32.
pub(super) fn tensor(bytes: &[u8], name: &str, path: &Path) -> Result<Vectors, PromptFileError> {
    let wrong = |wanted: String, found: String| PromptFileError::wrong(path, wanted, found);
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| wrong("a safetensors file".to_string(), e.to_string()))?;
    let mut names = file.names();
    names.sort_unstable();
    if names != [name] {
        let more = names.len().saturating_sub(3);
        names.truncate(3);
        let mut found = format!("tensors: {}", names.join(", "));
        if more > 0 {
            found = format!("{found} and {more} more");
        }
        return Err(wrong(format!("one tensor '{name}'"), found));
    }
    let view = file.tensor(name).expect("it is listed");
    let values = floats(&view).ok_or_else(|| {
        wrong(
            format!("'{name}' of F32, F16 or BF16"),
            format!("{:?}", view.dtype()),
        )
    })?;
    Vectors::new(view.shape(), values, path)
}

/// A safetensors file with one tensor.
pub(super) fn safetensors(
    name: &str,
    vectors: &Vectors,
    metadata: std::collections::BTreeMap<String, String>,
) -> Vec<u8> {
    let mut weights = Weights::empty("");
    let shape = vec![vectors.length(), vectors.width()];
    weights.put(name, shape, vectors.values().to_vec());
    weights.to_bytes(metadata)
}
