//! The whole network: embeddings, blocks, pooler, an optional head, and the hooks for tuning methods.

use std::rc::Rc;

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{Pooling, Shape};
use super::embeddings::Embeddings;
use super::head::{Encoded, Head, Marks, MaskedWords};
use super::layers::{Block, Rows, Turning};
use crate::layers::{
    Adapter, BlockInputs, Dropout, Generated, HeadForm, Injected, Linear, Map, Norm, Packing, Pass,
    SubLayer, Tokens, pick, with_prefix,
};
use promptshift_kernels as kernels;

/// The backbone.
#[derive(Module, Debug)]
pub struct Bert {
    pub(super) embeddings: Embeddings,
    pub(super) blocks: Vec<Block>,
    /// The norm after the blocks; only in a ModernBERT.
    pub(super) norm: Option<Norm>,
    /// The linear layer between the first token's state and a classifier, if the checkpoint has it. In a
    /// ModernBERT a norm follows it, and the masked-word head and span heads use it as well.
    pub(super) pooler: Option<Linear>,
    pub(super) pooler_norm: Option<Norm>,
    /// The output head.
    pub(super) head: Option<Head>,
    /// The masked-word head, if the checkpoint has it. No method trains it, and no count includes it.
    #[module(skip)]
    pub(super) masked: Option<MaskedWords>,
    #[module(skip)]
    pub(super) shape: Shape,
    #[module(skip)]
    pub(super) pooling: Pooling,
    #[module(skip)]
    pub(super) turns: Option<Turning>,
    #[module(skip)]
    pub(super) marks: Marks,
}

