//! safetensors of our own that tell whether they were changed since they were written: an entry of the
//! header's metadata is the hash of the file with zeros in that entry's place.

use std::collections::BTreeMap;

use promptshift_text::hash::{hexadecimal, sha256};
use sha2::{Digest, Sha256};

/// How the entry begins in the header.
const BEGIN: &[u8] = b"\"sha256\":\"";
/// The entry's key.
pub const KEY: &str = "sha256";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// The file that `write` makes of the metadata and one more entry, sealed.
///
/// # Panics
/// `write` leaves the entry out.
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

/// Checks a file that may be sealed: others' files are not, nor are those of an older promptshift.
///
/// # Errors
/// It was changed since it was sealed, in words.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    let Some(place) = place(bytes) else {
        return Ok(());
    };
    // Piece by piece: a whole model is not copied for its zeros.
    let mut hasher = Sha256::new();
    hasher.update(&bytes[..place]);
    hasher.update([b'0'; DIGITS]);
    hasher.update(&bytes[place + DIGITS..]);
    match hexadecimal(&hasher.finalize()).as_bytes() == &bytes[place..place + DIGITS] {
        true => Ok(()),
        false => Err(format!(
            "content that is not what its header's {KEY} says: it was edited or damaged"
        )),
    }
}

/// Where the hash's digits are, in the header of a safetensors file.
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
    fn what_is_unchanged_passes_and_equal_weights_have_equal_files() {
        assert_eq!(check(&sample()), Ok(()));
        assert_eq!(sample(), sample());
        let mut weights = Weights::empty("");
        weights.put("other", vec![1], vec![0.0]);
        assert_eq!(check(&weights.to_bytes(BTreeMap::new())), Ok(()));
    }

    #[test]
    fn every_changed_bit_of_metadata_and_data_is_told() {
        let bytes = sample();
        let place = place(&bytes).expect("sealed");
        // A changed name of the entry is an unknown key, which whoever reads the metadata refuses.
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
