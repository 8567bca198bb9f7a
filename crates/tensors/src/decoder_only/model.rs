//! The whole network: embedding, blocks, head.

use std::rc::Rc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::blocks::{Asked, Block, Rows};
use super::positions::Rotary;
use crate::layers::{
    BlockInputs, Decoding, Dropout, Generated, Injected, KeyValue, KvCache, Linear, Norm, Packing,
    Pass, Tokens, greedy, pick, prefix_len, with_prefix,
};
use promptshift_kernels as kernels;

/// A decoder-only network.
#[derive(Module, Debug)]
pub struct DecoderOnly {
    pub(super) embedding: Param<Tensor<2>>,
    /// `[positions, D]`, only with learned positions.
    pub(super) positions: Option<Param<Tensor<2>>>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: Norm,
    /// The output head; `None` if it is the embedding.
    pub(super) head: Option<Linear>,
    #[module(skip)]
    pub(super) rotary: Rotary,
    /// What the embeddings of tokens are multiplied by, only in Gemma.
    #[module(skip)]
    pub(super) embedding_scale: Option<f64>,
    /// The bound of the logits, if they are soft-capped.
    #[module(skip)]
    pub(super) logit_cap: Option<f64>,
}

/// Embedded inputs; their outputs follow in the same sequences.
#[derive(Debug, Clone)]
pub struct Read {
    /// `[N, D]`, the prompt's vectors and the tokens of each example.
    rows: Tensor<2>,
    /// The number of rows of each example.
    lengths: Vec<usize>,
    /// The number of rows that all examples have in common: the prompt and, among tokens, examples in
    /// context. Each example has at least one row after them.
    shared: usize,
    /// One for each block, or empty.
    prefixes: Vec<KeyValue>,
}

/// The state of decoding: each example's keys and values in every block, and its positions.
#[derive(Debug)]
pub struct Cache {
    kept: KvCache,
    /// The number of keys without a position, before the others.
    prefix: usize,
    /// The number of tokens and prompt vectors that each example has read, which is the position of its next
    /// token.
    positions: Vec<usize>,
}

impl Cache {
    /// A cache of the inputs' keys and values, which start with `prefix` keys without a position.
    pub(super) fn new(key_values: Vec<KeyValue>, lengths: Vec<usize>, prefix: usize) -> Self {
        let seen = lengths.iter().map(|length| length + prefix).collect();
        Cache {
            kept: KvCache::new(key_values, seen),
            prefix,
            positions: lengths,
        }
    }

    /// Keeps only these rows of the batch.
    pub fn keep(&mut self, rows: &[usize]) {
        self.kept.keep(rows);
        self.positions = rows.iter().map(|&row| self.positions[row]).collect();
    }
}

/// The keys and values before a stream of rows.
struct Past<'a> {
    /// The keys and values of each block, or empty.
    key_values: &'a [KeyValue],
    /// How many of them have a position.
    positions: usize,
}

/// The rows that pass through the blocks together.
struct Stream<'a> {
    /// Embedded, `[N, D]`.
    rows: Tensor<2>,
    /// How the rows are packed.
    packing: Packing,
    /// The keys and values that precede them.
    past: Past<'a>,
    /// The positions of each example whose final states are needed, the same number for each.
    wanted: &'a [Vec<usize>],
}

impl DecoderOnly {
    /// The input embedding `[V, D]`, which a Gemma scales as it reads it.
    pub fn embedding(&self) -> Tensor<2> {
        self.embedding.val()
    }

    /// Rows of the input embedding as the blocks read them: in a Gemma by `√D`.
    pub(crate) fn scaled(&self, rows: Tensor<2>) -> Tensor<2> {
        match self.embedding_scale {
            Some(scale) => rows * scale,
            None => rows,
        }
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
    fn target_states(&self, read: &Read, targets: &Tokens, pass: &mut Pass) -> Tensor<2> {
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
            // The state of the input's last token predicts the output's first token.
            let first = input.saturating_sub(1);
            let mut places: Vec<usize> = (first..first + output).collect();
            places.resize(most, first);
            predicting.push(places);
            real.extend((0..output).map(|at| row * most + at));
        }
        let stream = Stream {
            rows: pick(pool, &order),
            packing: Packing::new(lengths),
            past: Past {
                key_values: &read.prefixes,
                positions: 0,
            },
            wanted: &predicting,
        };
        let states = self.run(stream, pass, |_| ());
        self.norm.forward(pick(states, &real))
    }

