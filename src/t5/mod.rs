//! T5 v1.0 and v1.1 (Raffel et al. 2020; Shazeer 2020) as published: pre-norm blocks, relative
//! positions, no biases; in v1.1 gated tanh-gelu and an output head of its own.
//!
//! Hidden states are `[B·T, D]`: every linear map is one matrix product over all positions.

mod adapter;
mod checkpoint;
mod config;
mod decoder;
mod delta;
mod dropout;
mod encoder;
mod entries;
mod generate;
mod init;
mod ladder;
mod layers;
mod model;
mod places;
pub mod position;
mod weight_files;
mod weights;

pub use adapter::{Adapter, Nonlinearity, Side};
pub use checkpoint::CheckpointError;
pub use config::{Activation, T5Config};
pub use decoder::Cache;
pub use delta::{Delta, LowRank};
pub use dropout::Dropout;
pub use encoder::{Embedded, Encoded};
pub use entries::{Entries, PrefixPositions};
pub use generate::{Generated, greedy};
pub use init::{Initialisation, initialise};
pub use ladder::{Ladder, Rung};
pub use layers::{Linear, Memory};
pub use model::{T5, Tokens};
pub use places::{Map, SubLayer};
pub use weight_files::WeightFiles;
pub use weights::Weights;
pub(crate) use weights::floats;
