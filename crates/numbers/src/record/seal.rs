//! Files of JSON. In a sealed one, the last key is the hash of the rest, so that changes are detected.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{IoContext, StoreError};
use promptshift_text::hash::sha256;

/// The last key.
const KEY: &str = "sha256";

/// The content of a file with this object, sealed.
///
/// # Panics
/// `object` is not a JSON object, or has such a key itself.
pub fn sealed(object: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(object).expect("plain data");
    // Hashed as it will be read: single-precision numbers have other digits in text than as a `Value`.
    let value: Value = serde_json::from_str(&text).expect("what was just written");
    assert!(value.is_object() && value.get(KEY).is_none());
    assert_eq!(text.pop(), Some('}'));
    let text = text.trim_end();
    let comma = if text.ends_with('{') { "" } else { "," };
    format!("{text}{comma}\n  \"{KEY}\": \"{}\"\n}}\n", digest(&value)).into_bytes()
}

/// The object in a file, without its seal. Older files have no seal.
///
/// # Errors
/// It is not JSON, or was changed since it was sealed; in words.
pub fn opened(bytes: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("{} bytes that end in: {error}", bytes.len()))?;
    let seal = value.as_object_mut().and_then(|object| object.remove(KEY));
    match seal {
        Some(seal) if seal != digest(&value) => Err(format!(
            "content that does not match the hash in its last line, {KEY}: it was edited or damaged"
        )),
        _ => Ok(value),
    }
}

/// [`opened`], deserialised.
///
/// # Errors
/// As for [`opened`], or it has another schema; in words.
pub fn opened_as<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_value(opened(bytes)?).map_err(|error| error.to_string())
}

/// The object in a sealed file; `wanted` says what it should be.
pub(crate) fn read_sealed<T: DeserializeOwned>(path: &Path, wanted: &str) -> Result<T, StoreError> {
    let bytes = fs::read(path).at("read", path)?;
    opened_as(&bytes).map_err(|found| StoreError::malformed(path, wanted, found))
}

/// The value in a JSON file without a seal; `wanted` says what it should be.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, wanted: &str) -> Result<T, StoreError> {
    let bytes = fs::read(path).at("read", path)?;
    serde_json::from_slice(&bytes).map_err(|error| StoreError::malformed(path, wanted, error))
}

/// The content of a JSON file without a seal.
pub(crate) fn indented(value: &impl Serialize) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(value).expect("plain data");
    json.push(b'\n');
    json
}

/// JSON with a value on each line.
pub(crate) fn json_lines(values: &[impl Serialize]) -> Vec<u8> {
    let mut lines = Vec::new();
    for value in values {
        serde_json::to_writer(&mut lines, value).expect("plain data");
        lines.push(b'\n');
    }
    lines
}

/// The hash of a value, independent of white space and the order of keys in its file.
fn digest(value: &Value) -> String {
    sha256(value.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Sample {
        second: f64,
        first: f32,
    }

    const SAMPLE: Sample = Sample {
        second: 0.1 + 0.2,
        first: 0.1,
    };

    #[test]
    fn opening_inverts_sealing() {
        let bytes = sealed(&SAMPLE);
        let value = opened(&bytes).expect("unchanged");
        assert_eq!(value, json!({"second": 0.1 + 0.2, "first": 0.1}));
        let again = serde_json::to_vec(&serde_json::from_slice::<Value>(&bytes).expect("JSON"));
        assert_eq!(opened(&again.expect("JSON")), Ok(value));
        assert_eq!(opened(&sealed(&json!({}))), Ok(json!({})));
    }

    #[test]
    fn every_changed_bit_is_detected() {
        let bytes = sealed(&SAMPLE);
        let unchanged = opened(&bytes).expect("unchanged");
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                // A changed blank has no effect; a changed name of the seal leaves an additional key.
                if let Ok(value) = opened(&changed) {
                    let same = value == unchanged || value.as_object().map(|o| o.len()) == Some(3);
                    assert!(same, "byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn older_files_without_a_seal_are_opened() {
        assert_eq!(opened(b"{\"a\": 1}"), Ok(json!({"a": 1})));
    }
}
