//! Prompts of words, without training: a hand-written instruction (Raffel et al. 2020, arXiv 1910.10683, name each task
//! by one; "prompt design" in Lester et al. 2021), and source examples before the input, "in context" (Brown et al.
//! 2020, arXiv 2005.14165).
//!
//! Words enter like soft prompts, as the embeddings of their tokens, so the result is saved as an ordinary prompt.
//! Examples are drawn from the source's training rows by the cell's seed and written `INPUT answer: TARGET`. A recipe
//! of these has no steps.

use burn::tensor::{Int, Tensor, TensorData};

use super::{About, Delta, Family, Start};
use crate::network::{Config, Kind, Network};
use crate::tuning::inputs::PromptError;
use crate::tuning::soft_prompt::SoftPrompt;
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{PreambleRecipe, Recipe};

impl Delta for PreambleRecipe {
    fn about(&self) -> About {
        let (what, paper) = match self {
            PreambleRecipe::Instruction(_) => (
                "nothing: a hand-written instruction before the input",
                "Raffel et al. 2020, arXiv 1910.10683",
            ),
            PreambleRecipe::Examples(_) => (
                "nothing: examples of the source before the input",
                "Brown et al. 2020, arXiv 2005.14165",
            ),
        };
        About {
            family: Family::None,
            what,
            paper,
            code: None,
        }
    }

    /// The backbone with the words' embeddings as its prompt,
    /// [`MethodInputs::preamble`](crate::tuning::MethodInputs::preamble).
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        let words = &start.inputs.preamble;
        if words.is_empty() {
            return Err(PromptError::EmptyText);
        }
        let table = backbone.embedding();
        let ids: Vec<i32> = words.iter().map(|&id| id as i32).collect();
        let ids = TensorData::new(ids, [words.len()]);
        let ids = Tensor::<1, Int>::from_data(ids, &table.device());
        Ok(Tuned {
            prompt: Some(SoftPrompt::of(table.select(0, ids))),
            ..Tuned::untuned(backbone)
        })
    }

    fn supports(&self, kind: Kind) -> Result<(), &'static str> {
        match kind {
            Kind::T5 | Kind::DecoderOnly => Ok(()),
            Kind::Bert => {
                Err("nothing is trained, and an untrained head can't follow an instruction")
            }
        }
    }

    fn is_trainable(&self, _: &str, _: &Config) -> bool {
        false
    }

    fn trainable(&self, _: &Recipe, _: &Config) -> usize {
        0
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}
