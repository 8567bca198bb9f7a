//! Tensor formats: plain numbers, and quantised blocks with scales (ggml's `ggml-quants.c` and
//! `ggml-common.h`, `block_q4_0` and similar).

use half::{bf16, f16};

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// ggml's names of unsupported formats (`ggml_type` in `ggml.h`, which has withdrawn the missing numbers).
const UNREAD: [(u32, &str); 25] = [
    (6, "Q5_0"),
    (7, "Q5_1"),
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

/// The name of an unsupported format: ggml's, or its number.
fn unread(number: u32) -> String {
    match UNREAD.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => name.to_string(),
        None => format!("{number} (ggml_type)"),
    }
}

/// The number of values in a super-block: the block of formats with two levels of scales.
const SUPER: usize = 256;

impl Format {
    /// The format with this number (`ggml_type`); for an unsupported one, the error text.
    pub(super) fn of(number: u32) -> Result<Self, String> {
        Ok(match number {
            0 => Format::F32,
            1 => Format::F16,
            2 => Format::Q4_0,
            3 => Format::Q4_1,
            8 => Format::Q8_0,
            12 => Format::Q4K,
            13 => Format::Q5K,
            14 => Format::Q6K,
            30 => Format::Bf16,
            other => {
                return Err(format!(
                    "format {}; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q5_K and Q6_K are supported",
                    unread(other)
                ));
            }
        })
    }

    /// The number of values in a block.
    pub(super) fn block(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 1,
            Format::Q4_0 | Format::Q4_1 | Format::Q8_0 => 32,
            Format::Q4K | Format::Q5K | Format::Q6K => SUPER,
        }
    }

    fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
            Format::Q4_0 => 2 + 16,
            Format::Q4_1 => 4 + 16,
            Format::Q8_0 => 2 + 32,
            Format::Q4K => 4 + 12 + 128,
            Format::Q5K => 4 + 12 + 32 + 128,
            Format::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// The size in bytes of `count` values, in whole blocks.
    pub(super) fn bytes(self, count: usize) -> usize {
        (count / self.block()).saturating_mul(self.block_bytes())
    }

    /// Decodes the values in these bytes.
    pub(super) fn values(self, bytes: &[u8]) -> Vec<f32> {
        let blocks = bytes.chunks_exact(self.block_bytes());
        let mut out = Vec::with_capacity(blocks.len() * self.block());
        for block in blocks {
            match self {
                Format::F32 => {
                    out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]]));
                }
                Format::F16 => out.push(half(block, 0)),
                Format::Bf16 => out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
                Format::Q4_0 => {
                    let scale = half(block, 0);
                    nibbles(&block[2..], |q| scale * (f32::from(q) - 8.0), &mut out);
                }
                Format::Q4_1 => {
                    let (scale, least) = (half(block, 0), half(block, 2));
                    nibbles(&block[4..], |q| scale * f32::from(q) + least, &mut out);
                }
                Format::Q8_0 => {
                    let scale = half(block, 0);
                    out.extend(block[2..].iter().map(|&q| scale * f32::from(q as i8)));
                }
                Format::Q4K => four_or_five(block, &[], &block[16..], &mut out),
                Format::Q5K => four_or_five(block, &block[16..48], &block[48..], &mut out),
                Format::Q6K => six(block, &mut out),
            }
        }
        out
    }
}

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low nibbles of all bytes, then the high nibbles.
fn nibbles(bytes: &[u8], value: impl Fn(u8) -> f32, out: &mut Vec<f32>) {
    out.extend(bytes.iter().map(|byte| value(byte & 15)));
    out.extend(bytes.iter().map(|byte| value(byte >> 4)));
}

/// The scale and minimum of the `part`th group of 32 values, six bits each, packed into twelve bytes.
fn scale_and_least(packed: &[u8], part: usize) -> (f32, f32) {
    let (scale, least) = if part < 4 {
        (packed[part] & 63, packed[part + 4] & 63)
    } else {
        (
            (packed[part + 4] & 15) | ((packed[part - 4] >> 6) << 4),
            (packed[part + 4] >> 4) | ((packed[part] >> 6) << 4),
        )
    };
    (f32::from(scale), f32::from(least))
}

/// Q4_K and Q5_K: eight parts of 32 values. `fifth` holds the fifth bits, one bit position for each part; it
/// is empty for Q4_K.
fn four_or_five(block: &[u8], fifth: &[u8], quarters: &[u8], out: &mut Vec<f32>) {
    let (scales, leasts, packed) = (half(block, 0), half(block, 2), &block[4..16]);
    for (pair, bytes) in quarters.chunks_exact(32).enumerate() {
        for (part, shift) in [(2 * pair, 0), (2 * pair + 1, 4)] {
            let (scale, least) = scale_and_least(packed, part);
            out.extend(bytes.iter().enumerate().map(|(at, byte)| {
                let high = fifth.get(at).map_or(0, |bits| (bits >> part) & 1);
                let q = ((byte >> shift) & 15) | (high << 4);
                scales * scale * f32::from(q) - leasts * least
            }));
        }
    }
}

/// Q6_K: two halves of 128 values, each of four rows of 32, with one scale for every 16 values.
fn six(block: &[u8], out: &mut Vec<f32>) {
    let (low, rest) = block.split_at(128);
    let (high, rest) = rest.split_at(64);
    let (scales, scale) = rest.split_at(16);
    let scale = half(scale, 0);
    for part in 0..2 {
        let (low, high) = (&low[64 * part..][..64], &high[32 * part..][..32]);
        for row in 0..4 {
            out.extend((0..32).map(|at| {
                let byte = low[32 * (row % 2) + at];
                let four = if row < 2 { byte & 15 } else { byte >> 4 };
                let q = i32::from(four | (((high[at] >> (2 * row)) & 3) << 4)) - 32;
                let own = scales[8 * part + 2 * row + at / 16] as i8;
                scale * f32::from(own) * q as f32
            }));
        }
    }
}
