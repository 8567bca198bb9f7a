//! T5 v1.1 (Raffel et al. 2020; Shazeer 2020) as published: pre-norm blocks, relative positions,
//! gated tanh-gelu, no biases, an output head of its own.
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

pub(crate) use checkpoint::floats;
pub use checkpoint::{CheckpointError, Weights};
pub use config::T5Config;
pub use decoder::Cache;
pub use dropout::Dropout;
pub use encoder::{Embedded, Encoded};
pub use generate::{Generated, greedy};
pub use init::{Initialisation, initialise};
pub use layers::Memory;
pub use model::{T5, Tokens};
