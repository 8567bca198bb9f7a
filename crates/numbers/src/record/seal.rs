//! JSON that tells whether it was changed since it was written: its last key is the hash of the rest.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use promptshift_text::hash::sha256;

/// The last key.
const KEY: &str = "sha256";

/// An object as a file has it, sealed.
///
/// # Panics
/// `object` is none, or has such a key itself.
pub fn sealed(object: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(object).expect("plain data");
    // Of what will be read: a number in single precision has other digits here than as a value.
    let value: Value = serde_json::from_str(&text).expect("what was just written");
    assert!(value.is_object() && value.get(KEY).is_none());
    assert_eq!(text.pop(), Some('}'));
    let text = text.trim_end();
    let comma = if text.ends_with('{') { "" } else { "," };
    format!("{text}{comma}\n  \"{KEY}\": \"{}\"\n}}\n", digest(&value)).into_bytes()
}

/// What a file holds, without its seal. A file from before there were seals has none.
///
/// # Errors
/// It is no JSON, or was changed since it was sealed, in words.
pub fn opened(bytes: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("{} bytes that end in: {error}", bytes.len()))?;
    let seal = value.as_object_mut().and_then(|object| object.remove(KEY));
    match seal {
        Some(seal) if seal != digest(&value) => Err(format!(
            "content that is not what its last line, {KEY}, says: it was edited or damaged"
        )),
        _ => Ok(value),
    }
}

/// [`opened`], as what it should be.
///
/// # Errors
/// As [`opened`], or it is something else, in words.
pub fn opened_as<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_value(opened(bytes)?).map_err(|error| error.to_string())
}

/// The hash of a value, whatever the blanks and the order of keys that it was read from.
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
    fn what_was_sealed_is_opened() {
        let bytes = sealed(&SAMPLE);
        let value = opened(&bytes).expect("unchanged");
        assert_eq!(value, json!({"second": 0.1 + 0.2, "first": 0.1}));
        let again = serde_json::to_vec(&serde_json::from_slice::<Value>(&bytes).expect("JSON"));
        assert_eq!(opened(&again.expect("JSON")), Ok(value));
        assert_eq!(opened(&sealed(&json!({}))), Ok(json!({})));
    }

    #[test]
    fn every_changed_bit_is_told() {
        let bytes = sealed(&SAMPLE);
        let unchanged = opened(&bytes).expect("unchanged");
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                // A changed blank changes nothing; a changed name of the seal leaves a key too many.
                if let Ok(value) = opened(&changed) {
                    let same = value == unchanged || value.as_object().map(|o| o.len()) == Some(3);
                    assert!(same, "byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn what_has_no_seal_is_older() {
        assert_eq!(opened(b"{\"a\": 1}"), Ok(json!({"a": 1})));
    }
}
