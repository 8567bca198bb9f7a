//! The weight files of a checkpoint's folder: a single file, or shards with an index.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::CheckpointError;
use super::weights::Weights;
use promptshift_text::hash::hexadecimal;

/// How the weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    Pytorch,
}

/// The file names that Hugging Face's libraries use, in order of preference.
const NAMES: [(&str, Format); 4] = [
    ("model.safetensors", Format::Safetensors),
    ("model.safetensors.index.json", Format::Safetensors),
    ("pytorch_model.bin", Format::Pytorch),
    ("pytorch_model.bin.index.json", Format::Pytorch),
];

/// A checkpoint's weights on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightFiles {
    format: Format,
    /// Sorted by name.
    files: Vec<PathBuf>,
}

impl WeightFiles {
    /// Finds them in a folder.
    ///
    /// # Errors
    /// There are none, or the shards' index is damaged.
    pub fn find(folder: &Path) -> Result<Self, CheckpointError> {
        let (name, format) = NAMES
            .into_iter()
            .find(|(name, _)| folder.join(name).exists())
            .ok_or_else(|| CheckpointError::NoWeights {
                folder: folder.display().to_string(),
                wanted: NAMES.map(|(name, _)| name).join(", "),
            })?;
        let path = folder.join(name);
        let files = match name.ends_with(".index.json") {
            true => shards(&path)?.into_iter().map(|f| folder.join(f)).collect(),
            false => vec![path],
        };
        Ok(WeightFiles { format, files })
    }

    /// Reads all files. Also returns their SHA-256: a single file's own, or that of the concatenated shards.
    ///
    /// # Errors
    /// A file can't be read, or is invalid.
    pub fn read(&self) -> Result<(Weights, String), CheckpointError> {
        let mut weights = Weights::empty(&self.shown());
        let mut hash = Sha256::new();
        for path in &self.files {
            let shown = path.display().to_string();
            let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
                path: shown.clone(),
                source,
            })?;
            hash.update(&bytes);
            match self.format {
                Format::Safetensors => weights.add_safetensors(&bytes, &shown)?,
                Format::Pytorch => weights.add_pytorch(path)?,
            }
        }
        Ok((weights, hexadecimal(&hash.finalize())))
    }

    /// The files, sorted by name.
    pub fn paths(&self) -> &[PathBuf] {
        &self.files
    }

    /// The name used in errors.
    fn shown(&self) -> String {
        let names: Vec<String> = self.files.iter().map(|f| f.display().to_string()).collect();
        names.join(", ")
    }
}

/// The files named in an index, which must be in the same folder.
fn shards(index: &Path) -> Result<BTreeSet<String>, CheckpointError> {
    let wrong = |found: String| CheckpointError::Index {
        path: index.display().to_string(),
        found,
    };
    let bytes = std::fs::read(index).map_err(|source| CheckpointError::Io {
        path: index.display().to_string(),
        source,
    })?;
    let json: Value =
        serde_json::from_slice(&bytes).map_err(|e| wrong(format!("not JSON: {e}")))?;
    let map = json
        .get("weight_map")
        .and_then(Value::as_object)
        .ok_or_else(|| wrong("none".to_string()))?;
    let files = map
        .iter()
        .map(|(tensor, file)| match file.as_str() {
            Some(file) if Path::new(file).file_name() == Some(file.as_ref()) => {
                Ok(file.to_string())
            }
            _ => Err(wrong(format!("'{tensor}' in {file}"))),
        })
        .collect::<Result<BTreeSet<String>, _>>()?;
    if files.is_empty() {
        return Err(wrong("an empty one".to_string()));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn error(folder: &Path) -> String {
        WeightFiles::find(folder)
            .and_then(|files| files.read())
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn shards_are_read_together() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (file, tensor, value) in [("a.safetensors", "one", 1.0), ("b.safetensors", "two", 2.0)]
        {
            let mut weights = Weights::empty("");
            weights.put(tensor, vec![1], vec![value]);
            let bytes = weights.to_bytes(BTreeMap::new());
            std::fs::write(folder.path().join(file), bytes).expect("written");
        }
        let index =
            r#"{"metadata": {}, "weight_map": {"one": "a.safetensors", "two": "b.safetensors"}}"#;
        let path = folder.path().join("model.safetensors.index.json");
        std::fs::write(&path, index).expect("written");
        let files = WeightFiles::find(folder.path()).expect("an index");
        let (mut weights, sha256) = files.read().expect("two shards");
        assert_eq!(sha256.len(), 64);
        let device = burn::tensor::Device::flex();
        for (name, value) in [("one", 1.0), ("two", 2.0)] {
            let tensor = weights.take(name, [1], &device).expect("in a shard");
            assert_eq!(tensor.into_scalar::<f32>(), value);
        }
        assert!(weights.finish(&[]).is_ok());

        std::fs::remove_file(folder.path().join("b.safetensors")).expect("there");
        assert!(error(folder.path()).contains("b.safetensors"));
        for (index, wanted) in [
            (r#"{"weight_map": {"one": "../a.safetensors"}}"#, "'one' in"),
            (r#"{"weight_map": {}}"#, "an empty one"),
            (r#"{"weights": {}}"#, "found none"),
            ("{", "not JSON"),
        ] {
            std::fs::write(&path, index).expect("written");
            assert!(error(folder.path()).contains(wanted), "{index}");
        }
    }

    #[test]
    fn a_folder_without_a_checkpoint_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(error(folder.path()).contains("wanted one of model.safetensors"));
        let path = folder.path().join("pytorch_model.bin");
        for bytes in [b"".as_slice(), b"no pickle", b"PK\x03\x04"] {
            std::fs::write(&path, bytes).expect("written");
            assert!(error(folder.path()).contains("not a PyTorch weights file"));
        }
        std::fs::write(folder.path().join("model.safetensors"), b"no").expect("written");
        assert!(error(folder.path()).contains("not a safetensors file"));
    }
}
