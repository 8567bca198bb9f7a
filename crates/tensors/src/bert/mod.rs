//! BERT (Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", arXiv
//! 1810.04805) and models of the same shape, such as MiniLM: an encoder with learned positions, norms after the
//! residuals, biases and exact gelu.
//!
//! It does not generate. A [`Head`] on its states answers instead: with a class, from the first token, or with a span
//! of the second text. The head is new, and every tuning method trains it. A checkpoint with the masked-word head of
//! pre-training can instead answer with the class whose word is most probable at a mask. The words' vectors and biases
//! of that head are trained and counted with every method; its map and norm stay frozen with every method, model tuning
//! included, and are never counted.
//!
//! Hidden states are `[B·T, D]`: every linear map is one matrix product over all positions.

mod checkpoint;
mod config;
mod embeddings;
mod head;
mod hooks;
mod layers;
mod masked;
mod model;

pub use config::BertConfig;
pub use head::{Encoded, Head, LONGEST_ANSWER};
pub use model::Bert;
