//! The whole network: embedding, blocks, head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::blocks::{Block, View};
use super::rotary::frequencies;
use super::{DecoderConfig, Positions};
use crate::kernels::{self, Rotation, Visible};
use crate::parts::{
    Decoding, Dropout, Entries, Generated, Linear, Memory, Norm, Tokens, behind, greedy,
    lengthened, of_each, reach, unbiased,
};

use super::decoding::Cache;

/// A decoder-only network.
#[derive(Module, Debug)]
pub struct DecoderOnly {
    pub(super) embedding: Param<Tensor<2>>,
    /// `[positions, D]`, where they are learned.
    pub(super) positions: Option<Param<Tensor<2>>>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: Norm,
    /// The output head; the embedding where there is none of its own.
    pub(super) head: Option<Linear>,
    /// Radians a position, where they are rotary.
    #[module(skip)]
    pub(super) turns: Vec<f64>,
    pub(super) heads: usize,
}

/// An input, embedded and waiting for its output: the two are read together.
#[derive(Debug, Clone)]
pub struct Read {
    /// `[B, T, D]`, the prompt's vectors among them.
    rows: Tensor<3>,
    /// The real positions of each example, at its start.
    lengths: Vec<usize>,
    /// One a block, or none.
    prefixes: Vec<Memory>,
}

/// What every block of a pass needs.
pub(super) struct Pass<'a> {
    pub(super) bias: Option<Tensor<3>>,
    pub(super) rotation: Option<Rotation>,
    pub(super) batch: usize,
    pub(super) visible: Visible<'a>,
}

impl DecoderOnly {
    pub(super) fn turns_of(config: &DecoderConfig) -> Vec<f64> {
        match config.positions {
            Positions::Rotary { theta, scaling } => frequencies(config.head_width, theta, scaling),
            Positions::Learned(_) => Vec::new(),
        }
    }

    /// The input embedding `[V, D]`.
    pub fn embedding(&self) -> Tensor<2> {
        self.embedding.val()
    }

    /// Where the parameters are.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// Embeds a batch of inputs behind a prompt.
    pub fn read(&self, tokens: &Tokens, entries: Entries) -> Read {
        let rows = self.lookup(&tokens.ids);
        let [_, width] = rows.dims();
        let rows = rows.reshape([tokens.batch(), tokens.width, width]);
        let (rows, lengths) = match entries.prompt {
            Some(prompt) => (
                Tensor::cat(vec![of_each(&prompt, tokens.batch()), rows], 1),
                lengthened(prompt.dims()[0], &tokens.lengths),
            ),
            None => (rows, tokens.lengths.clone()),
        };
        Read {
            rows,
            lengths,
            prefixes: entries.decoder,
        }
    }

    /// Hidden states of the positions that predict the real target tokens, `[N, D]`, in row order.
    fn target_states(&self, read: &Read, targets: &Tokens, dropout: &mut Dropout) -> Tensor<2> {
        let [batch, length, width] = read.rows.dims();
        // Input and output of each example one behind the other, its last token left out.
        let pool = Tensor::cat(
            vec![
                read.rows.clone().reshape([batch * length, width]),
                self.lookup(&targets.ids),
            ],
            0,
        );
        let spans: Vec<(usize, usize)> = (read.lengths.iter().zip(&targets.lengths))
            .map(|(&input, &output)| (input, output.saturating_sub(1)))
            .collect();
        let longest = spans.iter().map(|(i, o)| i + o).max().unwrap_or(0);
        let mut order = Vec::with_capacity(batch * longest);
        let mut predicting = Vec::new();
        for (row, &(input, output)) in spans.iter().enumerate() {
            let start = order.len();
            order.extend((0..input).map(|at| row * length + at));
            order.extend((0..output).map(|at| batch * length + row * targets.width + at));
            // What fills a row up is seen by nothing before it.
            order.resize(start + longest, row * length);
            predicting.extend((0..targets.lengths[row]).map(|at| start + input - 1 + at));
        }
        let joined = pick(pool, &order);
        let states = self.run(joined, batch, &read.prefixes, dropout, |_, memory| memory);
        self.norm.forward(pick(states, &predicting))
    }

    /// Embedded rows `[B·T, D]`, from position 0 on, through the blocks. `keep` sees the keys and
    /// values of each block before they are looked at.
    pub(super) fn run(
        &self,
        rows: Tensor<2>,
        batch: usize,
        prefixes: &[Memory],
        dropout: &mut Dropout,
        mut keep: impl FnMut(usize, Memory) -> Memory,
    ) -> Tensor<2> {
        let length = rows.dims()[0] / batch;
        let places: Vec<usize> = (0..batch).flat_map(|_| 0..length).collect();
        let own = reach(prefixes);
        // Behind a prefix there are more keys than queries: a bias hides what comes later.
        let seen = vec![own + length; batch];
        let (bias, visible) = match own {
            0 => (None, Visible::Causal),
            _ => {
                let later = later_keys(self.heads, length, &rows.device());
                (Some(unbiased(own, later)), Visible::Lengths(&seen))
            }
        };
        let pass = Pass {
            bias,
            rotation: self.rotation(&places),
            batch,
            visible,
        };
        let x = dropout.rows(self.placed(rows, &places), batch);
        self.through(x, &pass, dropout, |index, memory| {
            behind(prefixes.get(index), keep(index, memory), batch)
        })
    }

