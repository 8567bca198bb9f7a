//! The last `k` blocks (of the decoder, if there are two stacks) with the final norm, which in a BERT is part of the
//! last block: the oldest way of tuning fewer parameters (Lee, Tang & Lin 2019, "What Would Elsa Do? Freezing Layers
//! During Transformer Fine-Tuning", arXiv 1911.03090, which tunes the last quarter). Deviation: four blocks for every
//! size, half of small's eight and a sixth of large's 24; one of the miniature's two.
//!
//! Nothing below these blocks requires gradients, so the backward pass ends there. The head stays frozen.

use super::{About, Delta, Family};
use crate::network::Config;
use promptshift_numbers::recipe::{LastBlocksRecipe, Recipe};

fn blocks(recipe: &LastBlocksRecipe, config: &Config) -> usize {
    recipe.blocks.min(config.last_stack().blocks)
}

impl Delta for LastBlocksRecipe {
    fn about(&self) -> About {
        About {
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