/// The mean of each example's packed rows, `[B, D]`.
fn mean(rows: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
    let all: usize = lengths.iter().sum();
    let mut shares = vec![0.0f32; lengths.len() * all];
    let mut first = 0;
    for (example, &length) in lengths.iter().enumerate() {
        shares[example * all + first..][..length].fill(1.0 / length as f32);
        first += length;
    }
    let shares = TensorData::new(shares, [lengths.len(), all]);
    Tensor::<2>::from_data(shares, &rows.device()).matmul(rows)
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

    /// Moves the masked-word head, which is no parameter of the module, to a device.
    pub(crate) fn with_masked_words_on(self, device: &Device) -> Self {
        Bert {
            masked: self.masked.map(|masked| masked.on(device)),
            ..self
        }
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

    /// Whether the checkpoint has a pooler.
    pub fn has_pooler(&self) -> bool {
        self.pooler.is_some()
    }

    /// The head on it, if there is one.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Runs the embeddings and blocks.
    ///
    /// # Panics
    /// There are more tokens than positions; callers truncate inputs.
    pub fn encode(&self, tokens: &Tokens, injected: Injected, pass: &mut Pass) -> Encoded {
        let vectors = injected.prompt;
        let prompt = vectors.as_ref().map_or(0, |vectors| vectors.dims()[0]);
        let embedded = (self.embeddings).forward(tokens, self.marks.separator, vectors);
        let lengths = with_prefix(prompt, &tokens.lengths);
        let packing = Packing::of_width(lengths, prompt + tokens.width);
        let mut x = pass.dropout.each(packing.pack(embedded));
        let rows = Rc::new(Rows {
            turns: (self.turns.as_ref()).map(|turns| turns.turns(&packing.places())),
            packing,
        });
        for (index, block) in self.blocks.iter().enumerate() {
            let inputs = BlockInputs {
                prefix: injected.encoder.get(index).cloned(),
                ..BlockInputs::new(x)
            };
            let rows = Rc::clone(&rows);
            (x, ()) = pass.block(block, inputs, move |block, inputs, dropout| {
                let BlockInputs { x, prefix, .. } = inputs;
                (block.forward(x, prefix.as_ref(), &rows, dropout), ())
            });
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(x);
        }
        let hidden = rows.packing.fill(x.clone());
        let form = self.head.as_ref().map(Head::form);
        let pooled = match (form, &self.masked) {
            (Some(HeadForm::Words(_)), Some(masked)) => {
                let places = self.masked_places(tokens, prompt);
                self.transformed(masked, pick(hidden.clone(), &places))
            }
            _ => {
                let pooled = self.pooled(x, &rows.packing, &mut pass.dropout);
                pass.dropout.each(pooled)
            }
        };
        let spans = match (form, self.shape) {
            (Some(HeadForm::Span), Shape::ModernBert) => {
                pass.dropout.each(self.through_pooler(hidden.clone()))
            }
            _ => hidden.clone(),
        };
        Encoded {
            pooled,
            hidden,
            spans,
            prompt,
            tokens: tokens.clone(),
            marks: self.marks,
        }
    }

    /// The states that a classifier reads, `[B, D]`: passed through the pooler or the head's first layer, if
    /// there is one.
    fn pooled(&self, states: Tensor<2>, packing: &Packing, dropout: &mut Dropout) -> Tensor<2> {
        let read = match self.pooling {
            Pooling::First => pick(states, &packing.rows_at(&vec![vec![0]; packing.batch()])),
            Pooling::Mean => mean(states, packing.lengths()),
        };
        match self.head.as_ref().and_then(|head| head.dense.as_ref()) {
            None => self.through_pooler(read),
            Some(dense) if self.shape == Shape::Roberta => dense.forward(dropout.each(read)).tanh(),
            Some(dense) => relu(dense.forward(read)),
        }
    }

    /// States `[N, D]` after the pooler, if there is one.
    fn through_pooler(&self, states: Tensor<2>) -> Tensor<2> {
        match (&self.pooler, &self.pooler_norm) {
            (None, _) => states,
            (Some(map), None) => map.forward(states).tanh(),
            (Some(map), Some(norm)) => norm.forward(kernels::gelu(map.forward(states))),
        }
    }

    /// States `[N, D]` at masks → the vectors `[N, D]` to multiply by the word embeddings.
    fn transformed(&self, masked: &MaskedWords, states: Tensor<2>) -> Tensor<2> {
        match &masked.transform {
            Some((map, norm)) => norm.forward(kernels::gelu(map.forward(states))),
            None => self.through_pooler(states),
        }
    }

    /// The row index of each example's first mask, or of its first token if it has no mask.
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
    /// There is no head; a plan sets one before using the network.
    fn required_head(&self) -> &Head {
        self.head
            .as_ref()
            .expect("a plan puts a head on every BERT")
    }

    /// The head's logits: `[B, classes]`, or `[2·B, T]` with the rows for first positions before those for
    /// last positions.
    pub fn logits(&self, encoded: &Encoded) -> Tensor<2> {
        self.required_head().logits(encoded)
    }

    /// The head's logits of every real target, `[N, classes]` or `[N, T]`, in row order.
    pub fn target_logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        self.required_head().target_logits(encoded, targets).0
    }

    /// The loss of each real target, `[N]`: cross-entropy of its class or positions, plus
    /// `z_loss · (log Z)²`.
    pub fn token_losses(&self, encoded: &Encoded, targets: &Tokens, z_loss: f64) -> Tensor<1> {
        self.required_head().losses(encoded, targets, z_loss)
    }

    /// The most probable answer to each example.
    pub fn answers(&self, encoded: &Encoded) -> Vec<Generated> {
        self.required_head().answers(encoded)
    }

    /// Every linear layer of the blocks.
    pub fn maps_mut(&mut self) -> Vec<(Map, &mut Linear)> {
        let mut maps = Vec::new();
        for block in &mut self.blocks {
            maps.extend([
                (Map::Q, &mut block.attention.query),
                (Map::K, &mut block.attention.key),
                (Map::V, &mut block.attention.value),
                (Map::O, &mut block.attention.output),
            ]);
            let feed_forward = &mut block.feed_forward;
            maps.extend(feed_forward.gate.as_mut().map(|gate| (Map::Wi0, gate)));
            maps.extend([
                (Map::Wi1, &mut feed_forward.up),
                (Map::Wo, &mut feed_forward.down),
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
