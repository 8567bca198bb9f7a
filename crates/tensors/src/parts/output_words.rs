//! An output that may have few tokens only, with vectors of their own in the head's place.

use burn::tensor::{Tensor, TensorData};

/// The tokens that an output may have, each with the vector `[D]` that states are multiplied by.
#[derive(Debug, Clone)]
pub struct OutputWords {
    /// `C` tokens.
    pub ids: Vec<u32>,
    /// `[C, D]`.
    pub vectors: Tensor<2>,
}

/// The logit of a token that can't be: its probability is 0, and its gradient.
const NEVER: f32 = -1e9;

impl OutputWords {
    /// Final states `[N, D]`, scaled as the head wants them, → logits `[N, V]`.
    pub(crate) fn logits(&self, states: Tensor<2>, vocabulary: usize) -> Tensor<2> {
        let few = states.matmul(self.vectors.clone().transpose());
        let count = self.ids.len();
        let mut place = vec![0.0f32; count * vocabulary];
        let mut others = vec![NEVER; vocabulary];
        for (row, &id) in self.ids.iter().enumerate() {
            place[row * vocabulary + id as usize] = 1.0;
            others[id as usize] = 0.0;
        }
        let device = few.device();
        let place = Tensor::<2>::from_data(TensorData::new(place, [count, vocabulary]), &device);
        let others = Tensor::<2>::from_data(TensorData::new(others, [1, vocabulary]), &device);
        let [rows, _] = few.dims();
        few.matmul(place) + others.expand([rows, vocabulary])
    }
}
