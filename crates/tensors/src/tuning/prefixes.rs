//! Attention prefixes as a module: keys and values, or the network that produces them during tuning.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::draw::Draw;
use crate::layers::{Injected, KeyValue, PrefixPositions};
use crate::network::{Attentions, Config};
use promptshift_numbers::recipe::{PrefixForm, PrefixPlaces, PrefixRecipe};

/// The prefixes of the three kinds of attention.
#[derive(Module, Debug)]
pub struct Prefixes {
    /// `None` if the network has no such attention, or the method adds no prefix to it.
    encoder: Option<OneKind>,
    decoder: Option<OneKind>,
    cross: Option<OneKind>,
    #[module(skip)]
    decoder_positions: PrefixPositions,
}

/// All prefixes of one kind of attention.
#[derive(Module, Debug)]
struct OneKind {
    /// Keys and values of every block, `[P, blocks · 2 · H·K]`, block by block, keys before values; or the
    /// network's input, `[P, D]`.
    vectors: Param<Tensor<2>>,
    network: Option<Network>,
    blocks: usize,
}

#[derive(Module, Debug)]
struct Network {
    inner: Param<Tensor<2>>,
    inner_bias: Param<Tensor<1>>,
    outer: Param<Tensor<2>>,
    outer_bias: Param<Tensor<1>>,
}

impl Network {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = x.matmul(self.inner.val()) + self.inner_bias.val().unsqueeze();
        activation::tanh(hidden).matmul(self.outer.val()) + self.outer_bias.val().unsqueeze()
    }
}

impl OneKind {
    /// `[P, blocks · 2 · H·K]`.
    fn output(&self) -> Tensor<2> {
        match &self.network {
            Some(network) => network.forward(self.vectors.val()),
            None => self.vectors.val(),
        }
    }

    fn key_values(&self) -> Vec<KeyValue> {
        let all = self.output();
        let [length, width] = all.dims();
        let inner = width / (2 * self.blocks);
        let part = |at: usize| all.clone().slice([0..length, at * inner..(at + 1) * inner]);
        (0..self.blocks)
            .map(|block| KeyValue::new(part(2 * block), part(2 * block + 1)))
            .collect()
    }

    fn without_network(self) -> Self {
        match self.network {
            None => self,
            Some(_) => OneKind {
                vectors: Param::from_tensor(self.output()),
                network: None,
                blocks: self.blocks,
            },
        }
    }
}

impl Prefixes {
    /// A recipe's prefixes with initial values.
    pub(super) fn new(recipe: &PrefixRecipe, config: &Config, draw: &mut Draw) -> Self {
        let [encoder, decoder, cross] =
            prefixed_blocks(recipe, config).map(|blocks| kind(recipe, blocks, config, draw));
        Prefixes {
            encoder,
            decoder,
            cross,
            decoder_positions: match recipe.places {
                PrefixPlaces::Every => PrefixPositions::Nowhere,
                PrefixPlaces::Decoder => PrefixPositions::BeforeStart,
            },
        }
    }

    /// Adds the prefixes to the injected tensors.
    pub(super) fn enter(&self, injected: Injected) -> Injected {
        let key_values =
            |kind: &Option<OneKind>| kind.as_ref().map(OneKind::key_values).unwrap_or_default();
        Injected {
            encoder: key_values(&self.encoder),
            decoder: key_values(&self.decoder),
            decoder_positions: self.decoder_positions,
            cross: key_values(&self.cross),
            ..injected
        }
    }

    /// Replaces the network by the keys and values that it produces.
    pub(super) fn without_network(self) -> Self {
        Prefixes {
            encoder: self.encoder.map(OneKind::without_network),
            decoder: self.decoder.map(OneKind::without_network),
            cross: self.cross.map(OneKind::without_network),
            decoder_positions: self.decoder_positions,
        }
    }

    /// Prefixes of only the decoder's self-attention, as in [`PrefixPlaces::Decoder`]:
    /// `[P, blocks · 2 · H·K]`, block by block, keys before values.
    pub(super) fn of_decoder(vectors: Tensor<2>, blocks: usize) -> Self {
        Prefixes {
            encoder: None,
            decoder: Some(OneKind {
                vectors: Param::from_tensor(vectors),
                network: None,
                blocks,
            }),
            cross: None,
            decoder_positions: PrefixPositions::BeforeStart,
        }
    }

    /// The prefixes of the decoder's self-attention, in the layout of [`Prefixes::of_decoder`].
    pub(super) fn decoder(&self) -> Option<Tensor<2>> {
        self.decoder.as_ref().map(OneKind::output)
    }
}

/// `None` if there are no blocks of this kind.
fn kind(recipe: &PrefixRecipe, blocks: usize, config: &Config, draw: &mut Draw) -> Option<OneKind> {
    if blocks == 0 {
        return None;
    }
    let width = blocks * 2 * config.attentions().width;
    Some(match recipe.form {
        PrefixForm::Direct => OneKind {
            vectors: draw.normal([recipe.length, width], 1.0),
            network: None,
            blocks,
        },
        PrefixForm::Network { hidden } => {
            let d = config.width();
            let (inner, outer) = ((d as f32).sqrt().recip(), (hidden as f32).sqrt().recip());
            OneKind {
                vectors: draw.normal([recipe.length, d], 1.0),
                network: Some(Network {
                    inner: draw.uniform([d, hidden], inner),
                    inner_bias: draw.uniform([hidden], inner),
                    outer: draw.uniform([hidden, width], outer),
                    outer_bias: draw.uniform([width], outer),
                }),
                blocks,
            }
        }
    })
}

/// The number of blocks with a prefix: in the encoder, in the decoder, and of cross-attention.
pub(super) fn prefixed_blocks(recipe: &PrefixRecipe, config: &Config) -> [usize; 3] {
    let Attentions {
        encoder,
        decoder,
        cross,
        ..
    } = config.attentions();
    match recipe.places {
        PrefixPlaces::Every => [encoder, decoder, cross],
        PrefixPlaces::Decoder => [0, decoder, 0],
    }
}
