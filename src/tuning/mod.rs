//! Tuning methods: what is trainable and where it enters the backbone.

mod model;
mod prompt;
pub mod prompt_file;
mod save;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::t5::{Dropout, Encoded, T5, Tokens};

pub use model::model_tuning;
pub use prompt::{Labels, PromptError, SoftPrompt, check, prompt_tuning};
use prompt_file::Vectors;

/// A backbone with what a method adds to it. What is trainable is on the autodiff device, what is
/// frozen is on the plain one: nothing is recorded, saved or updated for it.
#[derive(Module, Debug)]
pub struct Tuned {
    /// The T5 underneath.
    pub backbone: T5,
    /// The soft prompt, for prompt tuning.
    pub prompt: Option<SoftPrompt>,
}

impl Tuned {
    /// The backbone as it was pre-trained.
    pub fn untuned(backbone: T5) -> Self {
        Tuned {
            backbone,
            prompt: None,
        }
    }

    /// The backbone behind a prompt that was tuned before; nothing is on the tape.
    ///
    /// # Panics
    /// The prompt is not as wide as the embeddings:
    /// [`PromptFile::onto`](prompt_file::PromptFile::onto) refuses such a one.
    pub fn prompted(backbone: T5, vectors: &Vectors) -> Self {
        let [_, width] = backbone.embedding().dims();
        assert_eq!(
            vectors.width(),
            width,
            "the prompt's width and the backbone's"
        );
        let shape = [vectors.length(), width];
        let data = TensorData::new(vectors.values().to_vec(), shape);
        let prompt = SoftPrompt::of(Tensor::from_data(data, &backbone.device()));
        Tuned {
            backbone,
            prompt: Some(prompt),
        }
    }

    /// Tokens → encoder states, through every place where a method enters.
    pub fn encode(&self, tokens: &Tokens, dropout: &mut Dropout) -> Encoded {
        let mut input = self.backbone.embed(tokens);
        if let Some(prompt) = &self.prompt {
            input = input.after_prompt(prompt.vectors());
        }
        self.backbone.encode(input, dropout)
    }

    /// The numbers that training may move.
    pub fn trainable_parameters(&self) -> usize {
        let mut count = Trainable(0);
        self.visit(&mut count);
        count.0
    }
}

/// Counts what is on the tape.
struct Trainable(usize);

impl ModuleVisitor for Trainable {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.0 += value.shape().num_elements();
        }
    }
}
