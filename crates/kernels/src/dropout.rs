//! Inverted dropout (Srivastava et al. 2014, JMLR 15): values are dropped at a rate, and the others are scaled up to
//! preserve the mean.
//!
//! Masks are not stored. Their random numbers come from Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
//! easy as 1, 2, 3"), a function of seed, call, row and column: the backward recomputes them, and they do not depend on
//! how rows are split among threads. A value is dropped if its 16 bits are below the rate, which is thus a multiple of
//! 2⁻¹⁶; the others are scaled by that rate's `1 / (1 - rate)`.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;

use super::flex::{self, contiguous, values_mut};
use super::vector::{multiply_by, vectorised};

/// Resolution of the rate: 2¹⁶ steps.
const STEPS: f64 = 65_536.0;

/// The mask of one call: rows of zeros and of the scale of kept values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mask {
    seed: u64,
    call: u64,
    /// Values whose random number is below this are dropped.
    threshold: u16,
    kept: f32,
}

impl Mask {
    /// The mask of call number `call` under a seed. `rate` in [0, 1).
    ///
    /// # Panics
    /// The rate is outside [0, 1).
    pub fn new(rate: f64, seed: u64, call: u64) -> Self {
        assert!((0.0..1.0).contains(&rate), "a dropout rate in [0, 1)");
        let threshold = (rate * STEPS).round().min(STEPS - 1.0);
        Mask {
            seed,
            call,
            threshold: threshold as u16,
            kept: (1.0 / (1.0 - threshold / STEPS)) as f32,
        }
    }

    /// Writes row `row` of the mask, from its first column on.
    pub(super) fn fill(&self, row: usize, values: &mut [f32]) {
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let counter = [0, row as u32, self.call as u32, (self.call >> 32) as u32];
        fill_row(values, counter, key, self.threshold, self.kept);
    }

    /// The first rows of a mask, concatenated.
    pub(super) fn rows(&self, rows: usize, width: usize) -> Vec<f32> {
        let mut values = vec![0.0; rows * width];
        for (row, values) in values.chunks_exact_mut(width.max(1)).enumerate() {
            self.fill(row, values);
        }
        values
    }
}

/// Which rows share a row of the mask.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// None: every value is dropped independently, as in BERT.
    Each,
    /// The rows of a sequence, given the number of rows of each sequence: whole features are dropped, as in
    /// T5 (T5X drops with `broadcast_dims=(-2,)`).
    Sequences(&'a [usize]),
}

/// Drops values of `x`.
///
/// # Shapes
///
/// - x and output: `[N, D]`; rows of sequences add up to `N`
pub fn dropout(x: Tensor<2>, mask: Mask, rows: Rows) -> Tensor<2> {
    let dropped = Dropped::new(mask, rows, x.dims()[0]);
    if !flex::is_fused(&x) {
        return reference(x, &dropped);
    }
    Tensor::from_dispatch(Dispatch::dropout(x.into_dispatch(), dropped))
}

/// [`dropout`] in plain Burn operations.
fn reference(x: Tensor<2>, dropped: &Dropped) -> Tensor<2> {
    let [rows, width] = x.dims();
    let mut mask = Vec::with_capacity(rows * width);
    for row in 0..rows {
        let mut values = vec![0.0; width];
        dropped.mask.fill(dropped.row(row), &mut values);
        mask.extend(values);
    }
    let mask = TensorData::new(mask, [rows, width]);
    let mask = Tensor::from_data(mask, &x.device().without_autodiff());
    x * mask
}

/// [`Rows`], owned.
#[derive(Debug, Clone)]
struct Dropped {
    mask: Mask,
    /// The end of each sequence; `None` if each row is a sequence.
    ends: Option<Arc<[usize]>>,
}

impl Dropped {
    fn new(mask: Mask, rows: Rows, count: usize) -> Self {
        let ends = match rows {
            Rows::Each => None,
            Rows::Sequences(lengths) => {
                let ends: Arc<[usize]> = (lengths.iter())
                    .scan(0, |end, length| {
                        *end += length;
                        Some(*end)
                    })
                    .collect();
                let all = ends.last().copied().unwrap_or(0);
                assert_eq!(all, count, "dropout: sequence lengths must sum to N");
                Some(ends)
            }
        };
        Dropped { mask, ends }
    }

    /// The mask row for this row.
    fn row(&self, row: usize) -> usize {
        match &self.ends {
            None => row,
            Some(ends) => ends.partition_point(|&end| end <= row),
        }
    }
}

#[backend_extension(Flex, Autodiff)]
trait Dropout: Backend {
    fn dropout(x: FloatTensor<Self>, dropped: Dropped) -> FloatTensor<Self>;
}

