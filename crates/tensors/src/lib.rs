//! Tensors: batches, networks, tuning methods, training and prediction. Only this crate and
//! `promptshift-kernels` depend on Burn.
#![recursion_limit = "256"]

pub mod backbone;
pub mod batch;
pub mod bert;
pub mod checkpoint;
pub mod decoder_only;
pub mod device;
pub mod eval;
pub mod gguf;
pub mod layers;
pub mod memory;
pub mod network;
pub(crate) mod parameters;
pub mod pretrain;
pub mod t5;
pub mod tokenizer;
pub mod train;
pub mod tuning;
