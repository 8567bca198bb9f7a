//! The masked-word head of pre-training (Devlin et al. 2018, §3.1, task 1): it predicts the word at a mask.
//! `norm(gelu(h W + b))` is multiplied by the word embeddings, and each word has a bias.
//!
//! Here classes are words (Schick & Schütze 2021, "Exploiting Cloze Questions for Few Shot Text Classification and
//! Natural Language Inference", arXiv 2001.07676): a class's probability is that of its word at `[MASK]`, normalised
//! over the words of all classes.
//!
//! The vectors and biases of the classes' words become the head that every method trains and counts
//! ([`Bert::head_of_words`](super::Bert::head_of_words)). `W`, `b` and the norm stay frozen with every method, model
//! tuning included, and are in no count of parameters (trained, stored or total). Fine-tuning a `BertForMaskedLM` with
//! Transformers does change them.

use burn::tensor::{Int, Tensor, TensorData};

use crate::layers::{Linear, Norm};
use promptshift_kernels as kernels;

/// The frozen parts of the masked-word head: the transform and the words' biases.
#[derive(Debug, Clone)]
pub(super) struct MaskedWords {
    pub(super) transform: Linear,
    pub(super) norm: Norm,
    /// `[V]`.
    pub(super) bias: Tensor<1>,
    /// The word of each class, once known.
    pub(super) classes: Vec<u32>,
}

impl MaskedWords {
    /// States `[N, D]` at masks → the vectors `[N, D]` to multiply by the word embeddings.
    pub(super) fn transformed(&self, states: Tensor<2>) -> Tensor<2> {
        let hidden = kernels::gelu(self.transform.forward(states));
        self.norm.forward(hidden)
    }

    /// The vectors `[D, C]` and biases `[C]` of the classes' words.
    pub(super) fn of_classes(&self, embedding: Tensor<2>) -> (Tensor<2>, Tensor<1>) {
        let ids: Vec<i32> = self.classes.iter().map(|&id| id as i32).collect();
        let ids = TensorData::new(ids, [self.classes.len()]);
        let ids = Tensor::<1, Int>::from_data(ids, &embedding.device());
        let vectors = embedding.select(0, ids.clone()).transpose();
        (vectors, self.bias.clone().select(0, ids))
    }
}
