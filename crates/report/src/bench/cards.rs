//! Peak rates of graphics cards, against which a benchmark's rate is held.

use serde::{Deserialize, Serialize};

/// The card behind a device's benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Its name as the driver reports it; absent if it is not available.
    pub name: Option<String>,
    /// The highest rate of products at the benchmarks' precision, in 10¹² operations per second; absent if the card is
    /// unknown and none was given.
    pub peak_tflops: Option<f64>,
}

/// The environment variable with the peak of a card that is not in the table, or is clocked differently.
pub const PEAK: &str = "PROMPTSHIFT_PEAK_TFLOPS";

/// The words of a card's name, and its peaks in 10¹² operations per second: f32 outside of tensor cores, then tf32 and
/// bf16 with dense matrices in tensor cores; 0 where the card has none.
type Peaks = (&'static str, [f64; 3]);

/// From NVIDIA's data sheets (H100 and H200: SXM boards), at boost clock; rates of tensor cores that a sheet gives "with
/// sparsity" are halved. The first whose words are all in the reported name counts.
const CARDS: [Peaks; 9] = [
    // Slower than the SXM board by an amount that was not looked up.
    ("H200 NVL", [0.0; 3]),
    ("H200", [66.9, 494.7, 989.4]),
    ("H100 HBM3", [66.9, 494.7, 989.4]),
    ("A100", [19.5, 156.0, 312.0]),
    ("L40S", [91.6, 183.0, 362.05]),
    ("L40", [90.5, 90.5, 181.05]),
    ("A40", [37.4, 74.8, 149.7]),
    ("L4", [30.3, 60.0, 121.0]),
    ("T4", [8.1, 0.0, 0.0]),
];

/// The peak of a card's products at a precision (`f32`, `tf32` or `bf16`) in 10¹² operations per second; `None` for a
/// slice of a card (MIG), and if it is not known.
pub fn peak_tflops(card: &str, precision: &str) -> Option<f64> {
    let column = ["f32", "tf32", "bf16"]
        .iter()
        .position(|known| *known == precision)?;
    let reported: Vec<&str> = card.split([' ', '-']).collect();
    if reported.contains(&"MIG") {
        return None;
    }
    let is_named = |name: &str| name.split(' ').all(|word| reported.contains(&word));
    let (_, peaks) = CARDS.iter().find(|(name, _)| is_named(name))?;
    Some(peaks[column]).filter(|peak| *peak > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_found_by_the_name_that_its_driver_reports() {
        for (card, precision, peak) in [
            ("NVIDIA H100 80GB HBM3", "tf32", Some(494.7)),
            ("NVIDIA H100 PCIe", "bf16", None),
            ("NVIDIA H200", "f32", Some(66.9)),
            ("NVIDIA H200 NVL", "f32", None),
            ("NVIDIA A100-SXM4-40GB", "tf32", Some(156.0)),
            ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "tf32", None),
            ("NVIDIA A100-SXM4-40GB", "f16", None),
            ("NVIDIA L40S", "bf16", Some(362.05)),
            ("NVIDIA L4", "tf32", Some(60.0)),
            ("NVIDIA RTX A4000", "f32", None),
            ("Tesla T4", "f32", Some(8.1)),
            ("Tesla T4", "bf16", None),
            ("llvmpipe (LLVM 15.0.6, 256 bits)", "f32", None),
        ] {
            assert_eq!(peak_tflops(card, precision), peak, "{card}, {precision}");
        }
    }
}
