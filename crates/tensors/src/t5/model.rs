//! The whole network: embedding, encoder, decoder, head.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::decoder::{Cache, Decoder};
use super::encoder::{Embedded, Encoded, Encoder};
use super::ladder::{Ladder, States};
use crate::layers::{Decoding, Generated, Injected, LabelHead, Linear, Pass, Tokens, greedy, pick};
use promptshift_kernels as kernels;

/// The backbone.
#[derive(Module, Debug)]
pub struct T5 {
    pub(super) embedding: Param<Tensor<2>>,
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    /// The output head; `None` if it is tied to the embedding, as in v1.0.
    pub(super) head: Option<Linear>,
    /// The side network of ladder side tuning.
    pub(super) ladder: Option<Ladder>,
    /// The factor that states are scaled by before the head: `1/√D` in v1.0, 1 in v1.1.
    #[module(skip)]
    pub(super) output_scale: f64,
    pub(super) start_id: usize,
}

impl T5 {
    /// The input embedding `[V, D]`, shared by encoder and decoder.
    pub fn embedding(&self) -> Tensor<2> {
        self.embedding.val()
    }

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// `T` ids per row → `[B, T, D]`; T5 does not scale its embeddings.
    pub fn embed(&self, tokens: &Tokens) -> Embedded {
        let rows = self.lookup(&tokens.ids);
        let [_, width] = rows.dims();
        Embedded {
            rows: rows.reshape([tokens.batch(), tokens.width, width]),
            lengths: tokens.lengths.clone(),
            injected: Injected::default(),
        }
    }

    /// Runs the encoder.
    pub fn encode(&self, input: Embedded, pass: &mut Pass) -> Encoded {
        let Some(ladder) = &self.ladder else {
            return self.encoder.forward(input, pass);
        };
        let [batch, length, _] = input.rows.dims();
        let mut states = States::default();
        let encoded = self
            .encoder
            .forward_through(input, pass, &mut |_, x| states.keep(x));
        let nothing = ladder.nothing(batch * length);
        let [_, width] = nothing.dims();
        let own = Embedded {
            rows: nothing.reshape([batch, length, width]),
            lengths: encoded.lengths.clone(),
            injected: Injected::default(),
        };
        let rungs = &ladder.encoder_rungs;
        let side = ladder
            .encoder
            .forward_through(own, pass, &mut |at, x| states.mix(rungs, at, x));
        Encoded {
            side: Some(side.hidden),
            ..encoded
        }
    }

    /// The encoder and the decoder.
    pub fn into_stacks(self) -> (Encoder, Decoder) {
        (self.encoder, self.decoder)
    }

    /// Adds a side network.
    pub fn with_ladder(self, ladder: Ladder) -> Self {
        T5 {
            ladder: Some(ladder),
            ..self
        }
    }

    /// The encoder output that a ladder's decoder attends to.
    fn side_of(encoded: &Encoded) -> Encoded {
        let side = encoded.side.clone();
        Encoded {
            hidden: side.expect("it was encoded by a model with a ladder"),
            side: None,
            lengths: encoded.lengths.clone(),
            injected: Injected::default(),
        }
    }

    /// Teacher-forced hidden states `[B·U, D]`, with the ladder's contribution.
    fn decode(
        &self,
        embedded: Tensor<2>,
        batch: usize,
        encoded: &Encoded,
        pass: &mut Pass,
    ) -> Tensor<2> {
        let Some(ladder) = &self.ladder else {
            return self.decoder.forward(embedded, batch, encoded, pass);
        };
        let nothing = ladder.nothing(embedded.dims()[0]);
        let mut states = States::default();
        let hidden = self
            .decoder
            .forward_through(embedded, batch, encoded, pass, &mut |_, x| states.keep(x));
        let (rungs, encoded) = (&ladder.decoder_rungs, T5::side_of(encoded));
        let mut mix = |at, x| states.mix(rungs, at, x);
        let side = ladder
            .decoder
            .forward_through(nothing, batch, &encoded, pass, &mut mix);
        hidden + ladder.upwards(side)
    }

    /// Teacher-forced hidden states of the real target positions, `[N, D]`, in row order.
    fn target_states(&self, encoded: &Encoded, targets: &Tokens, pass: &mut Pass) -> Tensor<2> {
        let embedded = self.lookup(&targets.shifted_right(self.start_id as u32));
        let hidden = self.decode(embedded, targets.batch(), encoded, pass);
        let real: Vec<usize> = targets.real_positions().collect();
        pick(hidden, &real)
    }

