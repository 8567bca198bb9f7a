//! T5's relative positions: log-spaced buckets of `key - query` with one learned bias per head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use promptshift_kernels::DistanceBias;

/// Whether a stack attends in both directions (encoder) or only backwards (decoder).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Half of the buckets are for keys before the query, half for keys after it.
    Bidirectional,
    /// All buckets are for keys before the query; keys after it fall into bucket 0 and are masked.
    Causal,
}

/// The bucket of a key `relative` positions after its query (`_relative_position_bucket` in mesh-tensorflow
/// and Transformers).
///
/// The first half of a direction's buckets hold one distance each; the rest are spaced evenly on a
/// logarithmic scale up to `max_distance`; larger distances share the last bucket.
pub fn bucket(relative: i64, direction: Direction, buckets: usize, max_distance: usize) -> usize {
    let (buckets, offset, distance) = match direction {
        Direction::Bidirectional => {
            let half = buckets / 2;
            let offset = if relative > 0 { half } else { 0 };
            (half, offset, relative.unsigned_abs() as usize)
        }
        Direction::Causal => (buckets, 0, (-relative).max(0) as usize),
    };
    let exact = buckets / 2;
    if distance < exact {
        return offset + distance;
    }
    // In f32, as in training of the published checkpoints: f64 rounds differently at bucket boundaries.
    let share = (distance as f32 / exact as f32).ln() / (max_distance as f32 / exact as f32).ln();
    let far = exact + (share * (buckets - exact) as f32) as usize;
    offset + far.min(buckets - 1)
}

/// A stack's table of biases `[buckets, H]`, shared by all of its blocks.
#[derive(Module, Debug)]
pub struct RelativeBias {
    pub(super) table: Param<Tensor<2>>,
    #[module(skip)]
    pub(super) direction: Direction,
    pub(super) max_distance: usize,
}

impl RelativeBias {
    /// The bias for queries at positions `first..first + queries` and keys `0..keys`.
    ///
    /// When decoding with a cache, `first` is the step, so that the query uses its own row of the table
    /// instead of row 0.
    pub fn between(&self, first: usize, queries: usize, keys: usize) -> DistanceBias {
        let table = self.table.val();
        let [buckets, _] = table.dims();
        let farthest = (first + queries) as i64 - 1;
        let ids: Vec<i32> = (0..queries + keys - 1)
            .map(|distance| {
                let relative = distance as i64 - farthest;
                bucket(relative, self.direction, buckets, self.max_distance) as i32
            })
            .collect();
        let device: Device = table.device();
        let count = ids.len();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &device);
        DistanceBias::new(table.transpose().select(1, ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Transformers' `T5Attention._relative_position_bucket`, by tests/golden/make_t5.py.
    #[test]
    fn buckets_equal_the_published_ones() {
        let bidirectional = [
            (-200, 15),
            (-64, 14),
            (-20, 10),
            (-8, 8),
            (-1, 1),
            (0, 0),
            (1, 17),
            (8, 24),
            (16, 26),
            (100, 31),
        ];
        for (relative, expected) in bidirectional {
            assert_eq!(
                bucket(relative, Direction::Bidirectional, 32, 128),
                expected,
                "{relative}"
            );
        }
        let causal = [
            (-200, 31),
            (-100, 30),
            (-64, 26),
            (-20, 17),
            (-16, 16),
            (3, 0),
        ];
        for (relative, expected) in causal {
            assert_eq!(
                bucket(relative, Direction::Causal, 32, 128),
                expected,
                "{relative}"
            );
        }
    }
}
