//! The whole network: embeddings, blocks, pooler, and an optional head.

use std::rc::Rc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::embeddings::Embeddings;
use super::head::{Encoded, Head};
use super::layers::Block;
use super::masked::MaskedWords;
use crate::layers::{
    BlockInputs, Generated, HeadForm, Injected, Linear, Packing, Pass, Tokens, pick, with_prefix,
};

/// The backbone.
#[derive(Module, Debug)]
pub struct Bert {
    pub(super) embeddings: Embeddings,
    pub(super) blocks: Vec<Block>,
    /// The linear map and tanh on the first token's state, if the checkpoint has it.
    pub(super) pooler: Option<Linear>,
    /// The output head.
    pub(super) head: Option<Head>,
    /// The masked-word head, if the checkpoint has it. No method trains it, and no count includes it.
    #[module(skip)]
    pub(super) masked: Option<MaskedWords>,
    /// The id of `[SEP]`, which ends each of the two texts.
    pub(super) separator: usize,
    /// The id of `[MASK]`.
    pub(super) mask: usize,
}

impl Bert {
    /// The input embedding of words `[V, D]`.
    pub fn embedding(&self) -> Tensor<2> {
        self.embeddings.words.val()
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.embedding().device()
    }

    /// Sets the head.
    pub fn with_head(self, head: Head) -> Self {
        Bert {
            head: Some(head),
            ..self
        }
    }

    /// Sets the ids of the tokenizer's `[SEP]` and, if it has one, `[MASK]`.
    pub fn with_tokens(self, separator: u32, mask: Option<u32>) -> Self {
        Bert {
            separator: separator as usize,
            mask: mask.map_or(self.mask, |mask| mask as usize),
            ..self
        }
    }

    /// Sets the classes' words; `None` without a masked-word head.
    pub fn with_words(self, classes: Vec<u32>) -> Option<Self> {
        let masked = self.masked?;
        Some(Bert {
            masked: Some(MaskedWords { classes, ..masked }),
            ..self
        })
    }

    /// Whether the checkpoint has the masked-word head.
    pub fn has_masked_words(&self) -> bool {
        self.masked.is_some()
    }

    /// Whether classes have words.
    pub fn says_words(&self) -> bool {
        (self.masked.as_ref()).is_some_and(|masked| !masked.classes.is_empty())
    }

    /// A head made of the classes' words, from the checkpoint; `None` if classes have no words.
    pub fn head_of_words(&self) -> Option<Head> {
        let masked = self.masked.as_ref()?;
        let (vectors, bias) = masked.of_classes(self.embedding());
        let form = HeadForm::Words(masked.classes.len());
        let (vectors, bias) = (Param::from_tensor(vectors), Param::from_tensor(bias));
        Some(Head::new(form, vectors, bias))
    }

    /// Whether the checkpoint has the pooler that a classifier reads the first token's state through.
    pub fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// The head on it, if there is one.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Runs the blocks.
    ///
    /// # Panics
    /// There are more tokens than positions; inputs are truncated beforehand.
    pub fn encode(&self, tokens: &Tokens, injected: Injected, pass: &mut Pass) -> Encoded {
        let vectors = injected.prompt;
        let prompt = vectors.as_ref().map_or(0, |vectors| vectors.dims()[0]);
        let separator = self.separator as u32;
        let embedded = self.embeddings.forward(tokens, separator, vectors);
        let lengths = with_prefix(prompt, &tokens.lengths);
        let packing = Rc::new(Packing::of_width(lengths, prompt + tokens.width));
        let mut x = pass.dropout.each(packing.pack(embedded));
        for (index, block) in self.blocks.iter().enumerate() {
            let inputs = BlockInputs {
                prefix: injected.encoder.get(index).cloned(),
                ..BlockInputs::new(x)
            };
            let packing = Rc::clone(&packing);
            (x, ()) = pass.block(block, inputs, move |block, inputs, dropout| {
                let BlockInputs { x, prefix, .. } = inputs;
                (block.forward(x, prefix.as_ref(), &packing, dropout), ())
            });
        }
        let x = packing.fill(x);
        let pooled = match (self.head.as_ref().map(Head::form), &self.masked) {
            (Some(HeadForm::Words(_)), Some(masked)) => {
                let places = self.masked_places(tokens, prompt);
                masked.transformed(pick(x.clone(), &places))
            }
            _ => pass.dropout.each(self.pooled(&x, tokens.batch())),
        };
        Encoded {
            pooled,
            hidden: x,
            prompt,
            tokens: tokens.clone(),
            separator,
        }
    }

    fn pooled(&self, hidden: &Tensor<2>, batch: usize) -> Tensor<2> {
        let [all, _] = hidden.dims();
        let first: Vec<usize> = (0..batch).map(|row| row * all / batch).collect();
        let first = pick(hidden.clone(), &first);
        match &self.pooler {
            Some(pooler) => pooler.forward(first).tanh(),
            None => first,
        }
    }

    /// The index among the states of each example's first mask, or of its first token if it has no mask.
    fn masked_places(&self, tokens: &Tokens, prompt: usize) -> Vec<usize> {
        let places = tokens.ids.chunks(tokens.width).enumerate();
        places
            .map(|(row, ids)| {
                let masked = ids.iter().position(|&id| id as usize == self.mask);
                // A prompt follows the first token.
                let place = masked.map_or(0, |at| at + prompt);
                row * (tokens.width + prompt) + place
            })
            .collect()
    }

    /// # Panics
    /// There is no head; a plan sets one before the network is used.
    fn required_head(&self) -> &Head {
        self.head
            .as_ref()
            .expect("a plan puts a head on every BERT")
    }

    /// The head's logits: `[B, classes]`, or `[2·B, T]`, the rows of first positions before those of last positions.
    pub fn logits(&self, encoded: &Encoded) -> Tensor<2> {
        self.required_head().logits(encoded)
    }

    /// The head's logits of every real target, `[N, classes]` or `[N, T]`, in row order.
    pub fn target_logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        self.required_head().target_logits(encoded, targets).0
    }

    /// The loss of each real target, `[N]`: cross-entropy of its class or positions, plus `z_loss · (log Z)²`.
    pub fn token_losses(&self, encoded: &Encoded, targets: &Tokens, z_loss: f64) -> Tensor<1> {
        self.required_head().losses(encoded, targets, z_loss)
    }

    /// The most probable answer to each example.
    pub fn answers(&self, encoded: &Encoded) -> Vec<Generated> {
        self.required_head().answers(encoded)
    }
}
