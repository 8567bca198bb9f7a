//! Bottleneck adapters, in three placements:
//!
//! - Houlsby et al. 2019 ("Parameter-Efficient Transfer Learning for NLP", arXiv 1902.00751): after attention
//!   and after the feed-forward, gelu, weights from N(0, 10⁻²) truncated at two deviations. Reference code:
//!   google-research/adapter-bert, `modeling.py`, which uses a deviation of 10⁻³ and the tanh approximation
//!   of gelu; here the paper's values are used.
//! - Pfeiffer et al. 2020 ("AdapterFusion", arXiv 2005.00247): only after the feed-forward, relu; reads the
//!   sum of the feed-forward's output and the residual stream. Reference code: adapter-hub/adapters,
//!   `SeqBnConfig`, which draws weights from N(0, 0.02²).
//! - He et al. 2021 ("Towards a Unified View of Parameter-Efficient Transfer Learning", arXiv 2110.04366): in
//!   parallel to the feed-forward, relu, scaled by 4; initialised like LoRA. Reference code:
//!   jxhe/unify-parameter-efficient-tuning, `petl/`.
//!
//! Bottlenecks have width `D/16` in series and `D/2` in parallel, as in the papers (64 and 512 of 1,024).
//! Biases start at 0. As in adapter-hub's T5, the decoder's cross-attention has no adapter. Deviations: the
//! norms stay frozen, while Houlsby et al. tune them; Adafactor instead of AdamW; dropout is applied to an
//! adapter's output, while adapter-hub applies it before the adapter; a parallel adapter reads the input
//! after its norm, while adapter-hub's T5 reads the residual stream; in a BERT, whose norm follows the sum,
//! Pfeiffer's adapter reads before that norm, while adapter-hub's reads after it.

use super::delta::{About, Delta, Family};
use crate::layers::{Adapter, Nonlinearity, Side, SubLayer};
use crate::network::Config;
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{AdapterRecipe, Placement, Recipe};

/// `m`, the bottleneck width; at least one.
fn width(recipe: &AdapterRecipe, config: &Config) -> usize {
    (config.width() / recipe.reduction.max(1)).max(1)
}

fn stands_at(recipe: &AdapterRecipe, sub_layer: SubLayer) -> bool {
    match sub_layer {
        SubLayer::SelfAttention => recipe.placement == Placement::Houlsby,
        SubLayer::CrossAttention => false,
        SubLayer::FeedForward => true,
    }
}

fn adapter(recipe: &AdapterRecipe, config: &Config, draw: &mut Draw) -> Adapter {
    let (d, m) = (config.width(), width(recipe, config));
    let (down, up) = match recipe.placement {
        Placement::Houlsby => (draw.truncated([d, m], 1e-2), draw.truncated([m, d], 1e-2)),
        Placement::Pfeiffer => (draw.normal([d, m], 0.02), draw.normal([m, d], 0.02)),
        Placement::Parallel => {
            let bound = (d as f32).sqrt().recip();
            (draw.uniform([d, m], bound), draw.filled([m, d], 0.0))
        }
    };
    let (scale, nonlinearity, side) = match recipe.placement {
        Placement::Houlsby => (1.0, Nonlinearity::Gelu, Side::After),
        Placement::Pfeiffer => (1.0, Nonlinearity::Relu, Side::Joined),
        Placement::Parallel => (4.0, Nonlinearity::Relu, Side::Beside),
    };
    Adapter {
        down,
        down_bias: draw.filled([m], 0.0),
        up,
        up_bias: draw.filled([d], 0.0),
        scale,
        nonlinearity,
        side,
    }
}

impl Delta for AdapterRecipe {
    fn about(&self) -> About {
        let (what, paper, code) = match self.placement {
            Placement::Houlsby => (
                "bottlenecks after self-attention and after the feed-forward",
                "Houlsby et al. 2019, arXiv 1902.00751",
                "google-research/adapter-bert",
            ),
            Placement::Pfeiffer => (
                "bottlenecks after the feed-forward",
                "Pfeiffer et al. 2020, arXiv 2005.00247",
                "adapter-hub/adapters",
            ),
            Placement::Parallel => (
                "bottlenecks in parallel to the feed-forward",
                "He et al. 2021, arXiv 2110.04366",
                "jxhe/unify-parameter-efficient-tuning",
            ),
        };
        About {
            name: "an adapter",
            family: Family::Additions,
            what,
            paper,
            code: Some(code),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("a reduction by", self.reduction)]
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        for (sub_layer, place) in tuned.backbone.adapters_mut() {
            if stands_at(self, sub_layer) {
                *place = Some(adapter(self, config, draw));
            }
        }
        tuned
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.contains(".adapter.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let (d, m) = (config.width(), width(self, config));
        let adapters = config.sub_layers().into_iter();
        adapters.filter(|&s| stands_at(self, s)).count() * (2 * d * m + m + d)
    }
}
