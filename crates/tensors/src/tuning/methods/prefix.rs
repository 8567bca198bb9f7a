//! Prefix tuning (Li & Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation",
//! arXiv 2101.00190): prepends `P` keys and values to those of every attention: in a T5 the encoder's, the
//! decoder's and the cross-attention; in other networks the only stack's.
//!
//! Reference code: XiangLisaLi/PrefixTuning, `seq2seq/prefixTuning.py`. A prefix has no position: T5's
//! relative bias is 0 for it. This is our choice, since the paper's BART and GPT-2 have no such bias. Two
//! forms:
//!
//! - direct: keys and values are the parameters, drawn from N(0, 1) as in PEFT;
//! - through a network: for each of the three kinds of attention, vectors `[P, D]` from N(0, 1) and a network
//!   `tanh(E W₁ + b₁) W₂ + b₂` whose output `[P, blocks · 2 · H·K]` holds all keys and values of that kind,
//!   initialised like PyTorch's linear layers (U[-1/√in, 1/√in]). After training only the network's output is
//!   kept.
//!
//! A third form is PEFT's for an encoder-decoder (huggingface/peft 0.21, `PREFIX_TUNING`): prefixes of only
//! the decoder's self-attention, positioned before the start token, so that T5's relative bias applies to
//! them. PEFT's layout of its vectors is such that with an even number of blocks half of them are never read
//! and the others twice; here every block has its own.
//!
//! Deviations: no dropout within the network; Adafactor instead of AdamW; as many positions as the same
//! model's soft prompt, while the paper uses 10 to 200 depending on the task.

use super::delta::{About, Delta, Family};
use crate::network::{Config, Kind};
use crate::tuning::draw::Draw;
use crate::tuning::prefixes::{Prefixes, prefixed_blocks};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PrefixForm, PrefixPlaces, PrefixRecipe, Recipe};

impl Delta for PrefixRecipe {
    fn about(&self) -> About {
        let (what, paper, code) = match (self.places, &self.form) {
            (PrefixPlaces::Every, PrefixForm::Direct) => (
                "keys and values before those of every attention in every block",
                "Li & Liang 2021, arXiv 2101.00190",
                "XiangLisaLi/PrefixTuning",
            ),
            (PrefixPlaces::Every, PrefixForm::Network { .. }) => (
                "keys and values before those of every attention in every block, made by a network",
                "Li & Liang 2021, arXiv 2101.00190",
                "XiangLisaLi/PrefixTuning",
            ),
            (PrefixPlaces::Decoder, _) => (
                "keys and values before those of the decoder's self-attention",
                "Li & Liang 2021, arXiv 2101.00190 (PEFT's form)",
                "huggingface/peft",
            ),
        };
        About {
            name: "prefix tuning",
            family: Family::Prompts,
            what,
            paper,
            code: Some(code),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        let mut sizes = vec![("a prefix's length of", self.length)];
        if let PrefixForm::Network { hidden } = self.form {
            sizes.push(("hidden units of", hidden));
        }
        sizes
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match (self.places, kind) {
            (PrefixPlaces::Every, _) | (PrefixPlaces::Decoder, Kind::T5) => Ok(()),
            (PrefixPlaces::Decoder, Kind::DecoderOnly) => {
                Err("it has no encoder; method prefix does the same")
            }
            (PrefixPlaces::Decoder, Kind::Bert) => {
                Err("it has no decoder; method prefix is for its encoder")
            }
        }
    }

    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        Tuned {
            prefixes: Some(Prefixes::new(self, config, draw)),
            ..tuned
        }
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
        let kinds = prefixed_blocks(self, config).into_iter();
        kinds.filter(|&blocks| blocks > 0).map(kind).sum()
    }

    fn stored(&self, _: &Recipe, config: &Config) -> usize {
        let blocks: usize = prefixed_blocks(self, config).iter().sum();
        self.length * blocks * 2 * config.attentions().width
    }
}
