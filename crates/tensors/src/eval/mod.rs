//! From tensors back to text: predictions.

pub mod ask;
pub mod ensemble;
mod likelihood;
pub mod predict;
pub mod propose;
