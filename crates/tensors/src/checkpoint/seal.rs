//! Detects changes to our safetensors files: an entry in the header's metadata holds the hash of the file,
//! computed with zeros in place of the hash.

use std::collections::BTreeMap;

use promptshift_text::hash::{hexadecimal, sha256};
use sha2::{Digest, Sha256};

/// The start of the entry in the header.
const BEGIN: &[u8] = b"\"sha256\":\"";
/// The entry's key.
pub const KEY: &str = "sha256";
/// Hexadecimal digits in a hash.
const DIGITS: usize = 64;

/// Seals the file that `write` makes from the metadata and the seal's entry.
///
/// # Panics
/// `write` drops the entry.
pub fn sealed(
    mut metadata: BTreeMap<String, String>,
    write: impl FnOnce(BTreeMap<String, String>) -> Vec<u8>,
) -> Vec<u8> {
    metadata.insert(KEY.to_string(), "0".repeat(DIGITS));
    let mut bytes = write(metadata);
    let digest = sha256(&bytes);
    let place = place(&bytes).expect("the entry was written");
    bytes[place..place + DIGITS].copy_from_slice(digest.as_bytes());
    bytes
}

/// Checks the seal of a file. Files without one pass: other programs and older versions write them.
///
/// # Errors
/// The file was changed after sealing; returns the error text.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    let Some(place) = place(bytes) else {
        return Ok(());
    };
    // In pieces, to avoid copying a whole model.
    let mut hasher = Sha256::new();
    hasher.update(&bytes[..place]);
    hasher.update([b'0'; DIGITS]);
    hasher.update(&bytes[place + DIGITS..]);
    match hexadecimal(&hasher.finalize()).as_bytes() == &bytes[place..place + DIGITS] {
        true => Ok(()),
        false => Err(format!(
            "content that does not match its header's {KEY}: it was edited or damaged"
        )),
    }
}

/// The position of the hash's digits in a safetensors header.
fn place(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let header = &rest[..length.min(rest.len())];
    let begin = (header.windows(BEGIN.len())).position(|window| window == BEGIN)?;
    let place = 8 + begin + BEGIN.len();
    (place + DIGITS <= bytes.len()).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Weights;

    fn sample() -> Vec<u8> {
        let mut weights = Weights::empty("");
        weights.put("prompt", vec![2, 2], vec![0.5, 1.0, -1.0, 2.0]);
        let metadata = BTreeMap::from([("seed".to_string(), "3".to_string())]);
        sealed(metadata, |metadata| weights.to_bytes(metadata))
    }

    #[test]
    fn unchanged_files_pass_and_equal_weights_have_equal_files() {
        assert_eq!(check(&sample()), Ok(()));
        assert_eq!(sample(), sample());
        let mut weights = Weights::empty("");
        weights.put("other", vec![1], vec![0.0]);
        assert_eq!(check(&weights.to_bytes(BTreeMap::new())), Ok(()));
    }

    #[test]
    fn every_changed_bit_of_metadata_and_data_is_detected() {
        let bytes = sample();
        let place = place(&bytes).expect("sealed");
        // If the name changes, the entry is an unknown key, which the reader of the metadata rejects.
        let name = place - BEGIN.len()..place;
        for at in (0..bytes.len()).filter(|at| !name.contains(at)) {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let read = safetensors::SafeTensors::deserialize(&changed);
                assert!(
                    read.is_err() || check(&changed).is_err(),
                    "byte {at}, bit {bit}"
                );
            }
        }
    }
}
