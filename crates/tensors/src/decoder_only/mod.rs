//! Decoder-only networks with the architecture of Llama (Touvron et al. 2023, arXiv 2302.13971: rotary
//! positions, root-mean-square norms, SwiGLU, optionally shared key-value heads) or GPT-2 (Radford et al.
//! 2019: learned positions, layer norms, tanh-gelu, biases), and Gemma 2 and 3 (Gemma Team 2024 and 2025, arXiv
//! 2408.00118 and 2503.19786: as Llama, with four norms a block, GeGLU, local layers, soft-capping).
//!
//! An input and its output form one causal sequence, which starts with the prompt's vectors. The examples of
//! a batch are packed without padding, `[N, D]`. A common beginning of all examples (a prompt, or examples in
//! context) is computed once.

mod blocks;
mod checkpoint;
mod config;
mod config_file;
mod hooks;
mod model;
mod positions;

pub use crate::layers::rotary::Scaling;
pub use config::{Caps, DecoderConfig, LayerKind, Local, Positions, Shape};
pub use model::{Cache, DecoderOnly, Read};
