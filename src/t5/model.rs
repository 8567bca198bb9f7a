//! The whole backbone: embedding, encoder, decoder, head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::decoder::{Cache, Decoder};
use super::dropout::Dropout;
use super::encoder::{Embedded, Encoded, Encoder};
use super::entries::Entries;
use super::layers::Linear;
use crate::kernels;

/// Token ids of a batch, padded on the right to one width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `[B·T]`, row by row.
    pub ids: Vec<u32>,
    /// The real tokens of each row.
    pub lengths: Vec<usize>,
    /// `T`.
    pub width: usize,
}

impl Tokens {
    /// Pads `rows` with `pad` to the longest of them.
    pub fn padded<R: AsRef<[u32]>>(rows: &[R], pad: u32) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|row| row.as_ref().len()).collect();
        let width = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * width);
        for row in rows {
            ids.extend_from_slice(row.as_ref());
            ids.resize(ids.len() + width - row.as_ref().len(), pad);
        }
        Tokens {
            ids,
            lengths,
            width,
        }
    }

    /// `B`.
    pub fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Real tokens in all rows.
    pub fn count(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// The decoder's input that predicts these tokens: shifted right behind `start`.
    fn shifted_right(&self, start: u32) -> Vec<u32> {
        self.ids
            .chunks(self.width)
            .flat_map(|row| std::iter::once(start).chain(row[..self.width - 1].iter().copied()))
            .collect()
    }
}

/// The backbone.
#[derive(Module, Debug)]
pub struct T5 {
    pub(super) embedding: Param<Tensor<2>>,
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    /// The output head; v1.0 has none of its own.
    pub(super) head: Option<Linear>,
    pub(super) start_id: usize,
}

impl T5 {
    /// The input embedding `[V, D]`, shared by encoder and decoder.
    pub fn embedding(&self) -> Tensor<2> {
        self.embedding.val()
    }

    /// Where the parameters are.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// `T` ids a row → `[B, T, D]`; T5 does not scale its embeddings.
    pub fn embed(&self, tokens: &Tokens) -> Embedded {
        let rows = self.lookup(&tokens.ids);
        let [_, width] = rows.dims();
        Embedded {
            rows: rows.reshape([tokens.batch(), tokens.width, width]),
            lengths: tokens.lengths.clone(),
            entries: Entries::default(),
        }
    }

    /// Runs the encoder.
    pub fn encode(&self, input: Embedded, dropout: &mut Dropout) -> Encoded {
        self.encoder.forward(input, dropout)
    }

    /// Teacher-forced hidden states of the real target positions, `[N, D]`, in row order.
    fn target_states(
        &self,
        encoded: &Encoded,
        targets: &Tokens,
        dropout: &mut Dropout,
    ) -> Tensor<2> {
        let embedded = self.lookup(&targets.shifted_right(self.start_id as u32));
        let hidden = self
            .decoder
            .forward(embedded, targets.batch(), encoded, dropout);
        let real: Vec<i32> = real_positions(targets).map(|i| i as i32).collect();
        let count = real.len();
        let device = hidden.device();
        hidden.select(
            0,
            Tensor::<1, Int>::from_data(TensorData::new(real, [count]), &device),
        )
    }

    /// Teacher-forced logits of the real target positions, `[N, V]`, in row order.
    pub fn logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        self.vocabulary_logits(self.target_states(encoded, targets, &mut Dropout::off()))
    }

    /// The loss of each real target token, `[N]`: cross-entropy plus `z_loss · (log Z)²`.
    pub fn token_losses(
        &self,
        encoded: &Encoded,
        targets: &Tokens,
        z_loss: f64,
        dropout: &mut Dropout,
    ) -> Tensor<1> {
        let logits = self.vocabulary_logits(self.target_states(encoded, targets, dropout));
        let real: Vec<u32> = real_positions(targets).map(|i| targets.ids[i]).collect();
        kernels::cross_entropy(logits, &real, z_loss)
    }

    /// An empty cache for decoding from `encoded`.
    pub fn start(&self, encoded: &Encoded) -> Cache {
        self.decoder.start(encoded)
    }

    /// The token every output starts with, for `batch` rows.
    pub fn start_tokens(&self, batch: usize) -> Vec<u32> {
        vec![self.start_id as u32; batch]
    }

    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        self.vocabulary_logits(self.decoder.step(self.lookup(last), cache))
    }

    /// Final decoder states `[N, D]` → logits `[N, V]`.
    fn vocabulary_logits(&self, states: Tensor<2>) -> Tensor<2> {
        match &self.head {
            Some(head) => head.forward(states),
            None => {
                let [_, width] = states.dims();
                let scaled = states * (width as f64).powf(-0.5);
                scaled.matmul(self.embedding.val().transpose())
            }
        }
    }

    fn lookup(&self, ids: &[u32]) -> Tensor<2> {
        let ids_i32: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let table = self.embedding.val();
        let device = table.device();
        table.select(
            0,
            Tensor::<1, Int>::from_data(TensorData::new(ids_i32, [ids.len()]), &device),
        )
    }
}

/// Flat positions of the tokens that are not padding.
fn real_positions(tokens: &Tokens) -> impl Iterator<Item = usize> + '_ {
    tokens
        .lengths
        .iter()
        .enumerate()
        .flat_map(move |(row, &length)| row * tokens.width..row * tokens.width + length)
}
