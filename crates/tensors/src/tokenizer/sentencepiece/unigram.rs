//! The unigram language model of Kudo, "Subword Regularization" (arXiv 1804.10959): finds the most probable
//! segmentation of a text into pieces with a byte trie.
//!
//! Follows `unigram::Model::EncodeOptimized` in `src/unigram_model.cc` of google/sentencepiece, rounding
//! included. Sums are kept in f32 over the whole text: "00000" may be "00", "000" or "000", "00", two
//! segmentations of equal probability, and SentencePiece's choice depends on the rounding of the preceding
//! sums. `tokenizers` sums in f64, word by word, and chooses differently.

use std::ops::Range;

/// A set of pieces with their ids.
#[derive(Debug, Clone)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The piece that ends here.
    id: Option<u32>,
    /// The child nodes by byte.
    next: Vec<(u8, usize)>,
}

impl Trie {
    /// An empty trie.
    pub fn new() -> Self {
        Trie {
            nodes: vec![Node::default()],
        }
    }

    /// Adds `piece`; returns its previous id, if any.
    pub fn insert(&mut self, piece: &str, id: u32) -> Option<u32> {
        let mut node = 0;
        for &byte in piece.as_bytes() {
            let place = self.nodes[node]
                .next
                .binary_search_by_key(&byte, |(b, _)| *b);
            node = match place {
                Ok(place) => self.nodes[node].next[place].1,
                Err(place) => {
                    let new = self.nodes.len();
                    self.nodes[node].next.insert(place, (byte, new));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        self.nodes[node].id.replace(id)
    }

    /// The pieces that are prefixes of `text`, shortest first: length in bytes and id.
    pub fn prefixes(&self, text: &str) -> impl Iterator<Item = (usize, u32)> {
        let mut node = &self.nodes[0];
        text.bytes()
            .map_while(move |byte| {
                let place = node.next.binary_search_by_key(&byte, |(b, _)| *b).ok()?;
                node = &self.nodes[node.next[place].1];
                Some(node.id)
            })
            .enumerate()
            .filter_map(|(at, id)| Some((at + 1, id?)))
    }
}

/// The score of an unknown character is this much below that of the least probable piece.
const UNKNOWN_PENALTY: f32 = 10.0;

/// A vocabulary of pieces with scores.
#[derive(Debug, Clone)]
pub struct Unigram {
    pieces: Trie,
    /// Indexed by id.
    scores: Vec<Score>,
    unknown: u32,
    unknown_score: f32,
    /// The highest score of a normal piece, but at least the smallest positive f32.
    greatest: f32,
}

/// The contribution of a piece to a segmentation's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// Its log-probability.
    Normal(f32),
    /// High enough to be always chosen.
    UserDefined,
    /// The piece never matches in a text.
    Absent,
}

/// The best segmentation of the text up to one byte position.
#[derive(Debug, Clone, Copy)]
struct Best {
    score: f32,
    /// Its last piece.
    id: u32,
    /// The start of its last piece; `None` if no segmentation ends here.
    start: Option<usize>,
}

impl Unigram {
    /// A model of `pieces`, whose ids are their indices; `unknown` is the id of unknown characters. Of equal
    /// pieces the last one is used.
    pub fn new<'a>(pieces: impl IntoIterator<Item = (&'a str, Score)>, unknown: u32) -> Self {
        let mut model = Unigram {
            pieces: Trie::new(),
            scores: Vec::new(),
            unknown,
            unknown_score: 0.0,
            greatest: f32::MIN_POSITIVE,
        };
        let mut least = f32::MAX;
        for (id, (piece, score)) in (0..).zip(pieces) {
            if score != Score::Absent {
                model.pieces.insert(piece, id);
            }
            if let Score::Normal(score) = score {
                least = least.min(score);
                model.greatest = model.greatest.max(score);
            }
            model.scores.push(score);
        }
        model.unknown_score = least - UNKNOWN_PENALTY;
        model
    }

    /// The best segmentation of `text`: ids with their byte ranges; an unknown character has the id
    /// `unknown`.
    pub fn cut(&self, text: &str) -> Vec<(u32, Range<usize>)> {
        let none = Best {
            score: 0.0,
            id: self.unknown,
            start: None,
        };
        let mut best = vec![none; text.len() + 1];
        for (start, character) in text.char_indices() {
            let before = best[start].score;
            let mut offer = |length: usize, id: u32, score: f32| {
                let target = &mut best[start + length];
                let score = score + before;
                if target.start.is_none() || score > target.score {
                    *target = Best {
                        score,
                        id,
                        start: Some(start),
                    };
                }
            };
            let one = character.len_utf8();
            let mut spelt = false;
            for (length, id) in self.pieces.prefixes(&text[start..]) {
                let score = match self.scores[id as usize] {
                    Score::Normal(score) => score,
                    Score::UserDefined => length as f32 * self.greatest - 0.1,
                    Score::Absent => continue,
                };
                offer(length, id, score);
                spelt |= length == one;
            }
            if !spelt {
                offer(one, self.unknown, self.unknown_score);
            }
        }
        let mut cut = Vec::new();
        let mut end = text.len();
        while let Some(start) = best[end].start {
            cut.push((best[end].id, start..end));
            end = start;
        }
        cut.reverse();
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_shortest_first() {
        let mut trie = Trie::new();
        for (id, piece) in ["b", "ab", "a", "abc", "é"].into_iter().enumerate() {
            assert_eq!(trie.insert(piece, id as u32), None);
        }
        let of = |text| trie.prefixes(text).collect::<Vec<_>>();
        assert_eq!(of("abcd"), [(1, 2), (2, 1), (3, 3)]);
        assert_eq!(of("éa"), [(2, 4)]);
        assert_eq!(of("c"), []);
        assert_eq!(of(""), []);
        assert_eq!(trie.insert("ab", 9), Some(1));
    }
}
