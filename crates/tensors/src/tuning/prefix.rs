//! Prefix tuning (Li & Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation",
//! arXiv 2101.00190): `P` keys and values before those of every attention: of the encoder, of the
//! decoder and of the decoder to the encoder in a T5, of the only stack in any other network.
//!
//! Reference code: XiangLisaLi/PrefixTuning, `seq2seq/prefixTuning.py`. A prefix has no position:
//! T5's relative bias is 0 on it, a choice of ours, since the paper's BART and GPT-2 have no such
//! bias. Two forms:
//!
//! - direct: keys and values are the parameters, drawn from N(0, 1) as PEFT draws them;
//! - through a network: for each of the three kinds of attention, vectors `[P, D]` from N(0, 1) and a
//!   network `tanh(E W₁ + b₁) W₂ + b₂` whose output `[P, blocks · 2 · H·K]` is all keys and values of
//!   the kind, started as PyTorch starts linear maps (U[-1/√in, 1/√in]). After training the network is
//!   thrown away and its output kept.
//!
//! A third form is PEFT's for an encoder-decoder (huggingface/peft 0.21, `PREFIX_TUNING`): prefixes of
//! the decoder's self-attention alone, which stand before the start token, so that T5's relative bias is
//! on them. PEFT lays out its vectors so that with an even number of blocks half of them are never read
//! and the others twice; here every block has its own.
//!
//! Deviations: no dropout within the network; Adafactor rather than AdamW; as many positions as the soft prompt of
//! the same model, where the paper has 10 to 200 by task.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};

use super::Tuned;
use super::draw::Draw;
use super::method::{About, Delta, Family};
use crate::layers::{Injected, KeyValue, PrefixPositions};
use crate::network::{Attentions, Config, Kind};
use promptshift_numbers::recipe::{PrefixForm, PrefixPlaces, PrefixRecipe, Recipe};

pub(super) const ABOUT: About = About {
    family: Family::Prompts,
    what: "keys and values before those of every attention in every block",
    paper: "Li & Liang 2021, arXiv 2101.00190",
    code: Some("XiangLisaLi/PrefixTuning"),
};

pub(super) const ABOUT_NETWORK: About = About {
    what: "keys and values before those of every attention in every block, made by a network",
    ..ABOUT
};

pub(super) const ABOUT_DECODER: About = About {
    what: "keys and values before those of the decoder's self-attention",
    paper: "Li & Liang 2021, arXiv 2101.00190 (PEFT's form)",
    code: Some("huggingface/peft"),
    ..ABOUT
};

/// The prefixes of the three kinds of attention, as far as they have any.
#[derive(Module, Debug)]
pub struct Prefixes {
    /// `None` where the network has no such attention, or the method no prefix of it.
    encoder: Option<OneKind>,
    decoder: Option<OneKind>,
    cross: Option<OneKind>,
    #[module(skip)]
    decoder_positions: PrefixPositions,
}

/// All prefixes of one kind of attention.
#[derive(Module, Debug)]
struct OneKind {
    /// Keys and values of every block, `[P, blocks · 2 · H·K]`: block by block, key before value; or
    /// what the network makes them of, `[P, D]`.
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
    /// What enters the stacks.
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

    /// Keys and values themselves.
    pub(super) fn without_network(self) -> Self {
        Prefixes {
            encoder: self.encoder.map(OneKind::without_network),
            decoder: self.decoder.map(OneKind::without_network),
            cross: self.cross.map(OneKind::without_network),
            decoder_positions: self.decoder_positions,
        }
    }

    /// Prefixes of the decoder's self-attention alone, as [`PrefixPlaces::Decoder`] has them:
    /// `[P, blocks · 2 · H·K]`, block by block, key before value.
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

    /// Keys and values before those of the decoder's self-attention, as [`Prefixes::of_decoder`] takes
    /// them.
    pub(super) fn decoder(&self) -> Option<Tensor<2>> {
        self.decoder.as_ref().map(OneKind::output)
    }
}

/// `None` without any blocks of this kind.
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

/// Blocks with a prefix of each kind.
fn kinds(recipe: &PrefixRecipe, config: &Config) -> [usize; 3] {
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

impl Delta for PrefixRecipe {
    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match (self.places, kind) {
            (PrefixPlaces::Every, _) | (PrefixPlaces::Decoder, Kind::T5) => Ok(()),
            (PrefixPlaces::Decoder, Kind::DecoderOnly) => {
                Err("it has no encoder; prefix is the same")
            }
            (PrefixPlaces::Decoder, Kind::Bert) => {
                Err("it has no decoder; prefix is that of its encoder")
            }
        }
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let [encoder, decoder, cross] =
            kinds(self, config).map(|blocks| kind(self, blocks, config, draw));
        tuned.prefixes = Some(Prefixes {
            encoder,
            decoder,
            cross,
            decoder_positions: match self.places {
                PrefixPlaces::Every => PrefixPositions::Nowhere,
                PrefixPlaces::Decoder => PrefixPositions::BeforeStart,
            },
        });
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prefixes.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        let PrefixForm::Network { hidden } = self.form else {
            return self.stored(recipe, config);
        };
        let d = config.width();
        let kind = |blocks: usize| {
            let width = blocks * 2 * config.attentions().width;
            self.length * d + (d + 1) * hidden + (hidden + 1) * width
        };
        let kinds = kinds(self, config).into_iter();
        kinds.filter(|&blocks| blocks > 0).map(kind).sum()
    }

    fn stored(&self, _: &Recipe, config: &Config) -> usize {
        let blocks: usize = kinds(self, config).iter().sum();
        self.length * blocks * 2 * config.attentions().width
    }
}
