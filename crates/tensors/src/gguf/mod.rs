//! GGUF, the file format of llama.cpp: metadata, then tensors, most of them quantised in blocks.
//!
//! Specification: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3,
//! little-endian. The whole file is read and validated during parsing; nothing in it is executed.
//!
//! Supported: a Llama, Qwen or Gemma (`general.architecture` `llama`, `qwen2`, `qwen3`, `gemma2`, `gemma3`) with
//! tensors in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q5_K or Q6_K and a tokenizer of byte pairs:
//! SentencePiece's (`tokenizer.ggml.model` `llama`) or on bytes (`gpt2` with `tokenizer.ggml.pre` `smollm`, `gpt-2`,
//! `llama-bpe` or `qwen2`). Anything else is rejected by name, and so is one of several files of a split model.

mod blocks;
mod network;
mod tokenizer;
mod value;

use std::collections::BTreeMap;

use value::Reader;

pub use network::{config, network};
pub use tokenizer::tokenizer_json;
pub use value::Value;

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: wanted {wanted}, found {found}")]
pub struct GgufError {
    /// The file.
    pub path: String,
    /// What was wanted.
    pub wanted: &'static str,
    /// What was found.
    pub found: String,
}

/// A tensor's location in the file.
#[derive(Debug, Clone)]
struct Place {
    /// The innermost dimension first, as in the file.
    dims: Vec<usize>,
    format: blocks::Format,
    start: usize,
}

/// A parsed file, with its tensors not yet decoded.
pub struct Gguf {
    path: String,
    values: BTreeMap<String, Value>,
    places: BTreeMap<String, Place>,
    bytes: Vec<u8>,
}

/// The maximum number of tensors and of metadata values, far above that of any real file.
const MOST: u64 = 1 << 20;

impl Gguf {
    /// Parses a file's bytes; errors refer to it as `path`.
    ///
    /// # Errors
    /// Not GGUF, of another version, damaged, or with a tensor in an unsupported format.
    pub fn parse(bytes: Vec<u8>, path: &str) -> Result<Self, GgufError> {
        let wrong = |found: String| GgufError {
            path: path.to_string(),
            wanted: "a GGUF file of version 2 or 3",
            found,
        };
        let mut reader = Reader::new(&bytes);
        let (values, places) = Self::header(&mut reader).map_err(wrong)?;
        Ok(Gguf {
            path: path.to_string(),
            values,
            places,
            bytes,
        })
    }

    #[allow(clippy::type_complexity)]
    fn header(
        reader: &mut Reader,
    ) -> Result<(BTreeMap<String, Value>, BTreeMap<String, Place>), String> {
        if reader.take(4)? != b"GGUF" {
            return Err("other first bytes".to_string());
        }
        match reader.u32()? {
            2 | 3 => {}
            other => return Err(format!("version {other}")),
        }
        let (tensors, pairs) = (reader.u64()?, reader.u64()?);
        if tensors > MOST || pairs > MOST {
            return Err(format!("{tensors} tensors and {pairs} values"));
        }
        let mut values = BTreeMap::new();
        for _ in 0..pairs {
            let key = reader.text()?;
            let kind = reader.u32()?;
            values.insert(key, reader.value(kind)?);
        }
        if let Some(Value::Integer(files)) = values.get("split.count")
            && *files > 1
        {
            return Err(format!(
                "one of {files} files of a split model (split.count): llama-gguf-split --merge joins them"
            ));
        }
        let mut places = BTreeMap::new();
        for _ in 0..tensors {
            let name = reader.text()?;
            let dims = (0..reader.u32()?.min(8))
                .map(|_| reader.size())
                .collect::<Result<Vec<usize>, String>>()?;
            let format = blocks::Format::of(reader.u32()?)
                .map_err(|found| format!("tensor '{name}' in {found}"))?;
            let start = reader.size()?;
            places.insert(
                name,
                Place {
                    dims,
                    format,
                    start,
                },
            );
        }
        let alignment = match values.get("general.alignment") {
            Some(Value::Integer(alignment)) if *alignment > 0 => *alignment as usize,
            None => 32,
            Some(other) => return Err(format!("general.alignment {other:?}")),
        };
        let data = reader.at().next_multiple_of(alignment);
        // Tensors that overlap could take many times the file's size in memory.
        let mut of_all = 0_usize;
        for (name, place) in &mut places {
            let count = (place.dims.iter()).try_fold(1_usize, |product, &dim| {
                product.checked_mul(dim).filter(|_| dim > 0)
            });
            let whole = place.dims.first().copied().unwrap_or(0);
            let size = count
                .filter(|_| whole.is_multiple_of(place.format.block()))
                .map(|count| place.format.bytes(count))
                .ok_or_else(|| format!("tensor '{name}' of shape {:?}", place.dims))?;
            place.start = data.saturating_add(place.start);
            if place.start.saturating_add(size) > reader.length() {
                return Err(format!("a file that ends within tensor '{name}'"));
            }
            of_all = of_all.saturating_add(size);
            if of_all > reader.length() {
                return Err(format!(
                    "tensors of more bytes than the {} of the file: '{name}' overlaps another",
                    reader.length()
                ));
            }
        }
        Ok((values, places))
    }

