//! The whole backbone: embeddings, blocks, pooler, and a head where one is put on.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::embeddings::Embeddings;
use super::head::Head;
use super::layers::Block;
use crate::parts::{Dropout, Entries, Generated, Linear, Tokens, lengthened, reach};

/// The backbone.
#[derive(Module, Debug)]
pub struct Bert {
    pub(super) embeddings: Embeddings,
    pub(super) blocks: Vec<Block>,
    /// The map of the first token's state, with tanh behind it, where the checkpoint has one.
    pub(super) pooler: Option<Linear>,
    /// What answers.
    pub(super) head: Option<Head>,
    /// The id of `[SEP]`, which ends each of two texts.
    pub(super) separator: usize,
}

/// What the blocks have made of a batch, and what a head needs to know of it.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// `[B·(T+P), D]`, behind the last block; a prompt's `P` stand behind the first token. What is at
    /// padding says nothing.
    pub hidden: Tensor<2>,
    /// `P`.
    pub prompt: usize,
    /// `[B, D]`, what stands for each example: the first token's state, through the pooler where there
    /// is one.
    pub(super) pooled: Tensor<2>,
    /// What was read.
    pub(super) tokens: Tokens,
    /// The id that ends each of two texts.
    pub(super) separator: u32,
}

impl Bert {
    /// The input embedding of words `[V, D]`.
    pub fn embedding(&self) -> Tensor<2> {
        self.embeddings.words.val()
    }

    /// Where the parameters are.
    pub fn device(&self) -> Device {
        self.embedding().device()
    }

    /// The same network with this head on it.
    pub fn with_head(self, head: Head) -> Self {
        Bert {
            head: Some(head),
            ..self
        }
    }

    /// The same network for a tokenizer whose `[SEP]` has this id.
    pub fn separated_by(self, separator: u32) -> Self {
        Bert {
            separator: separator as usize,
            ..self
        }
    }

    /// The head on it, if there is one.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Runs the blocks.
    ///
    /// # Panics
    /// There are more tokens than positions: inputs are cut before.
    pub fn encode(&self, tokens: &Tokens, entries: &Entries, dropout: &mut Dropout) -> Encoded {
        let vectors = entries.prompt.clone();
        let prompt = vectors.as_ref().map_or(0, |vectors| vectors.dims()[0]);
        let separator = self.separator as u32;
        let embedded = self.embeddings.forward(tokens, separator, vectors);
        let visible = lengthened(prompt + reach(&entries.encoder), &tokens.lengths);
        let mut x = dropout.each(embedded);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, entries.encoder.get(index), &visible, dropout);
        }
        Encoded {
            pooled: dropout.each(self.pooled(&x, tokens.batch())),
            hidden: x,
            prompt,
            tokens: tokens.clone(),
            separator,
        }
    }

    fn pooled(&self, hidden: &Tensor<2>, batch: usize) -> Tensor<2> {
        let [rows, _] = hidden.dims();
        let firsts: Vec<i32> = (0..batch).map(|row| (row * rows / batch) as i32).collect();
        let firsts = Tensor::from_data(TensorData::new(firsts, [batch]), &hidden.device());
        let first = hidden.clone().select(0, firsts);
        match &self.pooler {
            Some(pooler) => pooler.forward(first).tanh(),
            None => first,
        }
    }

    /// # Panics
    /// There is no head: a plan puts one on before anything is asked.
    fn asked(&self) -> &Head {
        self.head
            .as_ref()
            .expect("a plan puts a head on every BERT")
    }

    /// The head's logits: `[B, classes]`, or those of the first places and, below them, of the last,
    /// `[2·B, T]`.
    pub fn logits(&self, encoded: &Encoded) -> Tensor<2> {
        self.asked().logits(encoded)
    }

    /// The head's logits of every real target, `[N, classes]` or `[N, T]`, in row order.
    pub fn target_logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        self.asked().target_logits(encoded, targets).0
    }

    /// The loss of each real target, `[N]`: cross-entropy of its class or its places, plus
    /// `z_loss · (log Z)²`.
    pub fn token_losses(&self, encoded: &Encoded, targets: &Tokens, z_loss: f64) -> Tensor<1> {
        self.asked().losses(encoded, targets, z_loss)
    }

    /// The most probable answer to each example.
    pub fn answers(&self, encoded: &Encoded) -> Vec<Generated> {
        self.asked().answers(encoded)
    }
}
