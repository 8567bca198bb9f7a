//! Output vectors of the tokens that a source's labels are written with, in the place of the head's.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::layers::LabelHead;
use crate::network::Network;

/// A vector `[D]` for each of these tokens; an output has no others.
#[derive(Module, Debug)]
pub struct LabelVectors {
    /// `[C, D]`.
    vectors: Param<Tensor<2>>,
    #[module(skip)]
    ids: Vec<u32>,
}

impl LabelVectors {
    /// The head's own vectors of these tokens; `None` on a network without such a head.
    pub(super) fn of_head(backbone: &Network, ids: &[u32]) -> Option<Self> {
        let vectors = backbone.clone().into_t5()?.output_vectors(ids);
        Some(LabelVectors {
            vectors: Param::from_tensor(vectors),
            ids: ids.to_vec(),
        })
    }

    /// What enters the network.
    pub(super) fn words(&self) -> LabelHead {
        LabelHead {
            ids: self.ids.clone(),
            vectors: self.vectors.val(),
        }
    }
}