    /// The file's name in errors.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn wrong(&self, wanted: &'static str, found: impl Into<String>) -> GgufError {
        GgufError {
            path: self.path.clone(),
            wanted,
            found: found.into(),
        }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn size(&self, key: &str) -> Option<usize> {
        match self.value(key) {
            Some(Value::Integer(size)) => usize::try_from(*size).ok(),
            _ => None,
        }
    }

    fn number(&self, key: &str) -> Option<f64> {
        match self.value(key) {
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Integer(number)) => Some(*number as f64),
            _ => None,
        }
    }

    fn truth(&self, key: &str) -> Option<bool> {
        match self.value(key) {
            Some(Value::Truth(truth)) => Some(*truth),
            _ => None,
        }
    }

    fn list(&self, key: &str) -> Option<&[Value]> {
        match self.value(key) {
            Some(Value::List(list)) => Some(list),
            _ => None,
        }
    }

    /// The tensors' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// A tensor's values and its shape, the outermost dimension first.
    pub fn tensor(&self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let place = self.places.get(name)?;
        let count = place.dims.iter().product();
        let bytes = &self.bytes[place.start..place.start + place.format.bytes(count)];
        let shape = place.dims.iter().rev().copied().collect();
        Some((shape, place.format.values(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        let Err(error) = Gguf::parse(bytes.to_vec(), "a.gguf") else {
            panic!("must be refused");
        };
        error.to_string()
    }

    #[test]
    fn other_files_than_gguf_are_refused() {
        assert!(error(b"").contains("a.gguf: wanted a GGUF file"));
        assert!(error(b"PK\x03\x04more").contains("other first bytes"));
        assert!(error(b"GGUF\x01\0\0\0").contains("version 1"));
        let mut many = b"GGUF\x03\0\0\0".to_vec();
        many.extend([0xff; 16]);
        assert!(error(&many).contains("tensors and"));
    }

    #[test]
    fn one_of_several_files_is_refused_by_name() {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let (tensors, pairs) = (0_u64, 1_u64);
        bytes.extend([tensors, pairs].map(u64::to_le_bytes).concat());
        let key = b"split.count";
        bytes.extend((key.len() as u64).to_le_bytes());
        bytes.extend(key);
        bytes.extend(2_u32.to_le_bytes());
        let whole = [&bytes[..], &1_u16.to_le_bytes()].concat();
        assert!(Gguf::parse(whole, "a.gguf").is_ok());
        bytes.extend(3_u16.to_le_bytes());
        assert!(
            error(&bytes).contains("one of 3 files"),
            "{}",
            error(&bytes)
        );
    }

    /// A file with one tensor, without the tensor's values.
    fn tensor_in(format: u32) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let (tensors, pairs) = (1_u64, 0_u64);
        bytes.extend([tensors, pairs].map(u64::to_le_bytes).concat());
        let name = b"output.weight";
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name);
        let (dimensions, size, start) = (1_u32, 256_u64, 0_u64);
        bytes.extend(dimensions.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(format.to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes
    }

    #[test]
    fn tensors_in_the_same_bytes_are_refused() {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        let names = ["a", "b", "c"];
        bytes.extend([names.len() as u64, 0].map(u64::to_le_bytes).concat());
        for name in names {
            let (dimensions, size, format, start) = (1_u32, 256_u64, 0_u32, 0_u64);
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(dimensions.to_le_bytes());
            bytes.extend(size.to_le_bytes());
            bytes.extend(format.to_le_bytes());
            bytes.extend(start.to_le_bytes());
        }
        bytes.extend([0; 1_100]);
        assert!(error(&bytes).contains("tensors of more bytes than the"));
    }

    #[test]
    fn an_unsupported_format_is_refused_by_name() {
        for (number, name) in [
            (6, "Q5_0"),
            (7, "Q5_1"),
            (10, "Q2_K"),
            (11, "Q3_K"),
            (15, "Q8_K"),
            (20, "IQ4_NL"),
            (39, "MXFP4"),
            // Withdrawn by ggml.
            (4, "4 (ggml_type)"),
            (1_000, "1000 (ggml_type)"),
        ] {
            let error = error(&tensor_in(number));
            let wanted = format!("tensor 'output.weight' in format {name};");
            assert!(error.contains(&wanted), "{error}");
            assert!(error.contains("Q8_0, Q4_0"), "{error}");
        }
        // With a supported format, parsing continues to the missing values.
        assert!(error(&tensor_in(8)).contains("ends within tensor 'output.weight'"));
    }
}
