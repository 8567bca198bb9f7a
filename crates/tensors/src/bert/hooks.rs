//! Hooks for tuning methods in the blocks, and their shapes without weights.

use super::config::BertConfig;
use super::model::Bert;
use crate::layers::{Adapter, Linear, Map, SubLayer};

impl Bert {
    /// Every linear map of the blocks.
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        let mut maps = Vec::new();
        for block in &mut self.blocks {
            maps.extend([
                (Map::Q, &mut block.attention.query),
                (Map::K, &mut block.attention.key),
                (Map::V, &mut block.attention.value),
                (Map::O, &mut block.attention.output),
                (Map::Wi1, &mut block.feed_forward.up),
                (Map::Wo, &mut block.feed_forward.down),
            ]);
        }
        maps
    }

    /// The adapter slot of every sub-layer.
    pub fn adapters_mut(&mut self) -> Vec<(SubLayer, &mut Option<Adapter>)> {
        let mut places = Vec::new();
        for block in &mut self.blocks {
            places.extend([
                (SubLayer::SelfAttention, &mut block.attention.adapter),
                (SubLayer::FeedForward, &mut block.feed_forward.adapter),
            ]);
        }
        places
    }
}

impl BertConfig {
    /// Every linear map of the blocks with its `[in, out]`, in the order of [`Bert::maps_mut`].
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        let (d, ff) = (self.hidden_size, self.intermediate_size);
        let block = [
            (Map::Q, [d, d]),
            (Map::K, [d, d]),
            (Map::V, [d, d]),
            (Map::O, [d, d]),
            (Map::Wi1, [d, ff]),
            (Map::Wo, [ff, d]),
        ];
        block.repeat(self.num_hidden_layers)
    }

    /// The names of these maps in Transformers' network with a head.
    pub fn map_names(&self) -> Vec<String> {
        super::checkpoint::names("bert.").maps("blocks", self.num_hidden_layers)
    }

    /// Every sub-layer of the blocks, in the order of [`Bert::adapters_mut`].
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        [SubLayer::SelfAttention, SubLayer::FeedForward].repeat(self.num_hidden_layers)
    }
}
