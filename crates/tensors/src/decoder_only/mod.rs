//! Decoder-only networks, of the shapes of Llama (Touvron et al. 2023, arXiv 2302.13971: rotary
//! positions, root-mean-square norms, SwiGLU, heads that may share keys) and GPT-2 (Radford et al.
//! 2019: learned positions, layer norms, tanh-gelu, biases).
//!
//! An input is read together with its output: one causal sequence, the prompt's vectors first. The
//! examples of a batch lie one behind the other, without filling, `[N, D]`; what begins them all, a
//! prompt or examples in context, is read once before they are answered.

mod blocks;
mod checkpoint;
mod config;
mod hooks;
mod model;
mod rotary;

pub use config::{DecoderConfig, Positions, Shape};
pub use model::{Cache, DecoderOnly, Read};
pub use rotary::Scaling;
