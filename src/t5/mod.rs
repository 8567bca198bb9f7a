//! T5 v1.0 and v1.1 (Raffel et al. 2020; Shazeer 2020) as published: pre-norm blocks, relative
//! positions, no biases; in v1.1 gated tanh-gelu and an output head of its own.
//!
//! Hidden states are `[B·T, D]`: every linear map is one matrix product over all positions.

mod checkpoint;
mod config;
mod decoder;
mod dropout;
mod encoder;
mod generate;
mod init;
mod layers;
mod model;
pub mod position;
mod weight_files;
mod weights;

pub use checkpoint::CheckpointError;
pub use config::{Activation, T5Config};
pub use decoder::Cache;
pub use dropout::Dropout;
pub use encoder::{Embedded, Encoded};
pub use generate::{Generated, greedy};
pub use init::{Initialisation, initialise};
pub use layers::Memory;
pub use model::{T5, Tokens};
pub use weight_files::WeightFiles;
pub use weights::Weights;
pub(crate) use weights::floats;
