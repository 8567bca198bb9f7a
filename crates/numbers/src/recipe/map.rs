//! Names of the linear maps of a block, where methods enter.

use serde::{Deserialize, Serialize};

/// A linear map of a block, by its name in T5's checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// Queries, `[D, H·K]`.
    Q,
    /// Keys, `[D, H·K]`.
    K,
    /// Values, `[D, H·K]`.
    V,
    /// Attention's output, `[H·K, D]`.
    O,
    /// The feed-forward's gate where it has one, `[D, F]`: T5 v1.1's, Llama's `gate_proj`.
    #[serde(rename = "wi_0")]
    Wi0,
    /// The feed-forward's first map, `[D, F]`: `wi` in T5 v1.0, Llama's `up_proj`.
    #[serde(rename = "wi_1")]
    Wi1,
    /// The feed-forward's last map, `[F, D]`: Llama's `down_proj`.
    Wo,
}

impl Map {
    /// Every map.
    pub const ALL: [Map; 7] = [Map::Q, Map::K, Map::V, Map::O, Map::Wi0, Map::Wi1, Map::Wo];
}
