//! The places where tuning methods enter the blocks; shapes of them without any weights.

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

    /// Where every sub-layer may have an adapter.
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
    /// Every linear map of the blocks with its `[in, out]`, as [`Bert::maps_mut`] has them.
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

    /// The modules of Transformers' network under a head that these maps are.
    pub fn map_names(&self) -> Vec<String> {
        super::checkpoint::names("bert.").maps("blocks", self.num_hidden_layers)
    }

    /// Every sub-layer of the blocks, as [`Bert::adapters_mut`] has them.
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        [SubLayer::SelfAttention, SubLayer::FeedForward].repeat(self.num_hidden_layers)
    }
}
