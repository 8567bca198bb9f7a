//! How the tensors of one call are divided, and what is visible in it.

use std::ops::Range;
use std::sync::Arc;

use crate::dropout::Mask;

/// Which keys a query may look at.
#[derive(Clone, Copy, Debug)]
pub enum Visible<'a> {
    /// Keys `0..lengths[b]` of example `b`.
    Lengths(&'a [usize]),
    /// Keys up to the query's own position (self-attention of the decoder; Tq = Tk).
    Causal,
    /// Keys `0..counts[b * Tq + i]` for query `i` of example `b`.
    Counts(&'a [usize]),
}

/// How the tensors of a call are divided, and what each query sees.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// Examples, `B`.
    pub batch: usize,
    /// Heads of queries, `H`.
    pub heads: usize,
    /// Which keys a query may look at.
    pub visible: Visible<'a>,
    /// Which weights are dropped.
    pub dropped: Option<Dropped>,
}

/// Weights of attention that are dropped, and by what mask. Its rows are counted by example, then head,
/// then query where there is one for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropped {
    /// Every weight by itself, as in BERT.
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
}

/// The sizes of one call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) batch: usize,
    /// H.
    pub(super) heads: usize,
    /// H / G, the heads of queries that share one of keys.
    pub(super) shared: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    /// K, the width of a head.
    pub(super) width: usize,
    /// Keys before the others that have no bias.
    pub(super) free: usize,
    visible: Keys,
    pub(super) dropped: Option<Dropped>,
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
            "attention: heads of one width"
        );
        let width = query[1] / heads;
        let key_heads = key[1].checked_div(width).unwrap_or(heads);
        assert!(
            key_heads > 0 && key[1] == key_heads * width && heads.is_multiple_of(key_heads),
            "attention: as many heads of queries for each of keys"
        );
        let whole = query[0].is_multiple_of(batch) && key[0].is_multiple_of(batch);
        assert!(whole, "attention: examples of one length");
        let (queries, keys) = (query[0] / batch, key[0] / batch);
        assert!(
            free <= keys,
            "attention: no more keys without a bias than keys"
        );
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
                assert_eq!(queries, keys, "attention: causal from a sequence to itself");
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
        }
    }

    /// G.
    pub(super) fn key_heads(&self) -> usize {
        self.heads / self.shared
    }

    /// How many keys, from the first on, this query of this example looks at.
    pub(super) fn visible(&self, example: usize, query: usize) -> usize {
        match &self.visible {
            Keys::Lengths(lengths) => lengths[example],
            Keys::Causal => query + 1,
            Keys::Counts(counts) => counts[example * self.queries + query],
        }
    }

    /// The queries in blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let queries = self.queries;
        (0..queries)
            .step_by(BLOCK)
            .map(move |first| first..queries.min(first + BLOCK))
    }

    /// How many keys any query of this block of this example looks at.
    pub(super) fn visible_to_block(&self, example: usize, block: &Range<usize>) -> usize {
        match &self.visible {
            Keys::Lengths(_) | Keys::Causal => self.visible(example, block.end - 1),
            Keys::Counts(counts) => {
                let counts = &counts[example * self.queries..][block.clone()];
                counts.iter().copied().max().unwrap_or(0)
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

    /// Where the biases of a query on the keys that have one begin, among those of its head.
    pub(super) fn bias_start(&self, query: usize) -> usize {
        self.queries - 1 - query
    }
}

/// Queries whose scores are held at a time: few enough for the second-level cache, enough that
/// `gemm` does not spend its time on packing the keys again for every block.
pub(super) const BLOCK: usize = 128;
