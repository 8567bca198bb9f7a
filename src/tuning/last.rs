//! The last `k` blocks of the decoder with its final norm: the oldest way of tuning less (Lee, Tang &
//! Lin 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning",
//! arXiv 1911.03090, which tunes the last quarter).
//!
//! Nothing below the lowest of these blocks is on the tape, so that the backward pass ends there. The
//! head stays frozen.

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::recipe::{LastBlocksRecipe, Recipe};
use crate::t5::{Activation, T5Config};

pub(super) const ABOUT: About = About {
    family: Family::Specified,
    what: "the last blocks of the decoder and its final norm",
    paper: "Lee et al. 2019, arXiv 1911.03090",
    code: None,
};

impl LastBlocksRecipe {
    fn blocks(&self, config: &T5Config) -> usize {
        self.blocks.min(config.decoder_layers())
    }
}

impl Delta for LastBlocksRecipe {
    fn place(&self, tuned: Tuned, _: &T5Config, _: &mut Draw) -> Tuned {
        tuned
    }

    fn trains(&self, path: &str, config: &T5Config) -> bool {
        let first = config.decoder_layers() - self.blocks(config);
        let block = path
            .strip_prefix("backbone.decoder.blocks.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        block.is_some_and(|block| block >= first) || path == "backbone.decoder.norm.gain"
    }

    fn trainable(&self, _: &Recipe, config: &T5Config) -> usize {
        // The list of maps ends with those of a decoder's block, which has three norms.
        let maps = config.maps();
        let last_block = maps.len() - maps_of_decoder_block(config);
        let weights: usize = maps[last_block..].iter().map(|(_, [i, o])| i * o).sum();
        let in_block = weights + 3 * config.d_model;
        self.blocks(config) * in_block + config.d_model
    }
}

/// Two attentions of four maps, and the feed-forward's.
fn maps_of_decoder_block(config: &T5Config) -> usize {
    8 + match config.activation() {
        Activation::Relu => 2,
        Activation::GatedGelu => 3,
    }
}
