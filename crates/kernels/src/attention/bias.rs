//! Biases of the scores by the distance between query and key.

use burn::tensor::{Int, Tensor, TensorData};

/// A bias that depends only on the distance between query and key, as T5's relative positions do: one value
/// per distance rather than per pair, at 1,024 positions 1/500 as many.
#[derive(Clone, Debug)]
pub struct DistanceBias {
    /// `[H, Tq + Tk - free - 1]`: the bias of query `i` and key `free + j` is at index `j - i + Tq - 1`.
    pub values: Tensor<2>,
    /// The first `free` keys have no bias: a prefix has no position.
    pub free: usize,
}

impl DistanceBias {
    /// A bias for keys without a prefix.
    pub fn new(values: Tensor<2>) -> Self {
        DistanceBias { values, free: 0 }
    }

    /// The same bias with `free` keys without bias inserted before the others.
    pub fn after_prefix(self, free: usize) -> Self {
        DistanceBias {
            free: self.free + free,
            ..self
        }
    }

    /// The bias of every pair, `[H, Tq, Tk]`.
    pub(super) fn of_pairs(self, queries: usize, keys: usize) -> Tensor<3> {
        let [heads, _] = self.values.dims();
        let device = self.values.device();
        let biased = keys - self.free;
        let ids: Vec<i32> = (0..queries)
            .flat_map(|query| (0..biased).map(move |key| (key + queries - 1 - query) as i32))
            .collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [queries * biased]), &device);
        let pairs = self.values.select(1, ids).reshape([heads, queries, biased]);
        match self.free {
            0 => pairs,
            free => {
                let none = Tensor::zeros([heads, queries, free], &device);
                Tensor::cat(vec![none, pairs], 2)
            }
        }
    }
}
