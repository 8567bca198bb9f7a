//! Fused kernels: network operations that would be slow as many small tensor operations.
//!
//! Each file but two holds one operation: its formula, the public function, the same in plain Burn operations
//! (`reference`), and a forward and a backward for the Flex backend. The public function uses the fused
//! version for f32 on Flex, with or without automatic differentiation, and the reference on any other device;
//! tests compare the two. The exceptions, `adafactor` and `adamw`, are optimiser steps.
//!
//! - A backward computes only the gradients needed by the graph; if none are needed, nothing is saved.
//! - Results are bit-identical in every run: work is split by size, never by the number of threads, and
//!   partial sums are added in order.
//! - An operation overwrites its input's buffer if it is not shared. Move tensors in rather than clone them.

pub mod adafactor;
pub mod adamw;
pub mod affine;
pub mod attention;
pub mod cross_entropy;
pub mod dropout;
pub mod gated;
pub mod gelu;
pub mod layer_norm;
pub mod linear;
pub mod most_probable;
pub mod rms_norm;
pub mod rotary;
pub mod scatter_rows;

mod flex;
mod matrix;
#[cfg(test)]
mod testing;
mod vector;

pub use affine::affine;
pub use attention::{
    AttentionInputs, DistanceBias, Dropped, Heads, Recent, Visible, Window, attention,
};
pub use cross_entropy::{cross_entropy, log_sum_exp};
pub use dropout::{Mask, Rows, dropout};
pub use gated::{gated_exact_gelu, gated_gelu, gated_silu};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use matrix::reserve_buffers;
pub use most_probable::most_probable;
pub use rms_norm::rms_norm;
pub use rotary::{Rotation, rotate};
pub use scatter_rows::scatter_rows;