impl Dropout for Flex {
    fn dropout(x: FlexTensor, dropped: Dropped) -> FlexTensor {
        multiplied(contiguous(x), &dropped)
    }
}

impl<C: CheckpointStrategy> Dropout for Autodiff<Flex, C> {
    fn dropout(x: FloatTensor<Self>, dropped: Dropped) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let output = multiplied(contiguous(x), &dropped);
        match DropoutBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(step) => step.finish(dropped, output),
            OpsKind::UnTracked(step) => step.finish(output),
        }
    }
}

#[derive(Debug)]
struct DropoutBackward;

impl Backward<Flex, 1> for DropoutBackward {
    type State = Dropped;

    fn backward(self, ops: Ops<Dropped, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, multiplied(dy, &ops.state));
        }
    }
}

/// Multiplies `x` by the mask, in place if the buffer is not shared.
fn multiplied(mut x: FlexTensor, dropped: &Dropped) -> FlexTensor {
    let [_, width] = flex::dims2(&x);
    flex::for_each_share(values_mut(&mut x), width, |start, rows| {
        let mut mask = vec![0.0; width];
        let mut held = None;
        for (nth, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
            let wanted = dropped.row(start / width + nth);
            if held != Some(wanted) {
                dropped.mask.fill(wanted, &mut mask);
                held = Some(wanted);
            }
            multiply_by(row, &mask);
        }
    });
    x
}

/// Number of Philox blocks computed side by side.
const BLOCKS: usize = 8;

/// The number of columns decided by their words: two per word, four words per block.
const COLUMNS: usize = 8 * BLOCKS;

/// The words of [`BLOCKS`] blocks, each in the lower half of its 64 bits: the product of two words fits, and
/// vector code need not widen before multiplying.
type Words = [[u64; BLOCKS]; 4];

vectorised! {
    /// Fills a row of a mask. Column `64 g + 8 h + b` is decided by half-word `h` of block `8 g + b`.
    fn fill_row<A>(values: &mut [f32], counter: [u32; 4], key: [u32; 2], threshold: u16, kept: f32) {
        let threshold = u32::from(threshold);
        let [_, row, call, call_high] = counter;
        let [row, call, call_high] =
            [[u64::from(row); BLOCKS], [u64::from(call); BLOCKS], [u64::from(call_high); BLOCKS]];
        for (group, values) in values.chunks_mut(COLUMNS).enumerate() {
            let mut blocks = [(group * BLOCKS) as u64; BLOCKS];
            for (nth, block) in blocks.iter_mut().enumerate() {
                *block += nth as u64;
            }
            let words = philox([blocks, row, call, call_high], key);
            let words = words.as_flattened();
            let mut decided = [0.0; COLUMNS];
            // Indexing the words explicitly: a loop over them is not vectorised.
            for (column, decided) in decided.iter_mut().enumerate() {
                let (half, block) = (column / BLOCKS, column % BLOCKS);
                let word = words[half / 2 * BLOCKS + block] as u32;
                let number = (word >> (half % 2 * 16)) & 0xFFFF;
                *decided = if number < threshold { 0.0 } else { kept };
            }
            values.copy_from_slice(&decided[..values.len()]);
        }
    }
}

