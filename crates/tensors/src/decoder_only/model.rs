//! The whole network: embedding, blocks, head.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::blocks::{Block, View};
use super::{DecoderConfig, Positions};
use crate::layers::rotary::{Turns, frequencies};
use crate::layers::{
    Decoding, Dropout, Generated, Injected, KeyValue, KvCache, Linear, Norm, Packing, Tokens,
    greedy, pick, prefix_len, prepend_prefix, with_prefix,
};
use promptshift_kernels::{self as kernels, Visible};

/// A decoder-only network.
#[derive(Module, Debug)]
pub struct DecoderOnly {
    pub(super) embedding: Param<Tensor<2>>,
    /// `[positions, D]`, if they are learned.
    pub(super) positions: Option<Param<Tensor<2>>>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: Norm,
    /// The output head; `None` if it is the embedding.
    pub(super) head: Option<Linear>,
    /// Radians for each position, if positions are rotary.
    #[module(skip)]
    pub(super) turns: Vec<f64>,
}

/// Embedded inputs, to be read together with their outputs.
#[derive(Debug, Clone)]
pub struct Read {
    /// `[N, D]`, the prompt's vectors and the tokens of each example.
    rows: Tensor<2>,
    /// The rows of each example.
    lengths: Vec<usize>,
    /// The number of rows that all examples have in common: the prompt and, among tokens, examples in context. Each
    /// example has at least one row after them.
    shared: usize,
    /// One for each block, or empty.
    prefixes: Vec<KeyValue>,
}

/// The state of decoding: each example's keys and values in every block, and its positions.
#[derive(Debug)]
pub struct Cache {
    kept: KvCache,
    /// The number of tokens and prompt vectors that each example has read, which is the position of its next token.
    positions: Vec<usize>,
}

impl Cache {
    /// A cache of the inputs' keys and values, which start with `prefix` keys without a position.
    pub(super) fn new(key_values: Vec<KeyValue>, lengths: Vec<usize>, prefix: usize) -> Self {
        let seen = lengths.iter().map(|length| length + prefix).collect();
        Cache {
            kept: KvCache::new(key_values, seen),
            positions: lengths,
        }
    }

    /// Keeps only these rows of the batch.
    pub fn keep(&mut self, rows: &[usize]) {
        self.kept.keep(rows);
        self.positions = rows.iter().map(|&row| self.positions[row]).collect();
    }
}

/// What precedes the rows of a pass.
struct Past<'a> {
    /// Keys and values of each block, or empty.
    key_values: &'a [KeyValue],
    /// How many of them have a position.
    positions: usize,
}

/// The rows of a pass whose final states are wanted, equally many for each example. In the last block, other rows are
/// computed only as keys and values.
struct OutputRows {
    /// Indices into the rows of the pass.
    rows: Vec<usize>,
    /// Their packing, equally many for each example.
    packing: Packing,
    /// Their positions.
    positions: Vec<usize>,
    /// The number of keys that each of them attends to.
    counts: Vec<usize>,
}

impl OutputRows {
    /// The rows at these positions of each example.
    fn of(places: &[Vec<usize>], packing: &Packing, past: &Past) -> Self {
        let each = places.iter().flatten();
        let prefix = prefix_len(past.key_values);
        OutputRows {
            rows: packing.rows_at(places),
            packing: Packing::new(places.iter().map(Vec::len).collect()),
            positions: each.clone().map(|at| past.positions + at).collect(),
            counts: each.map(|at| prefix + at + 1).collect(),
        }
    }
}

