//! Assigns invented names to splits.
//!
//! A data set with invented people can leak in a way that rows do not show: the same person may be asked about in
//! training and in test. Here a hash of its letters gives every *invented word* (given name, surname, town, drug) a
//! class from 0 to 9, and a split uses only words of its own classes. So a name of the test split occurs nowhere else:
//! not in training, validation or pre-training text, whatever the seeds.
//!
//! All splits share the closed lists (foods, feelings, trades, units, numbers, years, mascots) on purpose: they are the
//! common vocabulary of these worlds.

use crate::domain::Split;

/// The split of an invented word: classes 0 to 5 are training (and pre-training), 6 and 7 validation, 8 and 9 test.
/// Case is ignored.
pub fn split_of_word(word: &str) -> Split {
    match fnv1a(word.bytes().map(|byte| byte.to_ascii_lowercase())) % 10 {
        0..=5 => Split::Train,
        6 | 7 => Split::Validation,
        _ => Split::Test,
    }
}

/// 64-bit FNV-1a: stable across platforms and versions, unlike the hasher of `std`.
pub(super) fn fnv1a(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(*b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(*b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn case_does_not_change_the_split() {
        assert_eq!(split_of_word("Belgre"), split_of_word("bELGRE"));
    }
}
