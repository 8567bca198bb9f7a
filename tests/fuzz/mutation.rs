//! Mutations of files, as by damage or malice, the same in every run.

use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Impossible lengths, and extreme values of number types.
const NUMBERS: [u64; 10] = [
    0,
    1,
    0x7f,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    1 << 61,
    i64::MAX as u64,
    u64::MAX,
];

/// The same as text, and some values that only texts have.
const WORDS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "3",
    "65536",
    "4294967296",
    "1099511627776",
    "9223372036854775807",
    "18446744073709551615",
    "1e308",
    "null",
    "\"\"",
];

/// The `number`th mutation of a file; parts of `others`, files of the same kind, are inserted.
pub fn mutated(seed: &[u8], others: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let mut bytes = seed.to_vec();
    // Most files are damaged in one place, since one change may hide another.
    let changes = 1 << random.random_range(0..4_u32).saturating_sub(1);
    for _ in 0..changes {
        if bytes.is_empty() {
            break;
        }
        change(&mut bytes, others, &mut random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    let at = place(bytes.len(), random);
    match random.random_range(0..9_u32) {
        0 => bytes[at] ^= 1 << random.random_range(0..8_u32),
        1 => bytes[at] = random.random_range(0..=255),
        2 => bytes.truncate(at),
        3 | 4 => length_field(bytes, at, random),
        5 | 6 => word(bytes, at, random),
        7 => {
            let length = random.random_range(1..=(bytes.len() - at).min(64));
            match random.random_range(0..2_u32) {
                0 => drop(bytes.drain(at..at + length)),
                _ => {
                    let part = bytes[at..at + length].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        _ => {
            let other = &others[random.random_range(0..others.len())];
            let from = place(other.len(), random);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
    }
}

/// A place in a file; every second one is in its first or last bytes, where formats have their lengths.
fn place(length: usize, random: &mut ChaCha8Rng) -> usize {
    let end = length.min(512);
    match random.random_range(0..4_u32) {
        0 => random.random_range(0..end),
        1 => length - random.random_range(1..=end),
        _ => random.random_range(0..length),
    }
}

/// Overwrites four or eight bytes with a number.
fn length_field(bytes: &mut [u8], at: usize, random: &mut ChaCha8Rng) {
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    let width = [4, 8][random.random_range(0..2_usize)];
    let fields = bytes[at..].iter_mut().zip(number.to_le_bytes()).take(width);
    fields.for_each(|(byte, new)| *byte = new);
}

/// Replaces the next number written in digits. The length of a safetensors header stays consistent with its first
/// eight bytes.
fn word(bytes: &mut Vec<u8>, at: usize, random: &mut ChaCha8Rng) {
    let header = header(bytes);
    let text = header.clone().unwrap_or(0..bytes.len());
    let from = if text.contains(&at) { at } else { text.start };
    let Some(start) = (from..text.end).find(|&i| bytes[i].is_ascii_digit()) else {
        return;
    };
    let digits = bytes[start..text.end]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    let new = WORDS[random.random_range(0..WORDS.len())];
    bytes.splice(start..end, new.bytes());
    if let Some(header) = header {
        let length = (header.len() + new.len() - (end - start)) as u64;
        bytes[header.start - 8..header.start].copy_from_slice(&length.to_le_bytes());
    }
}

/// The range of a safetensors header: at the beginning, or after the configuration of a folder.
fn header(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let zero = bytes.iter().position(|byte| *byte == 0)?;
    [0, zero + 1].into_iter().find_map(|start| {
        let length = bytes
            .get(start..start + 8)?
            .try_into()
            .expect("eight bytes");
        let end = (start + 8).checked_add(usize::try_from(u64::from_le_bytes(length)).ok()?)?;
        (bytes.get(start + 8) == Some(&b'{') && end <= bytes.len()).then_some(start + 8..end)
    })
}