/// The input of one pass through the blocks.
struct Pass<'a> {
    /// Embedded, `[N, D]`.
    rows: Tensor<2>,
    /// How they are packed.
    packing: &'a Packing,
    /// What precedes them.
    past: &'a Past<'a>,
    /// The rows whose states are wanted.
    outputs: &'a OutputRows,
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

    /// The device of the parameters.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// Embeds a batch of inputs after a prompt.
    pub fn read(&self, tokens: &Tokens, injected: Injected) -> Read {
        let ids: Vec<u32> = tokens.real_positions().map(|at| tokens.ids[at]).collect();
        let rows = self.lookup(&ids);
        let before = (injected.prompt.as_ref()).map_or(0, |prompt| prompt.dims()[0]);
        let rows = match injected.prompt {
            Some(prompt) => {
                let mut order = Vec::with_capacity(before * tokens.batch() + ids.len());
                let mut first = before;
                for length in &tokens.lengths {
                    order.extend((0..before).chain(first..first + length));
                    first += length;
                }
                pick(Tensor::cat(vec![prompt, rows], 0), &order)
            }
            None => rows,
        };
        Read {
            rows,
            lengths: with_prefix(before, &tokens.lengths),
            shared: before + beginning(tokens),
            prefixes: injected.decoder,
        }
    }

    /// Hidden states of the positions that predict the real target tokens, `[N, D]`, in row order.
    fn target_states(&self, read: &Read, targets: &Tokens, dropout: &mut Dropout) -> Tensor<2> {
        // Each example's input is followed by its output without the last token.
        let outputs = self.lookup(&targets.ids);
        let inputs = read.rows.dims()[0];
        let pool = Tensor::cat(vec![read.rows.clone(), outputs], 0);
        let most = targets.lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut order = Vec::with_capacity(inputs + targets.count());
        let mut lengths = Vec::with_capacity(targets.batch());
        let mut predicting = Vec::with_capacity(targets.batch());
        let mut real = Vec::with_capacity(targets.count());
        let mut start = 0;
        for (row, (&input, &output)) in read.lengths.iter().zip(&targets.lengths).enumerate() {
            order.extend(start..start + input);
            start += input;
            let fed = output.saturating_sub(1);
            order.extend((0..fed).map(|at| inputs + row * targets.width + at));
            lengths.push(input + fed);
            // An output's first token is predicted at the input's last.
            let first = input.saturating_sub(1);
            let mut places: Vec<usize> = (first..first + output).collect();
            places.resize(most, first);
            predicting.push(places);
            real.extend((0..output).map(|at| row * most + at));
        }
        let packing = Packing::new(lengths);
        let past = Past {
            key_values: &read.prefixes,
            positions: 0,
        };
        let outputs = OutputRows::of(&predicting, &packing, &past);
        let pass = Pass {
            rows: pick(pool, &order),
            packing: &packing,
            past: &past,
            outputs: &outputs,
        };
        let states = self.run(pass, dropout, |_| ());
        self.norm.forward(pick(states, &real))
    }

    /// Runs a pass through the blocks and returns the states of the output rows. `keep` receives the keys and values of
    /// each block, past ones included.
    fn run(&self, pass: Pass, dropout: &mut Dropout, mut keep: impl FnMut(&KeyValue)) -> Tensor<2> {
        let Pass {
            rows,
            packing,
            past,
            outputs,
        } = pass;
        let positions: Vec<usize> = (packing.places().iter())
            .map(|at| past.positions + at)
            .collect();
        let turns = self.turns(&positions);
        let output_turns = self.turns(&outputs.positions);
        // With a past there are more keys than queries.
        let prefix = prefix_len(past.key_values);
        let counts: Vec<usize> = (0..packing.batch())
            .flat_map(|_| prefix + 1..=prefix + packing.width())
            .collect();
        let all = View {
            rotation: turns.as_ref().map(|turns| &turns.queries),
            packing,
            visible: match prefix {
                0 => Visible::Causal,
                _ => Visible::Counts(&counts),
            },
        };
        let of_asked = View {
            rotation: output_turns.as_ref().map(|turns| &turns.queries),
            packing: &outputs.packing,
            visible: Visible::Counts(&outputs.counts),
        };
        let mut x = dropout.packed_rows(self.placed(rows, &positions), packing.lengths());
        for (index, block) in self.blocks.iter().enumerate() {
            let mut normed = block.attention_norm.forward(x.clone());
            let keys = turns.as_ref().map(|turns| &turns.keys);
            let key_value = block.attention.key_value(normed.clone(), keys, packing);
            let key_value = prepend_prefix(past.key_values.get(index), key_value, packing.batch());
            keep(&key_value);
            let mut view = all;
            if index + 1 == self.blocks.len() {
                [x, normed] = [x, normed].map(|rows| pick(rows, &outputs.rows));
                view = of_asked;
            }
            x = block.forward(x, normed, key_value, view, dropout);
        }
        x
    }

    /// Adds learned position embeddings to embedded rows, if the network has them.
    pub(super) fn placed(&self, rows: Tensor<2>, places: &[usize]) -> Tensor<2> {
        match &self.positions {
            Some(table) => rows + pick(table.val(), places),
            None => rows,
        }
    }

    /// The rotations of rows at these positions, if positions are rotary.
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

    /// Reads the inputs: logits `[B, V]` of the first tokens, and the cache for decoding. A common beginning is
    /// computed once.
    pub fn start(&self, read: &Read) -> (Tensor<2>, Cache) {
        let prefix = prefix_len(&read.prefixes);
        let shared = match read.lengths.len() {
            1 => 0,
            _ => read.shared,
        };
        let beginning = (shared > 0).then(|| {
            let rows = read.rows.clone().narrow(0, 0, shared);
            self.last_states(rows, vec![shared], &read.prefixes, 0).1
        });
        let own: Vec<Vec<usize>> = (read.lengths.iter())
            .map(|&length| (shared..length).collect())
            .collect();
        let rows = match &beginning {
            Some(_) => {
                let packing = Packing::new(read.lengths.clone());
                pick(read.rows.clone(), &packing.rows_at(&own))
            }
            None => read.rows.clone(),
        };
        let lengths = own.iter().map(Vec::len).collect();
        let past = beginning.as_ref().unwrap_or(&read.prefixes);
        let (states, key_values) = self.last_states(rows, lengths, past, shared);
        let logits = self.vocabulary_logits(self.norm.forward(states));
        (logits, Cache::new(key_values, read.lengths.clone(), prefix))
    }

    /// Runs examples of these `lengths` after the past: the state of each one's last row, `[B, D]`, and the keys and
    /// values of every block.
    fn last_states(
        &self,
        rows: Tensor<2>,
        lengths: Vec<usize>,
        key_values: &[KeyValue],
        positions: usize,
    ) -> (Tensor<2>, Vec<KeyValue>) {
        let past = Past {
            key_values,
            positions,
        };
        let last: Vec<Vec<usize>> = lengths.iter().map(|length| vec![length - 1]).collect();
        let packing = Packing::new(lengths);
        let outputs = OutputRows::of(&last, &packing, &past);
        let mut kept = Vec::with_capacity(self.blocks.len());
        let off = &mut Dropout::off();
        let pass = Pass {
            rows,
            packing: &packing,
            past: &past,
            outputs: &outputs,
        };
        let states = self.run(pass, off, |key_value| {
            kept.push(key_value.clone());
        });
        (states, kept)
    }

    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        let Cache { kept, positions } = cache;
        kept.advance();
        let seen = kept.seen().to_vec();
        let turns = self.turns(positions);
        let packing = Packing::new(vec![1; last.len()]);
        let view = View {
            rotation: turns.as_ref().map(|turns| &turns.queries),
            packing: &packing,
            visible: Visible::Lengths(&seen),
        };
        let mut x = self.placed(self.lookup(last), positions);
        let off = &mut Dropout::off();
        for (index, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.forward(x.clone());
            let keys = turns.as_ref().map(|turns| &turns.keys);
            let newest = block.attention.key_value(normed.clone(), keys, &packing);
            x = block.forward(x, normed, kept.put(index, newest), view, off);
        }
        for position in positions {
            *position += 1;
        }
        self.vocabulary_logits(self.norm.forward(x))
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

/// The decoding state of one batch.
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

/// The number of tokens that all rows begin with, leaving each row at least one token.
fn beginning(tokens: &Tokens) -> usize {
    let rows: Vec<&[u32]> = (tokens.ids.chunks(tokens.width.max(1)).zip(&tokens.lengths))
        .map(|(ids, &length)| &ids[..length.saturating_sub(1)])
        .collect();
    let first = rows.first().copied().unwrap_or_default();
    (rows.iter())
        .map(|row| first.iter().zip(*row).take_while(|(a, b)| a == b).count())
        .min()
        .unwrap_or(0)
}
