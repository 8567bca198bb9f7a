//! Several soft prompts over one frozen backbone (Lester et al. 2021, §6): each example's input passes through the
//! encoder once for every prompt, in one batch. The paper's repository has no code for it.

use burn::tensor::{Tensor, TensorData};

use super::saved::vectors::Vectors;
use crate::layers::{Pass, Tokens};
use crate::network::Network;
use crate::t5::{Encoded, T5};

/// `N` prompts of one shape on one backbone; nothing requires gradients.
#[derive(Debug, Clone)]
pub struct PromptBank {
    /// The shared T5.
    pub backbone: T5,
    /// `[N, P, D]`.
    prompts: Tensor<3>,
}

/// Why prompts can't share a batch.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    /// The backbone is not an encoder-decoder.
    #[error("an ensemble of prompts needs a T5; this is another kind of network")]
    Kind,
    /// There are no prompts.
    #[error("an ensemble of no prompts: wanted at least one")]
    Empty,
    /// They differ in length or width.
    #[error("the prompts of an ensemble must have one shape: wanted {wanted:?}, found {found:?}")]
    Shape {
        /// `[P, D]` from the backbone and the first prompt.
        wanted: [usize; 2],
        /// `[P, D]` of another prompt.
        found: [usize; 2],
    },
}

impl PromptBank {
    /// Stacks prompts over a backbone.
    ///
    /// # Errors
    /// The backbone is not a T5, there is no prompt, or the prompts differ in shape or from the embeddings' width.
    pub fn new(backbone: Network, prompts: &[&Vectors]) -> Result<Self, BankError> {
        let backbone = backbone.into_t5().ok_or(BankError::Kind)?;
        let first = prompts.first().ok_or(BankError::Empty)?;
        let [_, width] = backbone.embedding().dims();
        let wanted = [first.length(), width];
        let mut values = Vec::with_capacity(prompts.len() * first.values().len());
        for prompt in prompts {
            let found = [prompt.length(), prompt.width()];
            if found != wanted {
                return Err(BankError::Shape { wanted, found });
            }
            values.extend_from_slice(prompt.values());
        }
        let data = TensorData::new(values, [prompts.len(), first.length(), width]);
        Ok(PromptBank {
            prompts: Tensor::from_data(data, &backbone.device()),
            backbone,
        })
    }

    /// `N`.
    pub fn size(&self) -> usize {
        self.prompts.dims()[0]
    }

    /// `B` rows of tokens → encoder states of `N·B` rows: row `n·B + b` is example `b` after prompt `n`.
    pub fn encode(&self, tokens: &Tokens) -> Encoded {
        let input = self.backbone.embed(tokens);
        let input = input.after_prompts(self.prompts.clone());
        self.backbone.encode(input, &mut Pass::evaluation())
    }
}
