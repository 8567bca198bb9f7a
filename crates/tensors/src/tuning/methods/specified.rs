//! Methods that train some of the backbone's own parameters: biases, norm gains, the output head, the last
//! blocks.

use super::delta::{About, Delta, Family};
use crate::layers;
use crate::network::{Config, Writes};
use crate::tuning::draw::Draw;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{LastBlocksRecipe, Recipe};

/// BitFit (Ben Zaken, Ravfogel & Goldberg 2021, "BitFit: Simple Parameter-efficient Fine-tuning for
/// Transformer-based Masked Language-models", arXiv 2106.10199): tunes only biases.
///
/// Reference code: benzakenelad/BitFit. If the model has biases, all are tuned, including those of norms. T5
/// and Llama have none, so each linear layer of the blocks gets a bias that starts at 0; the norms, which
/// have biases in the paper's BERT, and the output head get none. Deviation: Adafactor instead of AdamW.
pub(super) struct AddedBiases;

impl Delta for AddedBiases {
    fn about(&self) -> About {
        About {
            name: "BitFit",
            family: Family::Specified,
            what: "the biases; if the model has none, a bias added to every linear layer of the blocks",
            paper: "Ben Zaken et al. 2021, arXiv 2106.10199",
            code: Some("benzakenelad/BitFit"),
        }
    }

    fn attach(&self, mut tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        if config.biases().is_some() {
            return tuned;
        }
        for ((_, linear), (_, [_, output])) in
            tuned.backbone.maps_mut().into_iter().zip(config.maps())
        {
            linear.delta = Some(layers::Delta {
                bias: Some(draw.filled([output], 0.0)),
                ..layers::Delta::default()
            });
        }
        tuned
    }

    fn is_trainable(&self, path: &str, config: &Config) -> bool {
        match config.biases() {
            Some(_) => path.starts_with("backbone.") && path.ends_with(".bias"),
            None => path.ends_with(".delta.bias"),
        }
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        (config.biases()).unwrap_or_else(|| self.added_parameters(recipe, config))
    }

    fn added_parameters(&self, _: &Recipe, config: &Config) -> usize {
        let added = || config.maps().iter().map(|(_, [_, output])| output).sum();
        config.biases().map_or_else(added, |_| 0)
    }
}

/// Tunes only norm gains: LN-tuning (Qi, Ruan, Zuo & Li 2022, "Parameter-Efficient Tuning on Layer
/// Normalization for Pre-trained Language Models", arXiv 2211.08682) without biases, which the norms of T5
/// and Llama do not have. The final norm of every stack is included.
///
/// Gains start from their pre-trained values. Deviation: Adafactor instead of AdamW.
pub(super) struct NormGains;

impl Delta for NormGains {
    fn about(&self) -> About {
        About {
            name: "tuning norm gains",
            family: Family::Specified,
            what: "the gains of the norms",
            paper: "Qi et al. 2022, arXiv 2211.08682",
            code: None,
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.ends_with(".gain")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        config.norm_gains()
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }
}

/// Tunes only the output head: a linear probe that generates. If the head is tied to the embedding (T5 v1.0,
/// small Llamas, GPT-2), the input embedding changes with it.
///
/// This is a control, not a published method for T5: "tuning the head" is the feature-based baseline of
/// Peters, Ruder & Smith 2019 ("To Tune or Not to Tune?", arXiv 1903.05987).
pub(super) struct OutputHead;

impl Delta for OutputHead {
    fn about(&self) -> About {
        About {
            name: "tuning the output head",
            family: Family::Specified,
            what: "the output head",
            paper: "Peters et al. 2019, arXiv 1903.05987 (as a probe)",
            code: None,
        }
    }

    fn is_trainable(&self, path: &str, config: &Config) -> bool {
        match config.is_tied() {
            // An added head is trained with every method.
            _ if config.writes() != Writes::Tokens => false,
            true => path == "backbone.embedding",
            false => path == "backbone.head.weight",
        }
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        match config.writes() {
            Writes::Tokens => config.vocabulary() * config.width(),
            Writes::Nothing { .. } => 0,
        }
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }
}

fn blocks(recipe: &LastBlocksRecipe, config: &Config) -> usize {
    recipe.blocks.min(config.last_stack().blocks)
}

/// Tunes the last `k` blocks (of the decoder, if there are two stacks) with the final norm, which in a BERT
/// is part of the last block: the oldest way of tuning fewer parameters (Lee, Tang & Lin 2019, "What Would
/// Elsa Do? Freezing Layers During Transformer Fine-Tuning", arXiv 1911.03090, which tunes the last quarter).
/// Deviation: four blocks for every size, which is half of small's eight and a sixth of large's 24; one of
/// the miniature's two.
///
/// Nothing below these blocks requires gradients, so the backward pass ends there. The head stays frozen.
impl Delta for LastBlocksRecipe {
    fn about(&self) -> About {
        About {
            name: "tuning the last blocks",
            family: Family::Specified,
            what: "the last blocks before the output head, with their final norm",
            paper: "Lee et al. 2019, arXiv 1911.03090",
            code: None,
        }
    }

    fn is_trainable(&self, path: &str, config: &Config) -> bool {
        let stack = config.last_stack();
        let first = stack.blocks - blocks(self, config);
        let Some(within) = path.strip_prefix(stack.path) else {
            return false;
        };
        let block = within
            .strip_prefix(".blocks.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        block.is_some_and(|block| block >= first) || within.starts_with(".norm.")
    }

    fn trainable(&self, _: &Recipe, config: &Config) -> usize {
        let stack = config.last_stack();
        let blocks = blocks(self, config);
        let lacking = match blocks == stack.blocks {
            true => stack.first_block_lacks,
            false => 0,
        };
        blocks * stack.block_parameters + stack.norm_parameters - lacking
    }

    fn added_parameters(&self, _: &Recipe, _: &Config) -> usize {
        0
    }
}
