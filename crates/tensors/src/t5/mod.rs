//! T5 v1.0 and v1.1 (Raffel et al. 2020; Shazeer 2020) as published: pre-norm blocks, relative positions, no
//! biases; in v1.1 gated tanh-gelu and a separate output head.
//!
//! Hidden states are `[B·T, D]`: every linear layer is one matrix product over all positions.

mod checkpoint;
mod config;
mod decoder;
mod encoder;
mod hooks;
mod init;
mod ladder;
mod layers;
mod model;
pub mod position;

pub use config::{Activation, T5Config};
pub use decoder::Cache;
pub use encoder::{Embedded, Encoded};
pub use init::{Initialisation, initialise};
pub use ladder::{Ladder, Rung};
pub use model::T5;
