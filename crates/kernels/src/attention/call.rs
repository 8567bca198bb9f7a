//! The sizes of one call of attention, and the visible keys.

use std::ops::Range;
use std::sync::Arc;

use crate::dropout::Mask;

/// The keys visible to a query.
#[derive(Clone, Copy, Debug)]
pub enum Visible<'a> {
    /// Keys `0..lengths[b]` of example `b`.
    Lengths(&'a [usize]),
    /// Keys up to the query's own position (self-attention of the decoder; Tq = Tk).
    Causal,
    /// Keys `0..counts[b * Tq + i]` for query `i` of example `b`.
    Counts(&'a [usize]),
    /// Local attention (self-attention without a bias).
    Near(Window<'a>),
    /// Causal local attention, without a bias.
    Recent(Recent<'a>),
}

/// Causal local attention: of the keys `0..counts[b * Tq + i]`, query `i` of example `b` sees the prefix and the
/// last `window` of the others.
#[derive(Clone, Copy, Debug)]
pub struct Recent<'a> {
    /// The number of keys up to each query, its own and the prefix included.
    pub counts: &'a [usize],
    /// The number of prefix keys, which every query sees.
    pub prefix: usize,
    /// The number of tokens that a query sees, its own included.
    pub window: usize,
}

impl Recent<'_> {
    /// The keys of the window of a query, which is the `at`th of all examples.
    pub(super) fn of(&self, at: usize) -> Range<usize> {
        let count = self.counts[at];
        let start = count.saturating_sub(self.window).max(self.prefix);
        start.min(count)..count
    }
}

/// Local attention: query `i` sees the prefix keys and those of tokens `i - radius` to `i + radius`.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The number of keys of each example, prefix included.
    pub lengths: &'a [usize],
    /// The number of prefix keys, which every query sees; Tk = Tq + prefix.
    pub prefix: usize,
    /// The number of tokens a query sees on either side.
    pub radius: usize,
}

impl Window<'_> {
    /// The token keys visible to a query of an example.
    pub(super) fn of(&self, example: usize, query: usize) -> Range<usize> {
        let at = self.prefix + query;
        let end = (at + self.radius + 1).min(self.lengths[example]);
        let start = at.saturating_sub(self.radius).max(self.prefix);
        start.min(end)..end
    }
}

/// The sizes of a call and the visible keys.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Examples, `B`.
    pub batch: usize,
    /// Query heads, `H`.
    pub heads: usize,
    /// The visible keys.
    pub visible: Visible<'a>,
    /// Dropout of the attention weights.
    pub dropped: Option<Dropped>,
    /// `c`, where the scores are `c tanh(q kᵀ / c)` (soft-capping, as in Gemma 2).
    pub cap: Option<f32>,
}

/// Dropout of attention weights and its mask. Mask rows are indexed by example, then head, then, for `Each`,
/// query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropped {
    /// Every weight independently, as in BERT.
    Each(Mask),
    /// The same keys for every query, as in T5.
    Keys(Mask),
}

/// [`Visible`], owned.
#[derive(Clone, Debug)]
enum Keys {
    Lengths(Arc<[usize]>),
    Causal,
    Counts(Arc<[usize]>),
    Near {
        lengths: Arc<[usize]>,
        prefix: usize,
        radius: usize,
    },
    Recent {
        counts: Arc<[usize]>,
        prefix: usize,
        window: usize,
    },
}

/// The sizes of one call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) batch: usize,
    /// H.
    pub(super) heads: usize,
    /// H / G, the number of query heads per key head.
    pub(super) shared: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    /// K, the width of a head.
    pub(super) width: usize,
    /// The number of prefix keys without a bias.
    pub(super) free: usize,
    visible: Keys,
    pub(super) dropped: Option<Dropped>,
    pub(super) cap: Option<f32>,
}

impl Call {
    pub(super) fn new(query: [usize; 2], key: [usize; 2], how: Heads, free: usize) -> Self {
        let Heads { batch, heads, .. } = how;
        assert!(
            batch > 0 && heads > 0,
            "attention: at least one example and one head"
        );
        assert!(
            query[1].is_multiple_of(heads),
            "attention: the query width must be a multiple of the heads"
        );
        let width = query[1] / heads;
        let key_heads = key[1].checked_div(width).unwrap_or(heads);
        assert!(
            key_heads > 0 && key[1] == key_heads * width && heads.is_multiple_of(key_heads),
            "attention: the query heads must be a multiple of the key heads"
        );
        let whole = query[0].is_multiple_of(batch) && key[0].is_multiple_of(batch);
        assert!(whole, "attention: examples of one length");
        let (queries, keys) = (query[0] / batch, key[0] / batch);
        assert!(free <= keys, "attention: at most Tk keys without a bias");
        let visible = match how.visible {
            Visible::Lengths(lengths) => {
                assert_eq!(
                    lengths.len(),
                    batch,
                    "attention: one length for every example"
                );
                let inside = lengths.iter().all(|&length| length <= keys);
                assert!(inside, "attention: lengths of at most Tk");
                Keys::Lengths(lengths.into())
            }
            Visible::Causal => {
                assert_eq!(queries, keys, "attention: causal attention needs Tq = Tk");
                Keys::Causal
            }
            Visible::Counts(counts) => {
                assert_eq!(
                    counts.len(),
                    query[0],
                    "attention: one count for every query"
                );
                let inside = counts.iter().all(|&count| count <= keys);
                assert!(inside, "attention: counts of at most Tk");
                Keys::Counts(counts.into())
            }
            Visible::Near(Window {
                lengths,
                prefix,
                radius,
            }) => {
                assert!(
                    lengths.len() == batch && queries + prefix == keys,
                    "attention: one length for every example, and Tk = Tq + prefix"
                );
                let inside = (lengths.iter()).all(|&length| (prefix..=keys).contains(&length));
                assert!(
                    inside,
                    "attention: lengths of at least the prefix and at most Tk"
                );
                Keys::Near {
                    lengths: lengths.into(),
                    prefix,
                    radius,
                }
            }
            Visible::Recent(Recent {
                counts,
                prefix,
                window,
            }) => {
                assert_eq!(
                    counts.len(),
                    query[0],
                    "attention: one count for every query"
                );
                let inside = counts.iter().all(|&count| count <= keys);
                assert!(inside, "attention: counts of at most Tk");
                Keys::Recent {
                    counts: counts.into(),
                    prefix,
                    window,
                }
            }
        };
        Self {
            batch,
            heads,
            queries,
            shared: heads / key_heads,
            keys,
            width,
            free,
            visible,
            dropped: how.dropped,
            cap: how.cap,
        }
    }

