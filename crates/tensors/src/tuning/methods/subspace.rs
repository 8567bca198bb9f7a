//! Intrinsic prompt tuning (Qin et al. 2021, "Exploring Universal Intrinsic Task Subspace via Prompt Tuning", arXiv
//! 2110.07867): tunes a few coordinates in a frozen subspace of soft prompts, which was found from the prompts of
//! several tasks.
//!
//! Reference code: thunlp/Intrinsic-Prompt-Tuning. Deviations: the paper learns an auto-encoder over prompts, with a
//! one-hidden-layer network that decodes coordinates into a prompt, from reconstruction and the tasks' losses. Here the
//! subspace is linear and found by reconstruction alone, as the prompts' principal components (the best linear
//! auto-encoder: Baldi & Hornik 1989), which only needs the prompts' files. It has fewer dimensions than there are
//! prompts, while the paper has 250 from 100 tasks' prompts. The coordinates are in standard deviations of these
//! prompts and start at 0, the prompts' mean. After training the prompt is stored, as in prompt tuning, while the paper
//! would store the coordinates.

use burn::tensor::Tensor;

use super::{About, Delta, Family, Start};
use crate::network::{Config, Network};
use crate::tuning::inputs::PromptError;
use crate::tuning::soft_prompt::{Plane, SoftPrompt};
use crate::tuning::tuned::Tuned;
use promptshift_numbers::recipe::{Recipe, SubspaceRecipe};

impl Delta for SubspaceRecipe {
    fn about(&self) -> About {
        About {
            family: Family::Prompts,
            what: "coordinates in a subspace of earlier prompts (with --subspace FILE)",
            paper: "Qin et al. 2021, arXiv 2110.07867",
            code: Some("thunlp/Intrinsic-Prompt-Tuning"),
        }
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("a prompt's length of", self.length),
            ("coordinates of", self.dimension),
        ]
    }

    /// The backbone with the prompt at the subspace's mean.
    fn start(&self, backbone: Network, start: Start<'_>) -> Result<Tuned, PromptError> {
        let subspace = (start.inputs.subspace.as_ref()).ok_or(PromptError::NoSubspace)?;
        let device = backbone.device();
        let middle = Tensor::zeros([1, subspace.dimension()], &device);
        let prompt = SoftPrompt::of(middle).within(Plane::new(subspace, &device));
        Ok(Tuned {
            prompt: Some(prompt),
            ..Tuned::untuned(backbone)
        })
    }

    fn is_trainable(&self, path: &str, _: &Config) -> bool {
        path == "prompt.vectors"
    }

    fn trainable(&self, _: &Recipe, _: &Config) -> usize {
        self.dimension
    }

    /// The directions and the mean, which are frozen, count as well.
    fn added_parameters(&self, _: &Recipe, config: &Config) -> usize {
        self.dimension + (self.dimension + 1) * self.length * config.width()
    }

    fn stored(&self, _: &Recipe, config: &Config) -> usize {
        self.length * config.width()
    }

    fn leaves_adapter(&self) -> bool {
        false
    }
}