/// Philox4x32-10 of several counters under one key. The upper halves of the result are undefined.
#[inline(always)]
fn philox([mut one, mut two, mut three, mut four]: Words, mut key: [u32; 2]) -> Words {
    const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
    const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
    const LOWER: u64 = 0xFFFF_FFFF;
    for _ in 0..10 {
        for block in 0..BLOCKS {
            let first = MULTIPLIERS[0] * (one[block] & LOWER);
            let second = MULTIPLIERS[1] * (three[block] & LOWER);
            one[block] = (second >> 32) ^ two[block] ^ u64::from(key[0]);
            two[block] = second;
            three[block] = (first >> 32) ^ four[block] ^ u64::from(key[1]);
            four[block] = first;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    [one, two, three, four]
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;
    use proptest::prelude::*;

    use super::super::testing::{Input, check, check_differences, layouts, roles};
    use super::*;

    /// Sequences of up to four rows, some without any.
    fn lengths(rows: usize) -> Vec<usize> {
        let mut left = rows;
        let mut lengths = vec![];
        while left > 0 {
            let length = (7 * left % 5).min(left);
            lengths.push(length);
            left -= length;
            if length == 0 {
                lengths.push(1);
                left -= 1;
            }
        }
        lengths
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_reference(
            (rows, width) in (1..60_usize, 1..400_usize),
            each in any::<bool>(),
            rate in 0.0..0.9_f64,
            role in roles(),
            layout in layouts(),
            seed in 1..1000_u64,
        ) {
            let (mask, lengths) = (Mask::new(rate, seed, 3), lengths(rows));
            let which = if each { Rows::Each } else { Rows::Sequences(&lengths) };
            let input = Input::tracked([rows, width], seed).with_role(role);
            check(
                &|inputs: &[Tensor<2>]| dropout(inputs[0].clone(), mask, which),
                &|inputs: &[Tensor<2>]| {
                    reference(inputs[0].clone(), &Dropped::new(mask, which, rows))
                },
                &[Input { layout, ..input }],
            );
        }
    }

    #[test]
    fn gradients_are_differences() {
        check_differences(
            &|inputs: &[Tensor<2>]| {
                dropout(
                    inputs[0].clone(),
                    Mask::new(0.5, 1, 0),
                    Rows::Sequences(&[2, 1]),
                )
            },
            &[Input::tracked([3, 8], 5)],
        );
    }

    #[test]
    fn numbers_are_philox_s() {
        // From `kat_vectors` of the authors' Random123, philox4x32 10.
        let all = |word: u32| ([word; 4], [word; 2]);
        let pi = (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
        );
        let cases = [
            (all(0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (
                all(u32::MAX),
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ];
        for ((counter, key), wanted) in cases {
            let found = philox(counter.map(|word: u32| [u64::from(word); BLOCKS]), key);
            let found = found.map(|words| words.map(|word| word as u32));
            assert_eq!(found, wanted.map(|word| [word; BLOCKS]));
        }
    }

    #[test]
    fn a_column_is_decided_by_its_half_word() {
        let (seed, call, row) = (0x0123_4567_89ab_cdef, 0x0fed_cba9_8765_4321, 5);
        let threshold = 0.3 * STEPS;
        for length in [1, 7, 8, 9, 64, 65, 200] {
            let mut values = vec![f32::NAN; length];
            Mask::new(0.3, seed, call).fill(row, &mut values);
            for (column, value) in values.into_iter().enumerate() {
                let block = column / 64 * 8 + column % 8;
                let counter = [block as u64, row as u64, 0x8765_4321, 0x0fed_cba9];
                let key = [0x89ab_cdef, 0x0123_4567];
                let words = philox(counter.map(|word| [word; BLOCKS]), key);
                let half = column % 64 / 8;
                let number = words[half / 2][0] as u32 >> (half % 2 * 16) & 0xFFFF;
                let is_dropped = f64::from(number) < threshold.round();
                assert_eq!(value == 0.0, is_dropped, "column {column} of {length}");
            }
        }
    }

    #[test]
    fn the_rate_is_met_and_the_mean_preserved() {
        for rate in [0.0, 0.1, 0.5, 0.9] {
            let values = Mask::new(rate, 7, 1).rows(400, 1_000);
            let dropped = values.iter().filter(|&&value| value == 0.0).count();
            let share = dropped as f64 / values.len() as f64;
            // Four standard errors.
            let error = 4.0 * (rate * (1.0 - rate) / values.len() as f64).sqrt() + 1e-5;
            assert!((share - rate).abs() <= error, "{share} at {rate}");
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!((mean - 1.0).abs() < 0.02, "mean {mean} at {rate}");
        }
    }

    #[test]
    fn rows_calls_and_seeds_differ_and_a_row_does_not_depend_on_its_length() {
        let row = |seed, call, row, length| {
            let mut values = vec![0.0; length];
            Mask::new(0.5, seed, call).fill(row, &mut values);
            values
        };
        let one = row(1, 2, 3, 300);
        assert_eq!(one, row(1, 2, 3, 300));
        assert_eq!(one[..77], row(1, 2, 3, 77));
        for other in [row(2, 2, 3, 300), row(1, 3, 3, 300), row(1, 2, 4, 300)] {
            let equal = one.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((100..200).contains(&equal), "{equal} of 300 are equal");
        }
    }

    #[test]
    fn a_packed_sequence_drops_the_same_as_a_padded_one() {
        let mask = Mask::new(0.5, 7, 0);
        let drop = |lengths: &[usize]| {
            let ones = Tensor::<2>::ones([lengths.iter().sum(), 64], &burn::tensor::Device::flex());
            let dropped = dropout(ones, mask, Rows::Sequences(lengths));
            dropped.into_data().try_to_vec::<f32>().expect("f32")
        };
        // The second row of the second sequence is its last.
        let packed = drop(&[2, 1]);
        assert_eq!(packed, drop(&[2, 2])[..3 * 64]);
        let (first, second) = (&packed[..64], &packed[2 * 64..]);
        assert_eq!(first, &packed[64..2 * 64], "one mask for a sequence");
        assert_ne!(first, second, "another one for the next");
        assert!(packed.contains(&0.0) && packed.contains(&2.0));
    }
}