    /// G, the number of key heads.
    pub(super) fn key_heads(&self) -> usize {
        self.heads / self.shared
    }

    /// The end of the range of keys visible to this query, from the first key on and without those
    /// [`hidden`](Self::hidden).
    pub(super) fn visible(&self, example: usize, query: usize) -> usize {
        match &self.visible {
            Keys::Lengths(lengths) => lengths[example],
            Keys::Causal => query + 1,
            Keys::Counts(counts) | Keys::Recent { counts, .. } => {
                counts[example * self.queries + query]
            }
            Keys::Near { prefix, .. } => {
                let near = self.near(example, query);
                if near.is_empty() { *prefix } else { near.end }
            }
        }
    }

    /// The keys in that range that the query does not see.
    pub(super) fn hidden(&self, example: usize, query: usize) -> Range<usize> {
        match &self.visible {
            Keys::Lengths(_) | Keys::Causal | Keys::Counts(_) => 0..0,
            Keys::Near { prefix, .. } => {
                let near = self.near(example, query);
                *prefix..if near.is_empty() { *prefix } else { near.start }
            }
            Keys::Recent { prefix, .. } => {
                let start = self.near(example, query).start;
                start.min(*prefix)..start
            }
        }
    }

    /// The window of this query; empty without local attention.
    fn near(&self, example: usize, query: usize) -> Range<usize> {
        match &self.visible {
            Keys::Lengths(_) | Keys::Causal | Keys::Counts(_) => 0..0,
            Keys::Near {
                lengths,
                prefix,
                radius,
            } => {
                let window = Window {
                    lengths,
                    prefix: *prefix,
                    radius: *radius,
                };
                window.of(example, query)
            }
            Keys::Recent {
                counts,
                prefix,
                window,
            } => {
                let recent = Recent {
                    counts,
                    prefix: *prefix,
                    window: *window,
                };
                recent.of(example * self.queries + query)
            }
        }
    }

    /// The queries in blocks of at most [`BLOCK`].
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let queries = self.queries;
        (0..queries)
            .step_by(BLOCK)
            .map(move |first| first..queries.min(first + BLOCK))
    }

    /// The keys from the first to the last visible to any query of this block.
    pub(super) fn visible_to_block(&self, example: usize, block: &Range<usize>) -> Range<usize> {
        match &self.visible {
            Keys::Lengths(_) | Keys::Causal => 0..self.visible(example, block.end - 1),
            Keys::Counts(counts) => {
                let counts = &counts[example * self.queries..][block.clone()];
                0..counts.iter().copied().max().unwrap_or(0)
            }
            Keys::Near { prefix, .. } => {
                let seen = block.clone().map(|query| self.visible(example, query));
                let end = seen.max().unwrap_or(0);
                let first = match prefix {
                    0 => self.near(example, block.start).start,
                    _ => 0,
                };
                first.min(end)..end
            }
            Keys::Recent { prefix, .. } => {
                let seen = block.clone().map(|query| self.visible(example, query));
                let end = seen.max().unwrap_or(0);
                let starts = block.clone().map(|query| self.near(example, query).start);
                let first = match prefix {
                    0 => starts.min().unwrap_or(0),
                    _ => 0,
                };
                first..end
            }
        }
    }

    pub(super) fn output_shape(&self) -> [usize; 2] {
        [self.batch * self.queries, self.heads * self.width]
    }

    pub(super) fn key_shape(&self) -> [usize; 2] {
        [self.batch * self.keys, self.key_heads() * self.width]
    }

    pub(super) fn bias_shape(&self) -> [usize; 2] {
        let distances = (self.queries + self.keys - self.free).saturating_sub(1);
        [self.heads, distances]
    }

    /// The index of the bias of a query's first key with a bias, within its head.
    pub(super) fn bias_start(&self, query: usize) -> usize {
        self.queries - 1 - query
    }
}

/// Number of queries whose scores are held at a time: small enough for the second-level cache, large enough
/// that `gemm` does not spend its time on repacking the keys for every block.
pub(super) const BLOCK: usize = 128;