    /// Teacher-forced logits of the real target positions, `[N, V]`, in row order.
    pub fn logits(&self, encoded: &Encoded, targets: &Tokens) -> Tensor<2> {
        let states = self.target_states(encoded, targets, &mut Pass::evaluation());
        self.vocabulary_logits(states, encoded.injected.output.as_ref())
    }

    /// The loss of each real target token, `[N]`: cross-entropy plus `z_loss · (log Z)²`.
    pub fn token_losses(
        &self,
        encoded: &Encoded,
        targets: &Tokens,
        z_loss: f64,
        pass: &mut Pass,
    ) -> Tensor<1> {
        let states = self.target_states(encoded, targets, pass);
        let logits = self.vocabulary_logits(states, encoded.injected.output.as_ref());
        let real: Vec<u32> = targets.real_positions().map(|i| targets.ids[i]).collect();
        kernels::cross_entropy(logits, &real, z_loss)
    }

    /// An initial cache for decoding from `encoded`.
    pub fn start(&self, encoded: &Encoded) -> Cache {
        let mut cache = self.decoder.start(encoded);
        cache.side = (self.ladder.as_ref())
            .map(|ladder| Box::new(ladder.decoder.start(&T5::side_of(encoded))));
        cache
    }

    /// The start token of every output, for `batch` rows.
    pub fn start_tokens(&self, batch: usize) -> Vec<u32> {
        vec![self.start_id as u32; batch]
    }

    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        let embedded = self.lookup(last);
        let (Some(ladder), Some(mut side)) = (&self.ladder, cache.side.take()) else {
            let states = self.decoder.step(embedded, cache);
            return self.vocabulary_logits(states, cache.output.as_ref());
        };
        let mut states = States::default();
        let hidden = self
            .decoder
            .step_through(embedded, cache, &mut |_, x| states.keep(x));
        let (rungs, nothing) = (&ladder.decoder_rungs, ladder.nothing(last.len()));
        let mut mix = |at, x| states.mix(rungs, at, x);
        let own = ladder.decoder.step_through(nothing, &mut side, &mut mix);
        cache.side = Some(side);
        self.vocabulary_logits(hidden + ladder.upwards(own), cache.output.as_ref())
    }

    /// The most probable output of each example, decoded by [`greedy`].
    pub fn generate(&self, encoded: &Encoded, ends: &[u32], limit: usize) -> Vec<Generated> {
        let mut cache = self.start(encoded);
        let first = self.next_logits(&self.start_tokens(encoded.lengths.len()), &mut cache);
        greedy(first, &mut UnderWay { model: self, cache }, ends, limit)
    }

    /// Final decoder states `[N, D]` → logits `[N, V]`, using `output` instead of the head if given.
    fn vocabulary_logits(&self, states: Tensor<2>, output: Option<&LabelHead>) -> Tensor<2> {
        let states = match self.output_scale {
            1.0 => states,
            scale => states * scale,
        };
        match (output, &self.head) {
            (Some(words), _) => words.logits(states, self.embedding.val().dims()[0]),
            (None, Some(head)) => head.forward(states),
            (None, None) => kernels::linear(states, self.embedding.val().transpose()),
        }
    }

    /// The head's vectors `[C, D]` for these tokens.
    pub fn output_vectors(&self, ids: &[u32]) -> Tensor<2> {
        let Some(head) = &self.head else {
            return self.lookup(ids);
        };
        let columns = ids.iter().map(|&id| id as i32).collect::<Vec<_>>();
        let weight = head.weight.val();
        let columns = TensorData::new(columns, [ids.len()]);
        let columns = Tensor::<1, Int>::from_data(columns, &weight.device());
        weight.select(1, columns).cast(DType::F32).transpose()
    }

    fn lookup(&self, ids: &[u32]) -> Tensor<2> {
        let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        pick(self.embedding.val(), &rows)
    }
}

/// The decoding state of one batch.
struct UnderWay<'a> {
    model: &'a T5,
    cache: Cache,
}

impl Decoding for UnderWay<'_> {
    fn next_logits(&mut self, last: &[u32]) -> Tensor<2> {
        self.model.next_logits(last, &mut self.cache)
    }

    fn keep(&mut self, rows: &[usize]) {
        self.cache.keep(rows);
    }
}
