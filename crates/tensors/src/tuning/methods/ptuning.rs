//! P-tuning (Liu et al. 2021, "GPT Understands, Too", arXiv 2103.10385): a network produces the soft prompt from
//! vectors, and both are tuned. After training the prompt is kept and the network discarded.
//!
//! Reference code: THUDM/P-tuning, `LAMA/p_tuning/prompt_encoder.py` (a bidirectional LSTM of two layers followed by an
//! MLP), and PEFT's `PromptEncoder`, from which the widths are taken: MLP `D → h → h → D` with relu, or an LSTM `D → h`
//! with an MLP `2h → 2h → D`. Linear maps and the LSTM are initialised as in PyTorch. Deviations: the vectors start
//! like a soft prompt of the recipe rather than from N(0, 1); `h` is 512 for every T5 rather than THUDM's `D`; the LSTM
//! has one bias for each gate, while PyTorch adds two, and no dropout; the prompt precedes the input as one piece,
//! while the paper's may be placed between the pieces of a pattern.

use super::{About, Delta, Family};
use crate::network::Config;
use crate::tuning::draw::Draw;
use crate::tuning::prompt_network::PromptNetwork;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PromptNetworkForm, PromptNetworkRecipe, Recipe};

impl Delta for PromptNetworkRecipe {
    fn about(&self) -> About {
        About {
            family: Family::Prompts,
            what: match self.form {
                PromptNetworkForm::Mlp => "a soft prompt before the input, made by an MLP",
                PromptNetworkForm::Lstm => {
                    "a soft prompt before the input, made by an LSTM and an MLP"
                }
            },
            paper: "Liu et al. 2021, arXiv 2103.10385",
            code: Some("THUDM/P-tuning; PEFT's PromptEncoder"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("hidden units of", self.hidden)]
    }

    fn attach(&self, tuned: Tuned, config: &Config, draw: &mut Draw) -> Tuned {
        let network = PromptNetwork::new(self, config.width(), draw);
        Tuned {
            prompt: tuned.prompt.map(|prompt| prompt.through(network)),
            ..tuned
        }
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path.starts_with("prompt.")
    }

    fn trainable(&self, recipe: &Recipe, config: &Config) -> usize {
        self.stored(recipe, config) + PromptNetwork::parameters(self, config.width())
    }

    fn stored(&self, recipe: &Recipe, config: &Config) -> usize {
        recipe.prompt_length() * config.width()
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}