    /// Runs rows through the blocks and returns the states of the wanted ones. `keep` receives each block's
    /// keys and values, including past ones.
    fn run(&self, stream: Stream, pass: &mut Pass, mut keep: impl FnMut(&KeyValue)) -> Tensor<2> {
        let Stream {
            rows,
            packing,
            past,
            wanted,
        } = stream;
        let positions: Vec<usize> = (packing.places().iter())
            .map(|at| past.positions + at)
            .collect();
        // With past keys there are more keys than queries.
        let prefix = prefix_len(past.key_values);
        let counts = (0..packing.batch()).flat_map(|_| prefix + 1..=prefix + packing.width());
        let window = self.rotary.window(prefix - past.positions);
        let each = wanted.iter().flatten();
        let asked_positions: Vec<usize> = each.clone().map(|at| past.positions + at).collect();
        let asked = Rc::new(Asked {
            among: packing.rows_at(wanted),
            rows: Rows {
                rotations: self.rotary.at(&asked_positions),
                packing: Packing::new(wanted.iter().map(Vec::len).collect()),
                counts: Some(each.map(|at| prefix + at + 1).collect()),
                window,
            },
        });
        let x = self.placed(rows, &positions);
        let mut x = pass.dropout.packed_rows(x, packing.lengths());
        let all = Rc::new(Rows {
            rotations: self.rotary.at(&positions),
            counts: (prefix > 0 || window.is_some()).then(|| counts.collect()),
            packing,
            window,
        });
        for (index, block) in self.blocks.iter().enumerate() {
            let inputs = BlockInputs {
                prefix: past.key_values.get(index).cloned(),
                ..BlockInputs::new(x)
            };
            let all = Rc::clone(&all);
            // In the last block, the other rows are only needed as keys and values.
            let asked = (index + 1 == self.blocks.len()).then(|| Rc::clone(&asked));
            let key_value;
            (x, key_value) = pass.block(block, inputs, move |block, inputs, dropout| {
                block.read(inputs, &all, asked.as_deref(), dropout)
            });
            keep(&key_value);
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

    /// Teacher-forced logits of the real target positions, `[N, V]`, in row order.
    pub fn logits(&self, read: &Read, targets: &Tokens) -> Tensor<2> {
        self.vocabulary_logits(self.target_states(read, targets, &mut Pass::evaluation()))
    }

    /// The loss of each real target token, `[N]`: cross-entropy plus `z_loss · (log Z)²`.
    pub fn token_losses(
        &self,
        read: &Read,
        targets: &Tokens,
        z_loss: f64,
        pass: &mut Pass,
    ) -> Tensor<1> {
        let logits = self.vocabulary_logits(self.target_states(read, targets, pass));
        let real: Vec<u32> = targets.real_positions().map(|i| targets.ids[i]).collect();
        kernels::cross_entropy(logits, &real, z_loss)
    }

    /// The most probable output of each example, decoded by [`greedy`].
    pub fn generate(&self, read: &Read, ends: &[u32], limit: usize) -> Vec<Generated> {
        let (first, cache) = self.start(read);
        greedy(first, &mut UnderWay { model: self, cache }, ends, limit)
    }

    /// Processes the inputs (prefill): logits `[B, V]` of the first tokens, and the key/value cache for
    /// decoding. A common beginning is computed once.
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

    /// Runs examples of these `lengths` after the past: returns the state of each example's last row,
    /// `[B, D]`, and the keys and values of every block.
    fn last_states(
        &self,
        rows: Tensor<2>,
        lengths: Vec<usize>,
        key_values: &[KeyValue],
        positions: usize,
    ) -> (Tensor<2>, Vec<KeyValue>) {
        let last: Vec<Vec<usize>> = lengths.iter().map(|length| vec![length - 1]).collect();
        let mut kept = Vec::with_capacity(self.blocks.len());
        let stream = Stream {
            rows,
            packing: Packing::new(lengths),
            past: Past {
                key_values,
                positions,
            },
            wanted: &last,
        };
        let states = self.run(stream, &mut Pass::evaluation(), |key_value| {
            kept.push(key_value.clone());
        });
        (states, kept)
    }

    /// Logits `[B, V]` of the token after `last`.
    pub fn next_logits(&self, last: &[u32], cache: &mut Cache) -> Tensor<2> {
        let Cache {
            kept,
            prefix,
            positions,
        } = cache;
        kept.advance();
        let rows = Rows {
            rotations: self.rotary.at(positions),
            packing: Packing::new(vec![1; last.len()]),
            counts: Some(kept.seen().to_vec()),
            window: self.rotary.window(*prefix),
        };
        let mut x = self.placed(self.lookup(last), positions);
        let off = &mut Dropout::off();
        for (index, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.forward(x.clone());
            let kind = block.attention.kind;
            let keys = rows.key_rotation(kind);
            let newest = (block.attention).key_value(normed.clone(), keys, &rows.packing);
            x = block.forward(x, normed, kept.put(index, newest), rows.view(kind), off);
        }
        for position in positions {
            *position += 1;
        }
        self.vocabulary_logits(self.norm.forward(x))
    }

    /// Final states `[N, D]` → logits `[N, V]`.
    pub(super) fn vocabulary_logits(&self, states: Tensor<2>) -> Tensor<2> {
        let logits = match &self.head {
            Some(head) => head.forward(states),
            None => kernels::linear(states, self.embedding.val().transpose()),
        };
        match self.logit_cap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }

    pub(super) fn lookup(&self, ids: &[u32]) -> Tensor<2> {
        let rows: Vec<usize> = ids.iter().map(|&id| id as usize).collect();
        self.scaled(pick(self.embedding.val(), &rows))
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

/// The number of leading tokens that all rows share, leaving each row at least one token.
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
