//! Hooks in the blocks for tuning methods, and their shapes as computed from the configuration alone.

use super::config::{Activation, T5Config};
use super::layers::{Attention, FeedForward};
use super::model::T5;
use crate::layers::{Adapter, Linear, Map, SubLayer};

impl Attention {
    fn maps_mut(&mut self) -> [(Map, &mut Linear); 4] {
        [
            (Map::Q, &mut self.query),
            (Map::K, &mut self.key),
            (Map::V, &mut self.value),
            (Map::O, &mut self.output),
        ]
    }
}

impl FeedForward {
    fn maps_mut(&mut self) -> impl Iterator<Item = (Map, &mut Linear)> {
        let gate = self.gate.as_mut().map(|gate| (Map::Wi0, gate));
        gate.into_iter()
            .chain([(Map::Wi1, &mut self.up), (Map::Wo, &mut self.down)])
    }
}

impl T5 {
    /// Every linear layer of the blocks, the encoder's first.
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        let mut maps = Vec::new();
        for block in &mut self.encoder.blocks {
            maps.extend(block.attention.maps_mut());
            maps.extend(block.feed_forward.maps_mut());
        }
        for block in &mut self.decoder.blocks {
            maps.extend(block.self_attention.maps_mut());
            maps.extend(block.cross_attention.maps_mut());
            maps.extend(block.feed_forward.maps_mut());
        }
        maps
    }

    /// The adapter slot of every sub-layer, the encoder's first.
    pub fn adapters_mut(&mut self) -> Vec<(SubLayer, &mut Option<Adapter>)> {
        let mut places = Vec::new();
        for block in &mut self.encoder.blocks {
            places.extend([
                (SubLayer::SelfAttention, &mut block.attention.adapter),
                (SubLayer::FeedForward, &mut block.feed_forward.adapter),
            ]);
        }
        for block in &mut self.decoder.blocks {
            places.extend([
                (SubLayer::SelfAttention, &mut block.self_attention.adapter),
                (SubLayer::CrossAttention, &mut block.cross_attention.adapter),
                (SubLayer::FeedForward, &mut block.feed_forward.adapter),
            ]);
        }
        places
    }
}

impl T5Config {
    /// Every linear layer of the blocks with its shape `[in, out]`, in the order of [`T5::maps_mut`].
    pub fn maps(&self) -> Vec<(Map, [usize; 2])> {
        let attention = [Map::Q, Map::K, Map::V, Map::O];
        let feed_forward: &[Map] = match self.activation() {
            Activation::Relu => &[Map::Wi1, Map::Wo],
            Activation::GatedGelu => &[Map::Wi0, Map::Wi1, Map::Wo],
        };
        let encoder = [&attention[..], feed_forward].concat();
        let decoder = [&attention[..], &attention, feed_forward].concat();
        let blocks = std::iter::repeat_n(encoder, self.num_layers)
            .chain(std::iter::repeat_n(decoder, self.decoder_layers()));
        blocks.flatten().map(|map| (map, self.shape(map))).collect()
    }

    /// The names of these layers in checkpoints, without `.weight`.
    pub fn map_names(&self) -> Vec<String> {
        let names = super::checkpoint::names(self.activation());
        let encoder = names.maps("encoder.blocks", self.num_layers);
        let decoder = names.maps("decoder.blocks", self.decoder_layers());
        let maps = encoder.into_iter().chain(decoder);
        maps.collect()
    }

    /// Every sub-layer of the blocks, in the order of [`T5::adapters_mut`].
    pub fn sub_layers(&self) -> Vec<SubLayer> {
        let encoder = &[SubLayer::SelfAttention, SubLayer::FeedForward][..];
        let decoder = &[
            SubLayer::SelfAttention,
            SubLayer::CrossAttention,
            SubLayer::FeedForward,
        ];
        [
            encoder.repeat(self.num_layers),
            decoder.repeat(self.decoder_layers()),
        ]
        .concat()
    }

    fn shape(&self, map: Map) -> [usize; 2] {
        let (d, inner, ff) = (self.d_model, self.inner(), self.d_ff);
        match map {
            Map::Q | Map::K | Map::V => [d, inner],
            Map::O => [inner, d],
            Map::Wi0 | Map::Wi1 => [d, ff],
            Map::Wo => [ff, d],
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::super::init::{Initialisation, initialise};
    use super::*;

    #[test]
    fn hooks_without_weights_match_those_with_weights() {
        let config = T5Config {
            vocab_size: 16,
            d_model: 8,
            d_kv: 3,
            num_heads: 2,
            d_ff: 5,
            num_layers: 3,
            num_decoder_layers: Some(2),
            feed_forward_proj: "gated-gelu".to_string(),
            ..T5Config::published("small").expect("a published size")
        };
        let weights = initialise(&config, Initialisation::Published, 0);
        let mut model = T5::load(&config, weights, &Device::flex()).expect("a T5");
        let found: Vec<(Map, [usize; 2])> = model
            .maps_mut()
            .into_iter()
            .map(|(map, linear)| (map, linear.weight.val().dims()))
            .collect();
        assert_eq!(found, config.maps());
        // Transposed, because checkpoints store `[out, in]`.
        let mut written = model.weights();
        for (name, (_, [input, output])) in config.map_names().iter().zip(config.maps()) {
            let name = format!("{name}.weight");
            let taken = written.take(&name, [output, input], &Device::flex());
            assert!(taken.is_ok(), "{name}");
        }
        let found: Vec<SubLayer> = model.adapters_mut().iter().map(|place| place.0).collect();
        assert_eq!(found, config.sub_layers());
    }
}
