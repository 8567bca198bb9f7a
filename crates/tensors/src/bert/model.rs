//! The whole network: embeddings, blocks, pooler, an optional head, and the hooks for tuning methods.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::config::Shape;
use super::embeddings::Embeddings;
use super::head::{Encoded, Head, MaskedWords};
use super::layers::Block;
use crate::layers::{
    Adapter, Dropout, Generated, HeadForm, Injected, Linear, Map, Packing, SubLayer, Tokens, pick,
    with_prefix,
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
    #[module(skip)]
    pub(super) shape: Shape,
    #[module(skip)]
    pub(super) marks: Marks,
}

/// The special tokens that stand around texts and within them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// The id that ends each of two texts: `[SEP]`, or `</s>`.
    pub separator: u32,
    /// How many of it stand between two texts: one in a BERT, two in a RoBERTa.
    pub between: usize,
    /// The id of a masked word, if there is one.
    pub mask: Option<u32>,
}

impl Marks {
    /// Those of BERT's published vocabularies.
    pub(super) const PUBLISHED: Marks = Marks {
        separator: 102,
        between: 1,
        mask: Some(103),
    };
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

    /// Sets the tokenizer's special tokens.
    pub fn with_marks(self, marks: Marks) -> Self {
        Bert { marks, ..self }
    }

    /// The family.
    pub fn shape(&self) -> Shape {
        self.shape
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
    pub fn encode(&self, tokens: &Tokens, injected: &Injected, dropout: &mut Dropout) -> Encoded {
        let vectors = injected.prompt.clone();
        let prompt = vectors.as_ref().map_or(0, |vectors| vectors.dims()[0]);
        let embedded = (self.embeddings).forward(tokens, self.marks.separator, vectors);
        let lengths = with_prefix(prompt, &tokens.lengths);
        let packing = Packing::of_width(lengths, prompt + tokens.width);
        let mut x = dropout.each(packing.pack(embedded));
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, injected.encoder.get(index), &packing, dropout);
        }
        let x = packing.fill(x);
        let pooled = match (self.head.as_ref().map(Head::form), &self.masked) {
            (Some(HeadForm::Words(_)), Some(masked)) => {
                let places = self.masked_places(tokens, prompt);
                masked.transformed(pick(x.clone(), &places))
            }
            _ => {
                let pooled = self.pooled(&x, tokens.batch(), dropout);
                dropout.each(pooled)
            }
        };
        Encoded {
            pooled,
            hidden: x,
            prompt,
            tokens: tokens.clone(),
            marks: self.marks,
        }
    }

    /// The first tokens' states `[B, D]`, behind the pooler or the head's first map if there is one.
    fn pooled(&self, hidden: &Tensor<2>, batch: usize, dropout: &mut Dropout) -> Tensor<2> {
        let [all, _] = hidden.dims();
        let first: Vec<usize> = (0..batch).map(|row| row * all / batch).collect();
        let first = pick(hidden.clone(), &first);
        let dense = self.head.as_ref().and_then(|head| head.dense.as_ref());
        match (self.shape, dense.or(self.pooler.as_ref())) {
            (_, None) => first,
            (Shape::Bert, Some(map)) => map.forward(first).tanh(),
            (Shape::Roberta, Some(map)) => map.forward(dropout.each(first)).tanh(),
            (Shape::DistilBert, Some(map)) => relu(map.forward(first)),
        }
    }

    /// The index among the states of each example's first mask, or of its first token if it has no mask.
    fn masked_places(&self, tokens: &Tokens, prompt: usize) -> Vec<usize> {
        let places = tokens.ids.chunks(tokens.width).enumerate();
        places
            .map(|(row, ids)| {
                let masked = ids.iter().position(|&id| Some(id) == self.marks.mask);
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

    /// Every linear map of the blocks.
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        let mut maps = Vec::new();
        for block in &mut self.blocks {
            maps.extend([
                (Map::Q, &mut block.attention.query),
                (Map::K, &mut block.attention.key),
                (Map::V, &mut block.attention.value),
                (Map::O, &mut block.attention.output),
                (Map::Wi1, &mut block.feed_forward.up),
                (Map::Wo, &mut block.feed_forward.down),
            ]);
        }
        maps
    }

    /// The adapter slot of every sub-layer.
    pub fn adapters_mut(&mut self) -> Vec<(SubLayer, &mut Option<Adapter>)> {
        let mut places = Vec::new();
        for block in &mut self.blocks {
            places.extend([
                (SubLayer::SelfAttention, &mut block.attention.adapter),
                (SubLayer::FeedForward, &mut block.feed_forward.adapter),
            ]);
        }
        places
    }
}
