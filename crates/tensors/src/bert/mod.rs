//! Encoders: BERT (Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language
//! Understanding", arXiv 1810.04805) and models of the same architecture, such as MiniLM: learned positions,
//! norms after the residuals, biases and exact gelu. The related families differ as follows:
//!
//! - RoBERTa (Liu et al. 2019, arXiv 1907.11692) and XLM-R (Conneau et al. 2019, arXiv 1911.02116): positions
//!   are counted from the padding id on, there is one segment, and two separators join texts;
//! - DistilBERT (Sanh et al. 2019, arXiv 1910.01108): no segments, no pooler;
//! - ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, blocks with global attention among
//!   blocks with a local window, gated gelu, norms before the sub-layers, no biases.
//!
//! They do not generate. Instead, a [`Head`] on their states answers with a class, from the first token, or
//! with a span of the second text. The head is new, and every tuning method trains it. Before its output
//! layer, a classifier has the layer that Transformers gives it: a BERT's or a ModernBERT's pooler from the
//! checkpoint, or a new linear layer in a RoBERTa or a DistilBERT.
//!
//! A checkpoint with the masked-word head of pre-training can instead answer with the class whose word is
//! most probable at a mask. Every method trains and counts that head's vectors and biases of the classes'
//! words. Its linear layer and norm stay frozen with every method, model tuning included, and are never
//! counted, except in a ModernBERT, where they are the pooler.
//!
//! Hidden states are `[B·T, D]`: every linear layer is one matrix product over all positions.

mod checkpoint;
mod config;
mod config_file;
mod embeddings;
mod head;
mod layers;
mod model;

pub use config::{BertConfig, Global, Pooling, Positions, Shape};
pub use head::{Encoded, Head, LONGEST_ANSWER, Marks};
pub use model::Bert;
