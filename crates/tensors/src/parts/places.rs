//! Names of the places where tuning methods enter blocks.

/// A part of a block with a norm before it and a residual around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubLayer {
    /// Attention of a stack to itself.
    SelfAttention,
    /// Attention of the decoder to the encoder.
    CrossAttention,
    /// The feed-forward.
    FeedForward,
}
