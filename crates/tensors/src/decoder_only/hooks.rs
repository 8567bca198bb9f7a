//! Hooks in the blocks for tuning methods, and their shapes as computed from the configuration alone.

use super::config::{DecoderConfig, Shape};
use super::model::DecoderOnly;
use crate::layers::{Adapter, Linear, Map, SubLayer};

impl DecoderOnly {
    /// Every linear layer of the blocks.
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        let mut maps = Vec::new();
        for block in &mut self.blocks {
            let (attention, feed_forward) = (&mut block.attention, &mut block.feed_forward);
            maps.extend([
                (Map::Q, &mut attention.query),
                (Map::K, &mut attention.key),
                (Map::V, &mut attention.value),
                (Map::O, &mut attention.output),
            ]);
            maps.extend(feed_forward.gate.as_mut().map(|gate| (Map::Wi0, gate)));
            maps.extend([
                (Map::Wi1, &mut feed_forward.up),
                (Map::Wo, &mut feed_forward.down),
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

impl DecoderConfig {
    /// Every linear layer of one block with its shape `[in, out]`.
    pub(super) fn block_maps(&self) -> Vec<(Map, [usize; 2])> {
        let (d, inner, keys, ff) = (
            self.width,
            self.inner(),
            self.key_width(),
            self.feed_forward,
        );
        let mut maps = vec![
            (Map::Q, [d, inner]),
            (Map::K, [d, keys]),
            (Map::V, [d, keys]),
            (Map::O, [inner, d]),
        ];
        if self.shape != Shape::Gpt2 {
            maps.push((Map::Wi0, [d, ff]));
        }
        maps.extend([(Map::Wi1, [d, ff]), (Map::Wo, [ff, d])]);
        maps
    }

    /// Every linear layer of the blocks with its shape `[in, out]`, in the order of
    /// [`DecoderOnly::maps_mut`].
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        self.block_maps().repeat(self.layers)
    }

    /// The names of these layers in Transformers' network. GPT-2's `c_attn` combines a block's queries, keys
    /// and values, so it is listed three times.
    pub fn map_names(&self) -> Vec<String> {
        let names = super::checkpoint::names(self.shape);
        let names = match self.shape {
            Shape::Llama | Shape::Gemma => names,
            Shape::Gpt2 => names.renamed(|name| format!("transformer.{name}")),
        };
        names.maps("blocks", self.layers)
    }

    /// Every sub-layer of the blocks, in the order of [`DecoderOnly::adapters_mut`].
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        [SubLayer::SelfAttention, SubLayer::FeedForward].repeat(self.layers)
    }
}