    /// Embedded rows with their positions' vectors, where these are learned.
    pub(super) fn placed(&self, rows: Tensor<2>, places: &[usize]) -> Tensor<2> {
        match &self.positions {
            Some(table) => rows + pick(table.val(), places),
            None => rows,
        }
    }

    /// The turns of rows at these positions, where positions are rotary.
    pub(super) fn rotation(&self, places: &[usize]) -> Option<Rotation> {
        (!self.turns.is_empty()).then(|| Rotation::new(places, &self.turns))
    }

    /// Rows through the blocks; `memory_of` turns a block's own keys and values into all that are
    /// looked at.
    pub(super) fn through(
        &self,
        mut x: Tensor<2>,
        pass: &Pass,
        dropout: &mut Dropout,
        mut memory_of: impl FnMut(usize, Memory) -> Memory,
    ) -> Tensor<2> {
        let batch = pass.batch;
        for (index, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.forward(x.clone());
            let own = (block.attention).memory(normed.clone(), pass.rotation.as_ref());
            let view = View {
                bias: pass.bias.clone(),
                batch,
                visible: pass.visible,
            };
            let memory = memory_of(index, own);
            let mixed = (block.attention).forward(normed, memory, pass.rotation.as_ref(), view);
            x = x + dropout.rows(mixed, batch);
            let normed = block.feed_forward_norm.forward(x.clone());
            let changed = block.feed_forward.forward(normed, batch, dropout);
            x = x + dropout.rows(changed, batch);
        }
        x
    }

    /// Teacher-forced logits of the real target positions, `[N, V]`, in row order.
    pub fn logits(&self, read: &Read, targets: &Tokens) -> Tensor<2> {
        self.vocabulary_logits(self.target_states(read, targets, &mut Dropout::off()))
    }

    /// The loss of each real target token, `[N]`: cross-entropy plus `z_loss · (log Z)²`.
    pub fn token_losses(
        &self,
        read: &Read,
        targets: &Tokens,
        z_loss: f64,
        dropout: &mut Dropout,
    ) -> Tensor<1> {
        let logits = self.vocabulary_logits(self.target_states(read, targets, dropout));
        let real: Vec<u32> = targets.real_positions().map(|i| targets.ids[i]).collect();
        kernels::cross_entropy(logits, &real, z_loss)
    }

    /// The most probable output of every example, as [`greedy`] decodes.
    pub fn generate(&self, read: &Read, ends: &[u32], limit: usize) -> Vec<Generated> {
        let (first, cache) = self.start(read);
        greedy(first, &mut UnderWay { model: self, cache }, ends, limit)
    }

    /// Reads the inputs: logits `[B, V]` of the first tokens, and what decoding goes on from.
    pub fn start(&self, read: &Read) -> (Tensor<2>, Cache) {
        let [batch, length, width] = read.rows.dims();
        let mut memories = Vec::new();
        let rows = read.rows.clone().reshape([batch * length, width]);
        let off = &mut Dropout::off();
        let states = self.run(rows, batch, &read.prefixes, off, |_, memory| {
            memories.push(memory.clone());
            memory
        });
        let last: Vec<usize> = (read.lengths.iter().enumerate())
            .map(|(row, read)| row * length + read - 1)
            .collect();
        let logits = self.vocabulary_logits(self.norm.forward(pick(states, &last)));
        let memories = (memories.into_iter().enumerate())
            .map(|(index, memory)| behind(read.prefixes.get(index), memory, batch));
        let cache = Cache::new(
            memories.collect(),
            read.lengths.clone(),
            reach(&read.prefixes),
        );
        (logits, cache)
    }

    /// Final states `[N, D]` → logits `[N, V]`.
    pub(super) fn vocabulary_logits(&self, states: Tensor<2>) -> Tensor<2> {
        match &self.head {
            Some(head) => head.forward(states),
            None => states.matmul(self.embedding.val().transpose()),
        }
    }

    pub(super) fn lookup(&self, ids: &[u32]) -> Tensor<2> {
        let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        pick(self.embedding.val(), &rows)
    }
}

/// Decoding of one batch.
struct UnderWay<'a> {
    model: &'a DecoderOnly,
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

/// These rows of a table.
fn pick(table: Tensor<2>, rows: &[usize]) -> Tensor<2> {
    let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let device = table.device();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &device);
    table.select(0, ids)
}

/// A bias `[H, T, T]` that hides keys after their query.
fn later_keys(heads: usize, length: usize, device: &Device) -> Tensor<3> {
    let hidden: Vec<f32> = (0..length)
        .flat_map(|query| (0..length).map(move |key| if key > query { -1e9 } else { 0.0 }))
        .collect();
    let device = device.clone().without_autodiff();
    let mask: Tensor<3> = Tensor::from_data(TensorData::new(hidden, [1, length, length]), &device);
    mask.expand([heads, length, length])
}
