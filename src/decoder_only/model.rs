//! The whole network: embedding, blocks, head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::blocks::{Block, View};
use super::decoding::Cache;
use super::rotary::{Turns, frequencies};
use super::{DecoderConfig, Positions};
use crate::kernels::{self, Visible};
use crate::parts::{
    Decoding, Dropout, Entries, Generated, Linear, Memory, Norm, Tokens, behind, greedy,
    lengthened, of_each, reach,
};

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

/// The rows of a pass whose states are wanted, as many of each example: behind the keys and values of
/// the last block nothing is computed of any other.
struct Asked {
    /// Among the rows `[B·T]` of the pass.
    rows: Vec<usize>,
    places: Vec<usize>,
    /// The keys that each of them sees.
    counts: Vec<usize>,
}

impl Asked {
    /// Of examples of `length` rows, those at these places, behind a prefix of `reach` keys.
    fn of(places: Vec<Vec<usize>>, length: usize, reach: usize) -> Self {
        let rows = (places.iter().enumerate())
            .flat_map(|(example, places)| places.iter().map(move |at| example * length + at));
        let counts = places.iter().flatten().map(|at| reach + at + 1);
        Asked {
            rows: rows.collect(),
            counts: counts.collect(),
            places: places.concat(),
        }
    }
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
        let most = targets.lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut order = Vec::with_capacity(batch * longest);
        let mut predicting = Vec::with_capacity(batch);
        let mut real = Vec::with_capacity(targets.count());
        for (row, &(input, output)) in spans.iter().enumerate() {
            let start = order.len();
            order.extend((0..input).map(|at| row * length + at));
            order.extend((0..output).map(|at| batch * length + row * targets.width + at));
            // What fills a row up is seen by nothing before it.
            order.resize(start + longest, row * length);
            // An output's first token is predicted by the input's last.
            let first = input.saturating_sub(1);
            let mut places: Vec<usize> = (first..first + targets.lengths[row]).collect();
            places.resize(most, first);
            predicting.push(places);
            real.extend((0..targets.lengths[row]).map(|at| row * most + at));
        }
        let asked = Asked::of(predicting, longest, reach(&read.prefixes));
        let joined = pick(pool, &order);
        let states = self.run(joined, batch, &read.prefixes, &asked, dropout, |_| ());
        self.norm.forward(pick(states, &real))
    }

    /// Embedded rows `[B·T, D]`, from position 0 on, through the blocks: the states of what is asked.
    /// `keep` sees the keys and values of each block, a prefix among them.
    fn run(
        &self,
        rows: Tensor<2>,
        batch: usize,
        prefixes: &[Memory],
        asked: &Asked,
        dropout: &mut Dropout,
        mut keep: impl FnMut(&Memory),
    ) -> Tensor<2> {
        let length = rows.dims()[0] / batch;
        let places: Vec<usize> = (0..batch).flat_map(|_| 0..length).collect();
        let turns = self.turns(&places);
        let asked_turns = self.turns(&asked.places);
        // Behind a prefix there are more keys than queries.
        let own = reach(prefixes);
        let counts: Vec<usize> = places.iter().map(|at| own + at + 1).collect();
        let all = View {
            rotation: turns.as_ref().map(|turns| &turns.queries),
            batch,
            visible: match own {
                0 => Visible::Causal,
                _ => Visible::Counts(&counts),
            },
        };
        let of_asked = View {
            rotation: asked_turns.as_ref().map(|turns| &turns.queries),
            batch,
            visible: Visible::Counts(&asked.counts),
        };
        let mut x = dropout.rows(self.placed(rows, &places), batch);
        for (index, block) in self.blocks.iter().enumerate() {
            let mut normed = block.attention_norm.forward(x.clone());
            let keys = turns.as_ref().map(|turns| &turns.keys);
            let memory = block.attention.memory(normed.clone(), keys);
            let memory = behind(prefixes.get(index), memory, batch);
            keep(&memory);
            let mut view = all;
            if index + 1 == self.blocks.len() {
                [x, normed] = [x, normed].map(|rows| pick(rows, &asked.rows));
                view = of_asked;
            }
            x = block.forward(x, normed, memory, view, dropout);
        }
        x
    }

    /// Embedded rows with their positions' vectors, where these are learned.
    pub(super) fn placed(&self, rows: Tensor<2>, places: &[usize]) -> Tensor<2> {
        match &self.positions {
            Some(table) => rows + pick(table.val(), places),
            None => rows,
        }
    }

    /// The turns of rows at these positions, where positions are rotary.
    pub(super) fn turns(&self, places: &[usize]) -> Option<Turns> {
        (!self.turns.is_empty()).then(|| Turns::new(places, &self.turns))
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
        let mut memories = Vec::with_capacity(self.blocks.len());
        let rows = read.rows.clone().reshape([batch * length, width]);
        let prefix = reach(&read.prefixes);
        let last = read.lengths.iter().map(|read| vec![read - 1]).collect();
        let asked = Asked::of(last, length, prefix);
        let off = &mut Dropout::off();
        let states = self.run(rows, batch, &read.prefixes, &asked, off, |memory| {
            memories.push(memory.clone());
        });
        let logits = self.vocabulary_logits(self.norm.forward(states));
        (logits, Cache::new(memories, read.lengths.clone(), prefix))
    }

    /// Final states `[N, D]` → logits `[N, V]`.
    pub(super) fn vocabulary_logits(&self, states: Tensor<2>) -> Tensor<2> {
        match &self.head {
            Some(head) => head.forward(states),
            None => kernels::linear(states, self.embedding.val().transpose()),
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
