//! Ladder side tuning (Sung, Cho & Bansal 2022, "LST: Ladder Side-Tuning for Parameter and Memory Efficient
//! Transfer Learning", arXiv 2206.06522): a small T5, the side network, reads the hidden states of the frozen
//! backbone's blocks through gates. The backbone runs without autodiff and stores no activations for a
//! backward pass, which is how the method saves memory.
//!
//! Reference code: ylsung/Ladder-Side-Tuning. As there: every width of the side network is the backbone's
//! divided by `r` (8), gates are `sigmoid(α / 0.1)` with `α` starting at 0, each state has its own
//! down-projection, and the frozen head reads the up-projection. Deviations: the side network is initialised
//! randomly (T5's published initialisation) instead of from a pruned backbone; no side block is dropped;
//! down-projections have no biases; the states before the first block are gated like all others, and the
//! states after the last block are read as well; the up-projection starts at 0 and is added to the backbone's
//! final states, so that the tuned model starts equal to the frozen one.

use super::delta::{About, Delta, Family};
use crate::network::{Config, Kind};
use crate::t5::{Initialisation, Ladder, Rung, T5, T5Config, initialise};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{LadderRecipe, Recipe};

/// The side network's configuration; it has no vocabulary.
fn side(recipe: &LadderRecipe, config: &T5Config) -> T5Config {
    let reduced = |width: usize| (width / recipe.reduction.max(1)).max(1);
    T5Config {
        vocab_size: 1,
        d_model: reduced(config.d_model),
        d_kv: reduced(config.d_kv),
        d_ff: reduced(config.d_ff),
        ..config.clone()
    }
}

impl Delta for LadderRecipe {
    fn about(&self) -> About {
        About {
            name: "ladder side tuning",
            family: Family::Additions,
            what: "a small network beside the model, without a backward pass through the model",
            paper: "Sung et al. 2022, arXiv 2206.06522",
            code: Some("ylsung/Ladder-Side-Tuning"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("a reduction by", self.reduction)]
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 => Ok(()),
            Kind::DecoderOnly => Err("not implemented for it (the side network is a T5)"),
            Kind::Bert => Err(
                "not implemented for it (the side network needs pre-norm stacks that end in a norm)",
            ),
        }
    }

    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let config = config.t5().expect("other kinds do not fit");
        let side_config = side(self, config);
        let (d, narrow) = (config.d_model, side_config.d_model);
        let weights = initialise(&side_config, Initialisation::Published, draw.seed());
        let device = tuned.backbone.device();
        let side = T5::load(&side_config, weights, &device).expect("of its own configuration");
        let mut rungs = |blocks: usize| {
            let bound = (d as f32).sqrt().recip();
            (0..=blocks)
                .map(|_| Rung {
                    down: draw.uniform([d, narrow], bound),
                    gate: draw.filled([1], 0.0),
                })
                .collect()
        };
        let (encoder, decoder) = (rungs(config.num_layers), rungs(config.decoder_layers()));
        let up = draw.filled([narrow, d], 0.0);
        let ladder = Ladder::new(side.into_stacks(), encoder, decoder, up);
        let backbone = tuned.backbone.into_t5().expect("other kinds do not fit");
        Tuned {
            backbone: backbone.with_ladder(ladder).into(),
            ..tuned
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("backbone.ladder.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let Some(config) = config.t5() else {
            return 0;
        };
        let side = side(self, config);
        let (d, narrow) = (config.d_model, side.d_model);
        let matrices = if side.tie_word_embeddings { 1 } else { 2 };
        let stacks = side.parameters() - matrices * side.vocab_size * narrow;
        let rungs = config.num_layers + config.decoder_layers() + 2;
        stacks + rungs * (d * narrow + 1) + narrow * d
    }
}
