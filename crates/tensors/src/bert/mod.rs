//! BERT (Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language
//! Understanding", arXiv 1810.04805) and what is shaped like it, MiniLM among them: an encoder with
//! learned positions, norms after the residuals, biases and exact gelu.
//!
//! It does not generate. A [`Head`] on its states answers instead: with a class, from the first token,
//! or with a stretch of the second text. The head is new, and trained with every tuning method. A
//! checkpoint that has the masked-word head of its pre-training can answer with a class by its word in a
//! masked place instead. Of that head the words' vectors and biases are trained with every method and counted;
//! the map and norm before them stay frozen with every method, model tuning among them, and are counted nowhere.
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
